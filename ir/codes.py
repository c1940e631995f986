"""Element types whose stored codes stand for real numbers in another way than by whole steps: powers of two, codebooks,
scaled floats, a real zero point. `dnnc.ir.blocks` has scales for blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from dnnc.ir.diagnostics import expect
from dnnc.ir.types import (
    I8,
    I16,
    UNSIGNED,
    Quantized,
    QuantType,
    along,
    bits,
    dtype,
    integer_range,
    is_float,
    real_text,
    saturated,
)

Shape = tuple[int, ...]


class Code(Quantized):
    """A quantized element that is not uniform along a channel: operations compute on its real numbers."""

    def check(self, shape: Shape) -> None:
        """Verify that scales fit a tensor of this shape."""
        raise NotImplementedError

    def real(self, codes: np.ndarray) -> np.ndarray:
        """The real numbers of codes, float32."""
        raise NotImplementedError


class WeightCode(Code):
    """A code that values can be put into, and that may stand for integers."""

    def codes(self, x: np.ndarray) -> np.ndarray:
        """The codes of the nearest real numbers."""
        raise NotImplementedError

    def integers(self, codes: np.ndarray, axis: int | None) -> tuple[np.ndarray, QuantType] | None:
        """Integers of at most 16 bits and the type, uniform along `axis`, that give the same real numbers; None if none do."""
        raise NotImplementedError


@dataclass(frozen=True)
class Scales:
    """s, or s[c] with c the index along `axis`: float32 values, positive and finite."""

    values: tuple[float, ...]
    axis: int | None = None

    @staticmethod
    def of(values: float | Sequence[float] | np.ndarray, axis: int | None = None) -> Scales:
        """The nearest float32 values."""
        return Scales(tuple(float(s) for s in np.asarray(values, np.float32).reshape(-1)), axis)

    @staticmethod
    def parse(parser: AttrParser) -> Scales:
        """`0.5`, or `axis 0, [0.5, 0.25]`."""
        if parser.parse_optional_keyword("axis") is None:
            return Scales.of(parser.parse_number())
        axis = parser.parse_integer()
        parser.parse_punctuation(",")
        return Scales.of(numbers(parser), axis)

    def text(self) -> str:
        """As `parse` reads it."""
        return real_list(self.values) if self.axis is None else f"axis {self.axis}, [{real_list(self.values)}]"

    def spread(self, rank: int) -> np.ndarray:
        """As float32 that broadcasts to a tensor."""
        s = np.asarray(self.values, np.float32)
        return s[0] if self.axis is None else along(s, self.axis, rank)

    def verify(self) -> None:
        """Verify the values on their own."""
        one = self.axis is not None or len(self.values) == 1
        expect(one, "one scale, or one an index of an axis", str(len(self.values)), code="E0409")
        fits = all(np.isfinite(s) and s > 0 for s in self.values)
        expect(fits, "positive finite scales", str(list(self.values[:4])), code="E0409")

    def check(self, shape: Shape) -> None:
        """Verify that they fit a tensor."""
        if self.axis is not None:
            n = len(self.values)
            fits = -1 < self.axis < len(shape) and shape[self.axis] == n
            expect(fits, f"dimension {self.axis} of size {n}, one scale each", str(list(shape)), code="E0408")

    def uniform(self, storage: TypeAttribute) -> QuantType:
        """The uniform type of these scales, zero point 0."""
        if self.axis is None:
            return QuantType.per_tensor(storage, self.values[0])
        return QuantType.per_channel(storage, self.values, self.axis)


def real_list(values: Sequence[float]) -> str:
    """Float32 values as text that reads back to the same bits."""
    return ", ".join(real_text(np.float32(v)) for v in values)


def numbers(parser: AttrParser) -> list[float]:
    """`[0.5, 0.25]`."""
    return parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_number)


def storage_of(parser: AttrParser) -> TypeAttribute:
    """`i4,`: the first part of every code."""
    storage = parser.parse_type()
    parser.parse_punctuation(",")
    return storage


def print_parts(printer: Printer, storage: TypeAttribute, *parts: str) -> None:
    """`<i4, part, ...>`."""
    with printer.in_angle_brackets():
        printer.print_attribute(storage)
        printer.print_string(", " + ", ".join(parts))


def narrowest(levels: np.ndarray | Sequence[int]) -> TypeAttribute | None:
    """The type of 8 or 16 bits that holds integers; None when they need more."""
    for storage in (I8, I16):
        low, high = integer_range(storage)
        if np.min(levels, initial=0) >= low and np.max(levels, initial=0) <= high:
            return storage
    return None


@dataclass(frozen=True)
class Powers:
    """real = s[c] * sign(q) * 2^(|q| - 1), 0 for q = 0."""

    storage: TypeAttribute
    scales: Scales


@irdl_attr_definition
class Pow2Type(WeightCode):
    """Zero or a signed power of two: `!dnn.pow2<i4, 0.25>` or `!dnn.pow2<i4, axis 0, [0.25, 0.5]>`; s * sign(q) * 2^(|q| - 1)."""

    name = "dnn.pow2"
    data: Powers

    def verify(self) -> None:
        s = self.data.storage
        signed = isinstance(s, IntegerType) and s.signedness.data is not UNSIGNED and 2 <= bits(s) <= 8
        expect(signed, "a signed storage type of 2 to 8 bits", s, code="E0409")
        self.data.scales.verify()

    def check(self, shape: Shape) -> None:
        self.data.scales.check(shape)

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Powers:
        with parser.in_angle_brackets():
            return Powers(storage_of(parser), Scales.parse(parser))

    def print_parameter(self, printer: Printer) -> None:
        print_parts(printer, self.data.storage, self.data.scales.text())

    def levels(self, codes: np.ndarray) -> np.ndarray:
        """sign(q) * 2^(|q| - 1), float64."""
        q = codes.astype(np.int64)
        return np.sign(q) * np.ldexp(1.0, np.maximum(np.abs(q) - 1, 0))

    def real(self, codes: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return self.levels(codes).astype(np.float32) * self.data.scales.spread(codes.ndim)

    def codes(self, x: np.ndarray) -> np.ndarray:
        steps = x.astype(np.float64) / self.data.scales.spread(x.ndim)
        return nearest_power(steps, integer_range(self.data.storage)[1]).astype(dtype(self))

    def integers(self, codes: np.ndarray, axis: int | None) -> tuple[np.ndarray, QuantType] | None:
        levels = self.levels(codes)
        storage = narrowest(levels)
        if storage is None:
            return None
        return levels.astype(dtype(storage)), self.data.scales.uniform(storage)


def nearest_power(x: np.ndarray, most: int) -> np.ndarray:
    """The q in [-most, most] whose sign(q) * 2^(|q| - 1) is nearest to x; 3 * 2^(k-2), in the middle, goes up."""
    x = np.nan_to_num(x, nan=0.0)
    fraction, exponent = np.frexp(np.abs(x))  # |x| = fraction * 2^exponent, fraction in [1/2, 1)
    q = np.where(np.abs(x) < 0.5, 0, np.clip(exponent + (fraction >= 0.75), 1, most))
    return np.sign(x) * q


@dataclass(frozen=True)
class Codebook:
    """real = s[c] * values[q]."""

    storage: TypeAttribute
    values: tuple[float, ...]
    scales: Scales


@irdl_attr_definition
class CodebookType(WeightCode):
    """An index into shared values: `!dnn.codebook<ui2, [-1.0, 0.0, 0.5, 2.0], 0.1>`, or with scales `axis 0, [0.1, 0.2]`."""

    name = "dnn.codebook"
    data: Codebook

    @staticmethod
    def of(storage: TypeAttribute, values: Sequence[float] | np.ndarray, scales: Scales) -> CodebookType:
        """A type from the nearest float32 values."""
        return CodebookType(Codebook(storage, tuple(float(v) for v in np.asarray(values, np.float32)), scales))

    def verify(self) -> None:
        s, n = self.data.storage, len(self.data.values)
        unsigned = isinstance(s, IntegerType) and s.signedness.data is UNSIGNED and bits(s) <= 8
        expect(unsigned, "an unsigned storage type of at most 8 bits", s, code="E0409")
        expect(0 < n <= 2 ** bits(s), f"1 to {2 ** bits(s)} values", str(n), code="E0409")
        expect(all(map(np.isfinite, self.data.values)), "finite values", str(list(self.data.values[:4])), code="E0409")
        self.data.scales.verify()

    def check(self, shape: Shape) -> None:
        self.data.scales.check(shape)

    @property
    def table_bytes(self) -> int:
        return 4 * len(self.data.values)

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Codebook:
        with parser.in_angle_brackets():
            storage = storage_of(parser)
            values = Scales.of(numbers(parser)).values
            parser.parse_punctuation(",")
            return Codebook(storage, values, Scales.parse(parser))

    def print_parameter(self, printer: Printer) -> None:
        print_parts(printer, self.data.storage, f"[{real_list(self.data.values)}]", self.data.scales.text())

    def real(self, codes: np.ndarray) -> np.ndarray:
        values = np.asarray(self.data.values, np.float32)
        return values[codes.astype(np.intp)] * self.data.scales.spread(codes.ndim)

    def codes(self, x: np.ndarray) -> np.ndarray:
        steps = x.astype(np.float64) / self.data.scales.spread(x.ndim)
        return nearest_index(np.nan_to_num(steps, nan=0.0), np.asarray(self.data.values)).astype(dtype(self))

    def integers(self, codes: np.ndarray, axis: int | None) -> tuple[np.ndarray, QuantType] | None:
        values = np.asarray(self.data.values)
        storage = narrowest(values) if np.all(values == np.rint(values)) else None
        if storage is None:
            return None
        return values[codes.astype(np.intp)].astype(dtype(storage)), self.data.scales.uniform(storage)


def nearest_index(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The index of the value nearest to each x."""
    order = np.argsort(values, kind="stable")
    middles = (values[order][1:] + values[order][:-1]) / 2
    return order[np.searchsorted(middles, x)]


@dataclass(frozen=True)
class Scaled:
    """real = s[c] * q, q a float of few bits."""

    storage: TypeAttribute
    scales: Scales


@irdl_attr_definition
class ScaledType(WeightCode):
    """A float of few bits with a scale: `!dnn.scaled<f8E4M3FN, 0.5>` or `!dnn.scaled<bf16, axis 0, [0.5, 0.25]>`."""

    name = "dnn.scaled"
    data: Scaled

    def verify(self) -> None:
        few = is_float(self.data.storage) and bits(self.data.storage) <= 16
        expect(few, "a float storage type of 8 or 16 bits", self.data.storage, code="E0409")
        self.data.scales.verify()

    def check(self, shape: Shape) -> None:
        self.data.scales.check(shape)

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Scaled:
        with parser.in_angle_brackets():
            return Scaled(storage_of(parser), Scales.parse(parser))

    def print_parameter(self, printer: Printer) -> None:
        print_parts(printer, self.data.storage, self.data.scales.text())

    def real(self, codes: np.ndarray) -> np.ndarray:
        return codes.astype(np.float32) * self.data.scales.spread(codes.ndim)

    def codes(self, x: np.ndarray) -> np.ndarray:
        return saturated(x.astype(np.float32) / self.data.scales.spread(x.ndim), self.data.storage)

    def integers(self, codes: np.ndarray, axis: int | None) -> tuple[np.ndarray, QuantType] | None:
        return None


@dataclass(frozen=True)
class Line:
    """real = slope * q + bias."""

    storage: TypeAttribute
    slope: float
    bias: float


@irdl_attr_definition
class FixedType(Code):
    """Fixed point with slope and bias, of a graph input: `!dnn.fixed<ui8, 0.0078125, -1.0>`; slope * q + bias.

    With a bias that is a whole multiple of the slope it is the uniform type, which stands anywhere.
    """

    name = "dnn.fixed"
    data: Line

    @staticmethod
    def of(storage: TypeAttribute, slope: float, bias: float) -> FixedType:
        """A type from the nearest float32 values."""
        return FixedType(Line(storage, float(np.float32(slope)), float(np.float32(bias))))

    def verify(self) -> None:
        q = self.data
        narrow = isinstance(q.storage, IntegerType) and bits(q.storage) <= 16
        expect(narrow, "an integer storage type of at most 16 bits", q.storage, code="E0409")
        Scales((q.slope,)).verify()
        expect(bool(np.isfinite(q.bias)), "a finite bias", str(q.bias), code="E0409")

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Line:
        with parser.in_angle_brackets():
            storage = storage_of(parser)
            slope = parser.parse_number()
            parser.parse_punctuation(",")
            return Line(storage, float(np.float32(slope)), float(np.float32(parser.parse_number())))

    def print_parameter(self, printer: Printer) -> None:
        print_parts(printer, self.data.storage, real_list((self.data.slope,)), real_list((self.data.bias,)))

    def check(self, shape: Shape) -> None:
        """One slope and bias fit every shape."""

    def real(self, codes: np.ndarray) -> np.ndarray:
        return codes.astype(np.float32) * np.float32(self.data.slope) + np.float32(self.data.bias)
