"""Data movement without arithmetic: tiles of a loop nest of strides come on chip and leave for another place in DRAM.

%y = dnn.transpose %x    ->    sched.loop %i = 0 to 96 step 32 {
sched.copy %x.part to %tile at (%i) [...]
sched.copy %tile to %y.part at (%i) [...]
}
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import LocationAttr, MemRefType
from xdsl.ir import Attribute, Block, SSAValue

from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import Finding, UnsupportedError
from dnnc.ir.dnn.movement import Strided
from dnnc.ir.sched import BufferOp, CopyOp, LoopOp, Slice, SlicesAttr, ViewOp, buffer_of
from dnnc.ir.types import QuantType, bits
from dnnc.passes.analysis.tiling import ALIGN

LONGEST, LONGEST_RUN = 4095, 65535
"""Extent of a dimension and bytes of a run in one transfer; a test compares them with the instruction set."""

TOGETHER = 64
"""Bytes that lie together where a move reads come in one transfer before it grows where it writes: no burst for a byte."""


@dataclass(frozen=True)
class Dim:
    """A loop of a move: trip count, and strides where it reads and where it writes."""

    size: int
    read: int
    write: int


def nest_of(read: Strided, write: Strided) -> list[Dim]:
    """The loops of a move, outermost first: those of one trip dropped, those that touch on both sides made one."""
    found: list[Dim] = []
    for d in map(Dim, read.shape, read.strides, write.strides):
        if d.size == 1:
            continue
        last = found[-1] if found else None
        if last and last.read == d.size * d.read and last.write == d.size * d.write:
            found[-1] = Dim(last.size * d.size, d.read, d.write)
        else:
            found.append(d)
    return found or [Dim(1, 1, 1)]


def tile_of(dims: list[Dim], capacity: int, each: int = 1) -> list[int]:
    """Trips of each loop that one transfer takes: those read together, then the innermost; repeats of a read take none.

    `capacity` and what a transfer can say are in bytes, `each` of them an element.
    """
    tile, left = [1] * len(dims), capacity // each
    run = dims[-1].read == dims[-1].write == 1
    slots = 4 if run else 3
    near = min(range(len(dims)), key=lambda i: (dims[i].read or 1 << 62, -i))
    if not run and near < len(dims) - 1 and left > 1:
        tile[near] = min(dims[near].size, TOGETHER // each, left)
        left, slots = left // tile[near], slots - 1
    for i in reversed(range(len(dims))):
        left, slots = (left * tile[i], slots + 1) if tile[i] > 1 else (left, slots)
        if not slots or left < 2:
            break
        if dims[i].read:
            longest = LONGEST_RUN // each if run and i == len(dims) - 1 else LONGEST
            tile[i] = min(dims[i].size, longest, left)
            left, slots = left // tile[i], slots - 1
            if tile[i] < dims[i].size:
                break
    return tile


class Mover:
    """Emits moves for one target."""

    def __init__(self, arch: Accelerator, block: Block) -> None:
        self.block = block
        self.fit(arch)

    def fit(self, arch: Accelerator) -> None:
        """Keep the tiles of the moves to come within the memory of inputs."""
        self.capacity = max(1, arch.holding("input").bytes // 2 - ALIGN)

    def move(
        self,
        name: str,
        where: LocationAttr,
        source: SSAValue,
        read: Strided,
        target: SSAValue,
        write: Strided,
    ) -> None:
        """Copy the elements of one strided part of a buffer to another of the same shape, both off chip; the name is the tile's."""
        if buffer_of(source).on_chip or buffer_of(target).on_chip:
            text = "a value off chip was expected, not one that stays on chip in an order its reader does not take"
            todo = "Take the mark 'dnn.on_chip' from the group that makes it."
            raise UnsupportedError(Finding(name, f"{text}. {todo}", "E0804"))
        dims = nest_of(read, write)
        # what repeats is stored again and again from one load
        dims = [d for d in dims if d.read] + [d for d in dims if not d.read]
        if not any(d.read for d in dims):
            dims = [Dim(1, 1, 1), *dims]
        varying = [d for d in dims if d.read]
        element = _element(source)
        tile = tile_of(varying, self.capacity, bits(element) // 8) + [1] * (len(dims) - len(varying))
        loops = [LoopOp(d.size, t, f"i{k}") if t < d.size else None for k, (d, t) in enumerate(zip(dims, tile))]
        outer = loops[: len(varying)]
        shape = tuple(d.size for d in dims)
        reads = self._part(source, Strided(shape[: len(varying)], tuple(d.read for d in varying), read.offset))
        writes = self._part(target, Strided(shape, tuple(d.write for d in dims), write.offset))
        chip = BufferOp(name, "input", element, tile, 2 if any(outer) else 1)
        self.block.add_op(chip)
        inside = _enter(self.block, outer)
        load = self._copy(reads, chip.result, outer, tile[: len(varying)], shape, where)
        inside.add_op(load)
        innermost = _enter(inside, loops[len(varying) :])
        innermost.add_op(self._copy(chip.result, writes, loops, tile, shape, where))

    def fill(
        self, name: str, where: LocationAttr, constant: SSAValue, tile: list[int], target: SSAValue, write: Strided
    ) -> None:
        """Store a constant tile all over a strided part of a buffer."""
        loops = [LoopOp(n, t, f"i{k}") if t < n else None for k, (n, t) in enumerate(zip(write.shape, tile))]
        chip = BufferOp(f"{name}.fill", "input", _element(constant), tile)
        self.block.add_op(chip)
        self.block.add_op(self._copy(constant, chip.result, [], tile, tuple(tile), where))
        part = self._part(target, write)
        innermost = _enter(self.block, loops)
        innermost.add_op(self._copy(chip.result, part, loops, tile, write.shape, where))

    def _part(self, buffer: SSAValue, layout: Strided) -> SSAValue:
        view = ViewOp(buffer, layout)
        self.block.add_op(view)
        return view.result

    def _copy(
        self,
        source: SSAValue,
        target: SSAValue,
        loops: list[LoopOp | None],
        tile: list[int],
        shape: tuple[int, ...],
        where: LocationAttr,
    ) -> CopyOp:
        there = [loop for loop in loops if loop]
        slices = []
        for k, (size, extent) in enumerate(zip(tile, shape)):
            loop = loops[k] if k < len(loops) else None
            slices.append(Slice(0, size, extent, 1, there.index(loop)) if loop else Slice(0, size, extent))
        copy = CopyOp(source, target, [loop.index for loop in there], SlicesAttr(tuple(slices)))
        copy.location = where
        return copy


def _enter(block: Block, loops: list[LoopOp | None]) -> Block:
    """The body of the innermost of nested loops added to a block."""
    for loop in loops:
        if loop:
            block.add_op(loop)
            block = loop.body.block
    return block


def _element(buffer: SSAValue) -> Attribute:
    """What a buffer's elements are stored as."""
    type_ = buffer.type
    assert isinstance(type_, MemRefType)
    return type_.element_type.storage if isinstance(type_.element_type, QuantType) else type_.element_type


def fill_tile(layout: Strided, capacity: int, each: int) -> tuple[Strided, list[int]]:
    """(the layout with touching dimensions made one, trips of each that one transfer stores)."""
    dims = nest_of(layout, layout)
    tile = tile_of(dims, min(capacity, LONGEST_RUN), each)
    return Strided(tuple(d.size for d in dims), tuple(d.write for d in dims), layout.offset), tile
