"""What one group computes, as plain numbers: the shape that tiling searches over.

A layer is an optional contraction (convolution, depthwise convolution, matrix product) of int8 values into int32 sums, a
summing pool, a requantize, a table, a second operand, and an optional max-pool: what the accelerator runs as one unit.
`dnnc.passes.analysis.group` reads it off a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.movement import Strided
from dnnc.ir.fixed import RECORD
from dnnc.ir.hashing import hash_once
from dnnc.passes.analysis.strides import reshaped

UNIT = Window.of((1, 1))

AXES = "ngcyx"
"""The letters of a tensor's dimensions: image, group, channel, row, column."""


@dataclass(frozen=True)
class Rows:
    """The rows, or columns, of one tile at every stage: pooled ones, those of sums and of the input, padding around them."""

    out: tuple[int, int]
    sums: tuple[int, int]
    input: tuple[int, int]
    pad: tuple[int, int]
    pool_pad: tuple[int, int]


@hash_once
@dataclass(frozen=True)
class Layer:
    """A group in the letters of the field: N images, M output and C input channels of each of `groups` parts, H x W in.

    `window` makes the E x F sums, `pool` makes the output rows of them; both 2-D. A matrix product has its N rows as H,
    its batch as groups and `matrix` set; in memory it is [H, C] -> [H, M] where a convolution is [C, H, W] -> [M, E, F].
    `second` has the letters of `AXES` along which a second operand varies. `constants` counts the requantize records of
    a layer that sums nothing. `vector` names a softmax or normalization over the rows and columns of each channel, with
    `affine` records. A requantize record has `record` bytes, those of all thresholds of a channel where `levels` of them
    stand in for the requantize. A `wide` layer gives its int32 sums as they are. Of a bitwise layer channels of the input and
    the weights are bytes of `values` each; `packs` channels of the output are one byte. `widths` are the bytes of an element
    of the input, the second operand and the output.
    """

    name: str
    kind: str  # dense, depthwise, or none when nothing is summed
    N: int
    groups: int
    M: int
    C: int
    H: int
    W: int
    window: Window = UNIT
    pool: Window = UNIT
    matrix: bool = False
    in_major: bool = False
    table_bytes: int = 0
    pooling: str = "max"
    second: str | None = None
    constants: int = 0
    vector: str = ""
    affine: int = 0
    record: int = RECORD.itemsize
    levels: int = 0
    wide: bool = False
    values: int = 1
    packs: int = 1
    widths: tuple[int, int, int] = (1, 1, 1)

    @property
    def pooled(self) -> bool:
        """Whether there is a pool."""
        return self.pool != UNIT

    @property
    def records(self) -> int:
        """Requantize records of the whole layer."""
        if self.wide:
            return 0
        return self.constants if self.kind == "none" else self.groups * self.M

    @cached_property
    def sums(self) -> tuple[int, int]:
        """E x F, the rows and columns of the sums."""
        e, f = self.window.output((self.H, self.W))
        return e, f

    @cached_property
    def out(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        e, f = self.pool.output(self.sums)
        return e, f

    @property
    def summed_first(self) -> bool:
        """Whether the pool sums, and so comes before the requantize and the second operand."""
        return self.pooled and self.pooling == "sum"

    def bytes_of(self, role: str) -> int:
        """Bytes of an element of the input, the second operand or the output."""
        return 4 if self.wide and role == "output" else self.widths[("input", "second", "output").index(role)]

    @property
    def taps(self) -> int:
        """R * S."""
        return prod(self.window.kernel)

    @property
    def summed(self) -> int:
        """Input channels that a sum is over: of each output channel its own one when depthwise."""
        return self.C if self.kind == "dense" else 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates without halo recompute."""
        return (
            0
            if self.kind == "none"
            else self.N * self.groups * self.M * prod(self.sums) * self.summed * self.taps * self.values
        )

    def rows(self, first: int, count: int) -> Rows:
        """Rows of the tile that makes output rows [first, first + count), of all blocks that windows without any would meet."""
        return self._whole.span(0, first, count)

    @cached_property
    def _whole(self) -> Layer:
        """The layer without blocks."""
        blocks = self.window.block or self.pool.block
        return replace(self, window=self.window.whole, pool=self.pool.whole) if blocks else self

    def span(self, axis: int, first: int, count: int) -> Rows:
        """Rows (axis 0) or columns (axis 1) that make [first, first + count) of the output's: of its blocks alone."""
        sums, pool_pad = self.pool.reach((first, count), self.sums[axis], axis)
        inputs, pad = self.window.reach(sums, (self.H, self.W)[axis], axis)
        return Rows((first, count), sums, inputs, pad, pool_pad)

    def columns(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """(left, right) padding of the input and of the pool, for the full width."""
        _, pool_pad = self.pool.reach((0, self.out[1]), self.sums[1], 1)
        _, pad = self.window.reach((0, self.sums[1]), self.W, 1)
        return pad, pool_pad

    def sizes(self, role: str) -> dict[str, int]:
        """Extents of an operand by letter; 1 where a second operand does not vary."""
        rows, columns = {"input": (self.H, self.W), "output": self.out}.get(role, self.beside)
        channels = {"input": self.C, "output": self.M // self.packs}.get(role, self.M)
        found = dict(zip(AXES, (self.N, self.groups, channels, rows, columns)))
        if role == "second":
            found = {letter: n if letter in (self.second or "") else 1 for letter, n in found.items()}
        return found

    @property
    def beside(self) -> tuple[int, int]:
        """Rows and columns of the values a second operand meets."""
        return self.out if self.summed_first else self.sums

    def strides(self, role: str, layout: Strided) -> dict[str, int] | None:
        """Element strides of an operand by letter, for the tensor that lies in DRAM; None when it has no such strides."""
        if role == "weight":
            return self.weight_strides(layout)
        sizes = self.sizes(role)
        order = "ngycx" if self.matrix else AXES
        found = reshaped(layout, tuple(sizes[letter] for letter in order))
        if found is None:
            return None
        strides = dict(zip(order, found.strides))
        run = "c" if self.matrix else "x"
        return strides if sizes[run] == 1 or strides[run] == 1 else None

    def weight_strides(self, layout: Strided) -> dict[str, int] | None:
        """Element strides of the weights: of a group, and of rows of contiguous ones."""
        line = (self.C if self.kind == "dense" else 1) * self.taps
        rows, run = (line, self.M) if self.in_major else (self.M, line)
        found = reshaped(layout, (self.groups, rows, run))
        if found is None or (run > 1 and found.strides[2] != 1):
            return None
        return dict(zip(("g", "row"), found.strides))


def laid(layer: Layer, layouts: Mapping[str, Strided]) -> Layer | None:
    """A layer over parts of buffers: as it is, or its values as rows of channels; None when neither reads them."""
    for form in (layer, _rows(layer, layouts["output"].shape)):
        if form is not None and all(form.strides(role, layout) is not None for role, layout in layouts.items()):
            return form
    return None


def _rows(layer: Layer, shape: tuple[int, ...]) -> Layer | None:
    """Values, one beside the other, as rows of the last dimension."""
    alone = layer.kind != "none" or layer.matrix or layer.pooled or layer.vector or layer.constants > 1
    if alone or layer.second not in (None, "cyx", "ngcyx") or not shape:
        return None
    *rows, channels = shape
    second = None if layer.second is None else "ngcyx"
    return replace(layer, N=1, groups=1, M=channels, C=channels, H=prod(rows), W=1, matrix=True, second=second)
