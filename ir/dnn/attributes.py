"""Parameters of operations as plain Python values in xDSL attributes, with a terse text form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
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
    """A sliding window over spatial dimensions: kernel R x S, stride U, dilation, padding before and after, ceil mode.

    With `block` the outputs are cut into blocks of so many rows and columns, the last ones smaller, and the input at U times
    the same places; a window sees its own block alone, all outside of it is padding.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pad: tuple[int, ...]  # begins, then ends
    ceil: bool = False
    block: tuple[int, ...] = ()

    @staticmethod
    def of(
        kernel: Sequence[int],
        stride: Sequence[int] = (),
        pad: Sequence[int] = (),
        dilation: Sequence[int] = (),
        ceil: bool = False,
        block: Sequence[int] = (),
    ) -> Window:
        """A window with stride 1, dilation 1, no padding and no blocks where these are not given."""
        n = len(kernel)
        steps, apart = tuple(stride) or (1,) * n, tuple(dilation) or (1,) * n
        return Window(tuple(kernel), steps, apart, tuple(pad) or (0,) * (2 * n), ceil, tuple(block))

    @property
    def rank(self) -> int:
        """Number of spatial dimensions."""
        return len(self.kernel)

    @cached_property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """(before, after) of each spatial dimension."""
        return tuple(zip(self.pad[: self.rank], self.pad[self.rank :]))

    @property
    def filled(self) -> bool:
        """Whether a window may read padding: around the input, or around its block."""
        return any(self.pad) or bool(self.block)

    @cached_property
    def extent(self) -> tuple[int, ...]:
        """Input elements the dilated kernel spans: (R - 1) * dilation + 1."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation))

    def output(self, size: Sequence[int]) -> tuple[int, ...]:
        """Output size E = floor((H + pads - extent) / U) + 1 of each dimension.

        In ceil mode the division rounds up, but a window must start inside the input or its left padding.
        """
        return tuple(self._output(axis, h) for axis, h in enumerate(size))

    def _output(self, axis: int, size: int) -> int:
        (before, after), u = self.pads[axis], self.stride[axis]
        span = size + before + after - self.extent[axis]
        n = (-(-span // u) if self.ceil else span // u) + 1
        return n - 1 if self.ceil and (n - 1) * u >= size + before else n

    @property
    def whole(self) -> Window:
        """The window without blocks."""
        return replace(self, block=())

    def reach(self, out: tuple[int, int], size: int, axis: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """The (first, count) of `size` inputs that outputs (first, count) need, and the padding around them."""
        first = out[0] * self.stride[axis] - self.pads[axis][0]
        last = first + (out[1] - 1) * self.stride[axis] + self.extent[axis]
        low, high = self._seen(out, size, axis)
        low, high = max(first, low), min(last, high)
        return (low, high - low), (low - first, last - high)

    def _seen(self, out: tuple[int, int], size: int, axis: int) -> tuple[int, int]:
        """Where the blocks of outputs begin and end in the input."""
        if not self.block:
            return 0, size
        block, stride = self.block[axis], self.stride[axis]
        return out[0] // block * block * stride, min(-(-sum(out) // block) * block * stride, size)

    def keeps(self, size: Sequence[int]) -> bool:
        """Whether outputs are as many as inputs at every stride: then blocks of outputs are blocks of the input too."""
        kept = zip(size, self.stride, self.output(size))
        return all(-(-h // u) == o for h, u, o in kept) and all(
            p < e for pads, e in zip(self.pads, self.extent) for p in pads
        )

    def cells(self, size: Sequence[int]) -> Iterator[Cell]:
        """The blocks of an input of spatial `size`, in order."""
        axes = []
        for axis, (n, outputs) in enumerate(zip(size, self.output(size))):
            block = self.block[axis] if self.block else max(outputs, 1)
            spans = [(at, min(block, outputs - at)) for at in range(0, outputs, block)]
            axes.append([(span, *self.reach(span, n, axis)) for span in spans])
        for cell in product(*axes):
            outs, inputs, pads = zip(*cell)
            pad = (*(a for a, _ in pads), *(b for _, b in pads))
            alone = Window(self.kernel, self.stride, self.dilation, pad)
            yield Cell(tuple(map(_range, outs)), tuple(map(_range, inputs)), alone)

    def check_form(self, size: Sequence[int]) -> None:
        """Verify the parameters on their own, for an input of spatial `size`."""
        n = self.rank
        expect(len(size) == n, f"a window of {len(size)} dimensions", f"one of {n}", code="E0415")
        for what, values, low in (
            ("stride", self.stride, 1),
            ("dilation", self.dilation, 1),
            ("kernel", self.kernel, 1),
        ):
            expect(len(values) == n, f"{n} values of {what}", len(values), code="E0415")
            expect(all(v >= low for v in values), f"{what} of at least {low}", str(list(values)), code="E0416")
        expect(len(self.pad) == 2 * n, f"{2 * n} pads", len(self.pad), code="E0415")
        expect(
            all(p >= 0 for p in self.pad),
            "pads of at least 0",
            str(list(self.pad)),
            "Crop with a slice first.",
            code="E0416",
        )

    def check(self, size: Sequence[int], blocks: bool = False) -> None:
        """Verify the parameters, and that an input of spatial `size` holds a window; whether there may be `blocks`."""
        self.check_form(size)
        self.check_blocks(blocks, size)
        out = self.output(size)
        expect(
            all(o >= 1 for o in out),
            f"an input that holds the window of extent {list(self.extent)}",
            f"{list(size)} padded by {list(self.pad)}",
            code="E0417",
        )

    def check_blocks(self, allowed: bool, size: Sequence[int] = ()) -> None:
        """Verify the blocks, if there are any and if there may be."""
        if not self.block:
            return
        todo = "Only dnn.conv and dnn.max_pool run in blocks."
        expect(allowed, "a window without blocks", f"blocks of {list(self.block)}", todo, code="E0453")
        expect(len(self.block) == self.rank, f"{self.rank} sizes of a block", len(self.block), code="E0415")
        expect(min(self.block) >= 1, "blocks of at least 1", str(list(self.block)), code="E0416")
        expect(
            self.keeps(size),
            f"padding that keeps the size, {[-(-h // u) for h, u in zip(size, self.stride)]}, for blocks",
            str(list(self.output(size))),
            "Pad as much as the kernel reaches, or leave the blocks out.",
            code="E0453",
        )


@dataclass(frozen=True)
class Cell:
    """A block of a window's outputs: where they lie, which inputs they see, and the window that makes them of these."""

    out: tuple[slice, ...]
    input: tuple[slice, ...]
    window: Window


def _range(span: tuple[int, int]) -> slice:
    return slice(span[0], sum(span))


@irdl_attr_definition
class WindowAttr(Param):
    """A window: `<[3, 3], stride [2, 2], pad [1, 1, 1, 1], dilation [2, 2], block [28, 28], ceil>`; defaults are left out."""

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
        parts += [f"block {list(w.block)}"] if w.block else []
        return f"<{', '.join([*parts, *(['ceil'] if w.ceil else [])])}>"

    @classmethod
    def read(cls, parser: AttrParser) -> Window:
        with parser.in_angle_brackets():
            kernel = Ints.read(parser)
            given: dict[str, tuple[int, ...]] = {}
            ceil = False
            while parser.parse_optional_punctuation(","):
                word = parser.parse_keyword_in(("stride", "pad", "dilation", "block", "ceil"))
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
