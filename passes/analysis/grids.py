"""What weights can be had of a code: for rows [G, M, K] of output channels the nearest ones, and their type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import TypeAttribute

from dnnc.ir.blocks import BlockType
from dnnc.ir.codes import (
    CodebookType,
    Pow2Type,
    Powers,
    Scaled,
    ScaledType,
    Scales,
    WeightCode,
    nearest_index,
    nearest_power,
)
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.types import UNSIGNED, float_range, saturated
from dnnc.passes.analysis.integer_weights import Rows

ALL = slice(None)
LEAST = 2.0**-12  # smallest scale of a row, of the layer's largest: biases are integers at this scale

Columns = slice | np.ndarray  # all columns, or one a group [G]


class Grid(ABC):
    """The weights to be had; each row [G, M] has scales of its own."""

    @abstractmethod
    def nearest(self, w: np.ndarray, columns: Columns = ALL) -> np.ndarray:
        """Those nearest to w: [G, M, K], or [G, M] of one column of each group."""

    @abstractmethod
    def type(self, op: Rows) -> WeightCode:
        """The element type of the weights of an operation."""

    @abstractmethod
    def mixed(self, better: np.ndarray, other: Grid) -> Grid:
        """The rows of the other where it is better, [G, M]."""


def channels(op: Rows) -> int:
    """The dimension of weights that output channels lie along."""
    return 0 if isinstance(op, ConvOp) or op.trans_b is not None else 1


def _along(scale: np.ndarray, w: np.ndarray) -> np.ndarray:
    return scale if w.ndim == scale.ndim else scale[..., None]


def largest(rows: np.ndarray) -> np.ndarray:
    """Max|w| of each row, none below 2^-12 of the layer's, and none 0."""
    largest = np.abs(rows).max(-1, initial=0)
    largest = np.maximum(largest, largest.max(initial=0) * LEAST)
    return np.where(largest > np.finfo(np.float32).tiny * 2**12, largest, 1.0)


def _float32(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32).astype(np.float64)


@dataclass(frozen=True)
class PowerGrid(Grid):
    """0 and +-s 2^k, k < 2^(bits-1) - 1, s of each row."""

    scale: np.ndarray
    bits: int

    @staticmethod
    def of(rows: np.ndarray, bits: int) -> PowerGrid:
        """All weights powers of two, the largest the one nearest to max|w|."""
        fraction, exponent = np.frexp(largest(rows))
        top = np.where(fraction >= 0.75, exponent, exponent - 1)
        return PowerGrid(np.ldexp(1.0, top - (2 ** (bits - 1) - 2)), bits)

    def nearest(self, w: np.ndarray, columns: Columns = ALL) -> np.ndarray:
        s = _along(self.scale, w)
        q = nearest_power(w / s, 2 ** (self.bits - 1) - 1)
        return np.sign(q) * np.ldexp(s, np.maximum(np.abs(q) - 1, 0).astype(np.int64)) * (q != 0)

    def type(self, op: Rows) -> WeightCode:
        return Pow2Type(Powers(IntegerType(self.bits), Scales.of(self.scale, channels(op))))

    def mixed(self, better: np.ndarray, other: Grid) -> Grid:
        assert isinstance(other, PowerGrid)
        return replace(self, scale=np.where(better, other.scale, self.scale))

    def times(self, factor: float) -> PowerGrid:
        """The same with scales `factor` times as large."""
        return replace(self, scale=_float32(self.scale * factor))


@dataclass(frozen=True)
class FloatGrid(Grid):
    """s times a float of few bits."""

    scale: np.ndarray
    storage: TypeAttribute

    @staticmethod
    def of(rows: np.ndarray, storage: TypeAttribute) -> FloatGrid:
        """max|w| is the largest float that is a power of two times it."""
        top = float_range(storage)[1]
        return FloatGrid(2.0 ** np.ceil(np.log2(largest(rows) / top)), storage)

    def nearest(self, w: np.ndarray, columns: Columns = ALL) -> np.ndarray:
        s = _along(self.scale, w)
        return saturated(w / s, self.storage).astype(np.float64) * s

    def type(self, op: Rows) -> WeightCode:
        return ScaledType(Scaled(self.storage, Scales.of(self.scale, channels(op))))

    def mixed(self, better: np.ndarray, other: Grid) -> Grid:
        assert isinstance(other, FloatGrid)
        return replace(self, scale=np.where(better, other.scale, self.scale))


@dataclass(frozen=True)
class BlockGrid(Grid):
    """s r q: q of `bits`, r a whole number of each block of columns, s of each row; r q fits int8."""

    scale: np.ndarray
    factors: np.ndarray  # [G, M, blocks]
    bits: int
    length: int
    window: tuple[int, ...]  # of a block in the weights of a convolution, without its channels

    @staticmethod
    def of(rows: np.ndarray, bits: int, block: int, window: tuple[int, ...], shrink: float = 1.0) -> BlockGrid:
        """Blocks of at least one input channel, of `block` weights if more fit; r the nearest to what holds max|w|."""
        taps = int(np.prod(window, dtype=int))
        length = min(max(1, block // taps) * taps, rows.shape[-1])
        starts = np.arange(0, rows.shape[-1], length)
        half = 2 ** (bits - 1) - 1
        wanted = np.maximum.reduceat(np.abs(rows), starts, axis=-1) * (shrink / half)
        most = 127 // half
        scale = _sixteen_bits(largest(rows) * (shrink / half / most))
        factors = np.clip(np.ceil(wanted / scale[..., None] - 1e-3), 1, most)
        return BlockGrid(scale, factors, bits, length, window)

    def nearest(self, w: np.ndarray, columns: Columns = ALL) -> np.ndarray:
        half = 2 ** (self.bits - 1) - 1
        s = self._scales(w, columns)
        return np.clip(np.rint(w / s), -half, half) * s

    def _scales(self, w: np.ndarray, columns: Columns) -> np.ndarray:
        if isinstance(columns, slice):
            factors = np.repeat(self.factors, self.length, -1)[..., : w.shape[-1]]
            return factors * self.scale[..., None]
        blocks = (columns // self.length)[:, None, None]
        return np.take_along_axis(self.factors, np.broadcast_to(blocks, (*self.scale.shape, 1)), 2)[..., 0] * self.scale

    def type(self, op: Rows) -> WeightCode:
        scales = self.factors * self.scale[..., None]
        storage = IntegerType(self.bits)
        if isinstance(op, ConvOp):
            taps = int(np.prod(self.window, dtype=int))
            return BlockType.of(storage, (1, self.length // taps, *self.window), scales)
        if op.trans_b is not None:
            return BlockType.of(storage, (1, self.length), scales)
        return BlockType.of(storage, (self.length, 1), scales[0].T)

    def mixed(self, better: np.ndarray, other: Grid) -> Grid:
        assert isinstance(other, BlockGrid)
        scale = np.where(better, other.scale, self.scale)
        return replace(self, scale=scale, factors=np.where(better[..., None], other.factors, self.factors))


def _sixteen_bits(x: np.ndarray) -> np.ndarray:
    """At least x, of 16 significant bits: whole multiples up to 2^8 are float32 values too."""
    fraction, exponent = np.frexp(x)
    return np.ldexp(np.ceil(fraction * 2**16) / 2**16, exponent)


@dataclass(frozen=True)
class BookGrid(Grid):
    """s v: v one of the values that all rows share, s of each row."""

    scale: np.ndarray
    values: np.ndarray
    bits: int

    def nearest(self, w: np.ndarray, columns: Columns = ALL) -> np.ndarray:
        s = _along(self.scale, w)
        return self.values[nearest_index(w / s, self.values)] * s

    def type(self, op: Rows) -> WeightCode:
        storage = IntegerType(self.bits, UNSIGNED)
        return CodebookType.of(storage, self.values, Scales.of(self.scale, channels(op)))

    def mixed(self, better: np.ndarray, other: Grid) -> Grid:
        assert isinstance(other, BookGrid)
        return replace(self, scale=np.where(better, other.scale, self.scale))

    def whole(self) -> BookGrid:
        """The nearest values that are whole numbers up to 127, at scales that make up for it: what int8 holds."""
        step = np.abs(self.values).max() / 127 or 1.0
        return replace(self, scale=_float32(self.scale * step), values=np.rint(self.values / step))
