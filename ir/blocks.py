"""Scales for blocks of a tensor (sub-channel quantization)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from dnnc.ir.codes import Scales, Shape, WeightCode, narrowest, numbers, print_parts, real_list, storage_of
from dnnc.ir.diagnostics import expect
from dnnc.ir.types import QuantType, bits, dtype, integer_range


@dataclass(frozen=True)
class Blocks:
    """real = s[b] * (q - z[b]), b the block of `size` an element lies in; the blocks in row-major order."""

    storage: TypeAttribute
    size: Shape
    scales: tuple[float, ...]
    zeros: tuple[int, ...]


@irdl_attr_definition
class BlockType(WeightCode):
    """Uniform with a scale a block: `!dnn.block<i4, [1, 32], [0.1, 0.2]>`, then `, [3, 0]` where zero points are not 0.

    The size of a block is one number a dimension; the last blocks of a dimension may be smaller. Scales are listed in
    row-major order of the blocks.
    """

    name = "dnn.block"
    data: Blocks

    @staticmethod
    def of(storage: TypeAttribute, size: Shape, scales: np.ndarray, zeros: np.ndarray | None = None) -> BlockType:
        """A type from the arrays of scales and zero points, one entry a block."""
        exact = tuple(float(s) for s in np.asarray(scales, np.float32).reshape(-1))
        z = (0,) * len(exact) if zeros is None else tuple(int(v) for v in np.asarray(zeros).reshape(-1))
        return BlockType(Blocks(storage, tuple(size), exact, z))

    def verify(self) -> None:
        b = self.data
        expect(isinstance(b.storage, IntegerType), "an integer storage type", b.storage, code="E0409")
        expect(bits(b.storage) <= 16, "a storage of at most 16 bits", b.storage, code="E0409")
        Scales(b.scales, 0).verify()
        same = len(b.scales) == len(b.zeros)
        expect(same, "as many zero points as scales", f"{len(b.zeros)} and {len(b.scales)}", code="E0409")
        expect(all(d > 0 for d in b.size), "blocks of at least one element", str(list(b.size)), code="E0409")
        low, high = integer_range(b.storage)
        inside = all(low <= z <= high for z in b.zeros)
        expect(inside, f"zero points in [{low}, {high}]", str(list(b.zeros[:4])), code="E0409")

    @property
    def table_bytes(self) -> int:
        zeros = -(-len(self.data.zeros) * bits(self) // 8) if any(self.data.zeros) else 0
        return 4 * len(self.data.scales) + zeros

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Blocks:
        with parser.in_angle_brackets():
            storage = storage_of(parser)
            size = tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer))
            parser.parse_punctuation(",")
            scales = Scales.of(numbers(parser)).values
            zeros = [0] * len(scales)
            if parser.parse_optional_punctuation(","):
                zeros = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)
            return Blocks(storage, size, scales, tuple(zeros))

    def print_parameter(self, printer: Printer) -> None:
        b = self.data
        zeros = [f"[{', '.join(map(str, b.zeros))}]"] if any(b.zeros) else []
        print_parts(printer, b.storage, f"[{', '.join(map(str, b.size))}]", f"[{real_list(b.scales)}]", *zeros)

    def grid(self, shape: Shape) -> Shape:
        """Number of blocks along each dimension of a tensor."""
        return tuple(-(-d // n) for d, n in zip(shape, self.data.size))

    def check(self, shape: Shape) -> None:
        size, n = self.data.size, len(self.data.scales)
        fits = len(size) == len(shape) and prod(self.grid(shape)) == n
        expect(fits, f"{n} blocks of {list(size)}", f"a tensor of shape {list(shape)}", code="E0408")

    def spread(self, values: Sequence[float] | Sequence[int] | np.ndarray, shape: Shape) -> np.ndarray:
        """One value a block as one value an element."""
        out = np.asarray(values).reshape(self.grid(shape))
        for axis, (d, n) in enumerate(zip(shape, self.data.size)):
            out = np.repeat(out, n, axis).take(np.arange(d), axis) if n > 1 else out
        return out

    def real(self, codes: np.ndarray) -> np.ndarray:
        centered = codes.astype(np.int32) - self.spread(self.data.zeros, codes.shape)
        return centered.astype(np.float32) * self.spread(np.asarray(self.data.scales, np.float32), codes.shape)

    def codes(self, x: np.ndarray) -> np.ndarray:
        steps = x.astype(np.float32) / self.spread(np.asarray(self.data.scales, np.float32), x.shape)
        q = np.rint(np.where(np.isnan(steps), 0, steps)) + self.spread(self.data.zeros, x.shape)
        return np.clip(q, *integer_range(self.data.storage)).astype(dtype(self))

    def integers(self, codes: np.ndarray, axis: int | None) -> tuple[np.ndarray, QuantType] | None:
        """s[b] = r[b] * s0[c] with whole r, s0 the greatest that divides the scales of channel c, makes (q - z) * r exact."""
        if axis is not None and self.data.size[axis] != 1:
            return None
        scales = np.asarray(self.data.scales, np.float32).reshape(self.grid(codes.shape))
        others = tuple(i for i in range(scales.ndim) if i != axis)
        divisor = common_divisor(scales, others)
        if divisor is None:
            return None
        factors = np.rint(scales / divisor).astype(np.int64)
        q = codes.astype(np.int64) - self.spread(self.data.zeros, codes.shape)
        whole = q * self.spread(factors, codes.shape)
        storage = narrowest(whole)
        if storage is None:
            return None
        return whole.astype(dtype(storage)), Scales.of(divisor, axis).uniform(storage)


def common_divisor(scales: np.ndarray, axes: tuple[int, ...]) -> np.ndarray | None:
    """The greatest float64 numbers of which float32 scales are whole multiples, over `axes`; None beyond 2^62 of the least bit."""
    fractions, exponents = np.frexp(scales.astype(np.float64))
    least = exponents.min()
    if exponents.max() - least > 38:
        return None
    whole = np.ldexp(fractions, exponents - least + 24).astype(np.int64)
    divisor = np.ldexp(np.gcd.reduce(whole, axis=axes, keepdims=True).astype(np.float64), least - 24)
    exact = divisor.astype(np.float32).astype(np.float64) == divisor
    return divisor if exact.all() else None
