"""Parameters of operations as plain Python values in xDSL attributes, with a terse text form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from dnnc.ir.diagnostics import BrokenRule, expect
from dnnc.ir.types import real_text


class Param(Data[Any]):
    """A parameter: `#dnn.int<3>` on its own, `3` inside the text of an operation."""

    def text(self) -> str:
        """The bare text."""
        raise NotImplementedError

    @classmethod
    def read(cls, parser: AttrParser) -> Any:
        """Parse the bare text; returns the payload."""
        raise NotImplementedError

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Any:
        with parser.in_angle_brackets():
            return cls.read(parser)

    def print_parameter(self, printer: Printer) -> None:
        printer.print_string(f"<{self.text()}>")


@irdl_attr_definition
class Int(Param):
    """An integer."""

    name = "dnn.int"
    data: int

    def text(self) -> str:
        return str(self.data)

    @classmethod
    def read(cls, parser: AttrParser) -> int:
        return parser.parse_integer(allow_boolean=False)


@irdl_attr_definition
class Ints(Param):
    """A tuple of integers."""

    name = "dnn.ints"
    data: tuple[int, ...]

    def text(self) -> str:
        return f"[{', '.join(map(str, self.data))}]"

    @classmethod
    def read(cls, parser: AttrParser) -> tuple[int, ...]:
        return tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer))


@irdl_attr_definition
class Real(Param):
    """A finite or infinite real number, kept as float64."""

    name = "dnn.real"
    data: float

    def text(self) -> str:
        return _number_text(self.data)

    @classmethod
    def read(cls, parser: AttrParser) -> float:
        return _read_number(parser)


def _number_text(x: float) -> str:
    return {"inf": '"inf"', "-inf": '"-inf"', "nan": '"nan"'}.get(str(x)) or real_text(x)


def _read_number(parser: AttrParser) -> float:
    word = parser.parse_optional_str_literal()
    return float(word) if word is not None else float(parser.parse_number())


@irdl_attr_definition
class Reals(Param):
    """A tuple of real numbers, kept as float64."""

    name = "dnn.reals"
    data: tuple[float, ...]

    def text(self) -> str:
        return f"[{', '.join(map(_number_text, self.data))}]"

    @classmethod
    def read(cls, parser: AttrParser) -> tuple[float, ...]:
        return tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: _read_number(parser)))


@irdl_attr_definition
class Word(Param):
    """One of a few names."""

    name = "dnn.word"
    data: str

    def text(self) -> str:
        return self.data

    @classmethod
    def read(cls, parser: AttrParser) -> str:
        return parser.parse_identifier()


@irdl_attr_definition
class Key(Param):
    """The name of an entry in the weight store."""

    name = "dnn.key"
    data: str

    def text(self) -> str:
        return '"' + self.data.replace("\\", "\\\\").replace('"', '\\"') + '"'

    @classmethod
    def read(cls, parser: AttrParser) -> str:
        return parser.parse_str_literal()


@dataclass(frozen=True)
class Window:
    """A sliding window over spatial dimensions: kernel R x S, stride U, dilation, padding before and after, ceil mode."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pad: tuple[int, ...]  # begins, then ends
    ceil: bool = False

    @staticmethod
    def of(
        kernel: Sequence[int],
        stride: Sequence[int] = (),
        pad: Sequence[int] = (),
        dilation: Sequence[int] = (),
        ceil: bool = False,
    ) -> Window:
        """A window with stride 1, dilation 1 and no padding where these are not given."""
        n = len(kernel)
        return Window(
            tuple(kernel), tuple(stride) or (1,) * n, tuple(dilation) or (1,) * n, tuple(pad) or (0,) * (2 * n), ceil
        )

    @property
    def rank(self) -> int:
        """Number of spatial dimensions."""
        return len(self.kernel)

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """(before, after) of each spatial dimension."""
        return tuple(zip(self.pad[: self.rank], self.pad[self.rank :]))

    @property
    def extent(self) -> tuple[int, ...]:
        """Input elements the dilated kernel spans: (R - 1) * dilation + 1."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation))

    def output(self, size: Sequence[int]) -> tuple[int, ...]:
        """Output size E = floor((H + pads - extent) / U) + 1 of each dimension.

        In ceil mode the division rounds up, but a window must start inside the input or its left padding.
        """
        out = []
        for h, u, e, (before, after) in zip(size, self.stride, self.extent, self.pads):
            span = h + before + after - e
            n = (-(-span // u) if self.ceil else span // u) + 1
            if self.ceil and (n - 1) * u >= h + before:
                n -= 1
            out.append(n)
        return tuple(out)

    def check_form(self, size: Sequence[int]) -> None:
        """Verify the parameters on their own, for an input of spatial `size`."""
        n = self.rank
        expect(len(size) == n, f"a window of {len(size)} dimensions", f"one of {n}", code="E0415")
        for what, values, low in (
            ("stride", self.stride, 1),
            ("dilation", self.dilation, 1),
            ("kernel", self.kernel, 1),
        ):
            expect(len(values) == n, f"{n} values of {what}", f"{len(values)}", code="E0415")
            expect(all(v >= low for v in values), f"{what} of at least {low}", str(list(values)), code="E0416")
        expect(len(self.pad) == 2 * n, f"{2 * n} pads", f"{len(self.pad)}", code="E0415")
        expect(
            all(p >= 0 for p in self.pad),
            "pads of at least 0",
            str(list(self.pad)),
            "Crop with a slice first.",
            code="E0416",
        )

    def check(self, size: Sequence[int]) -> None:
        """Verify the parameters, and that an input of spatial `size` holds a window."""
        self.check_form(size)
        out = self.output(size)
        expect(
            all(o >= 1 for o in out),
            f"an input that holds the window of extent {list(self.extent)}",
            f"{list(size)} padded by {list(self.pad)}",
            code="E0417",
        )


@irdl_attr_definition
class WindowAttr(Param):
    """A window: `<[3, 3], stride [2, 2], pad [1, 1, 1, 1], dilation [2, 2], ceil>`; what is default is left out."""

    name = "dnn.window"
    data: Window
    _lists: ClassVar[tuple[tuple[str, int, int], ...]] = (("stride", 1, 1), ("pad", 2, 0), ("dilation", 1, 1))

    def text(self) -> str:
        w = self.data
        parts = [str(list(w.kernel))]
        for name, per, default in self._lists:
            values = getattr(w, name)
            if values != (default,) * (per * w.rank):
                parts.append(f"{name} {list(values)}")
        return f"<{', '.join([*parts, *(['ceil'] if w.ceil else [])])}>"

    @classmethod
    def read(cls, parser: AttrParser) -> Window:
        with parser.in_angle_brackets():
            kernel = Ints.read(parser)
            given: dict[str, tuple[int, ...]] = {}
            ceil = False
            while parser.parse_optional_punctuation(","):
                word = parser.parse_keyword_in(("stride", "pad", "dilation", "ceil"))
                if word == "ceil":
                    ceil = True
                else:
                    given[word] = Ints.read(parser)
            return Window.of(kernel, **given, ceil=ceil)

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Window:
        return cls.read(parser)

    def print_parameter(self, printer: Printer) -> None:
        printer.print_string(self.text())


def normal_axis(axis: int, rank: int, last: int | None = None) -> int:
    """An axis counted from the end turned into one counted from the start; verifies its range."""
    upper = rank - 1 if last is None else last
    if not -rank <= axis <= upper:
        raise BrokenRule(f"expected an axis in [{-rank}, {upper}], not {axis}.", "E0413")
    return axis + rank if axis < 0 else axis


def normal_axes(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes counted from the start, ascending; verifies range and uniqueness."""
    normal = tuple(sorted(normal_axis(a, rank) for a in axes))
    expect(len(set(normal)) == len(normal), "distinct axes", str(list(axes)), code="E0414")
    return normal
