"""DRAM bytes of a schedule: the sum over copies of bytes times the trips of the loops around them, clipping included."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.dialects.builtin import MemRefType, ModuleOp
from xdsl.ir import SSAValue

from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, buffer_of, layout_of, loops_around
from dnnc.ir.types import bits
from dnnc.passes.analysis.blocks import runs_of_a_tile
from dnnc.passes.analysis.strides import reshaped


@dataclass(frozen=True)
class Traffic:
    """Bytes moved between DRAM and chip."""

    read: int = 0
    write: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.read + other.read, self.write + other.write)


def copy_bytes(copy: CopyOp) -> int:
    """Bytes a copy moves in all: elements of its clipped tile, or its block, summed over every run of it."""
    if copy.coded is not None:
        return sum(copy.coded.data.sizes) * runs_of_a_tile(copy)
    loops = loops_around(copy)
    sums = [np.ones(len(loop.values), np.int64) for loop in loops]
    fixed = 1
    for s in copy.slices.data:
        if s.loop < 0:
            fixed *= s.at(0)[1]
        else:
            sums[s.loop] = sums[s.loop] * np.array([s.at(i)[1] for i in loops[s.loop].values], np.int64)
    return _bytes(copy, fixed * prod(int(s.sum()) for s in sums))


def bus_bytes(copy: CopyOp, burst: int) -> int:
    """Bytes of the bus that a copy takes: whole bursts for the contiguous pieces in DRAM of its tiles, taken to be full ones.

    Of a tile whose place has no strides by its own dimensions, the bytes it moves.
    """
    moved, slices = copy_bytes(copy), copy.slices.data
    layout = reshaped(layout_of(_outside(copy)), tuple(s.extent for s in slices))
    if layout is None:
        return moved
    piece = 1
    for stride, size in sorted((n, s.size) for n, s in zip(layout.strides, slices) if s.size > 1):
        if stride != piece:
            break
        piece *= size
    piece = _bytes(copy, piece)
    return -(-moved // piece) * -(-piece // burst) * burst


def needed_bytes(copy: CopyOp) -> int:
    """Bytes a copy moves that differ: elements that some run of it touches, or blocks, each once."""
    if copy.coded is not None:
        return sum(copy.coded.data.sizes)
    loops, count = loops_around(copy), 1
    for s in copy.slices.data:
        intervals = [s.at(i) for i in (loops[s.loop].values if s.loop >= 0 else (0,))]
        count *= covered(intervals)
    return _bytes(copy, count)


def covered(intervals: Iterable[tuple[int, int]]) -> int:
    """Length of a union of (first, count)."""
    total, end = 0, 0
    for first, count in sorted(intervals):
        total += max(0, first + count - max(first, end))
        end = max(end, first + count)
    return total


def _outside(copy: CopyOp) -> SSAValue:
    return copy.source if copy.loads else copy.target


def _bytes(copy: CopyOp, elements: int) -> int:
    type_ = _outside(copy).type
    assert isinstance(type_, MemRefType)
    return elements * bits(type_.element_type) // 8


def copy_traffic(copy: CopyOp) -> Traffic:
    """The traffic of one copy."""
    n = copy_bytes(copy)
    return Traffic(read=n) if copy.loads else Traffic(write=n)


def traffic(module: ModuleOp) -> Traffic:
    """The traffic of the whole schedule."""
    copies = (op for op in main_function(module).walk() if isinstance(op, CopyOp))
    return sum((copy_traffic(c) for c in copies), Traffic())


@dataclass(frozen=True)
class LayerTraffic:
    """What one layer of a schedule moves, |I| + |W| + |O|: what it would move if nothing moved twice, and its constants of it."""

    traffic: Traffic = Traffic()
    compulsory: int = 0
    constants: int = 0


def traffic_by_layer(module: ModuleOp) -> dict[str, LayerTraffic]:
    """The traffic of each layer of a schedule, by the name its instructions are tagged with."""
    ops = list(main_function(module).walk())
    layer: dict[BufferOp, str] = {}
    for compute in (op for op in ops if isinstance(op, ComputeOp)):
        for buffer in compute.own():
            layer.setdefault(buffer, compute.label.data)  # a buffer that several read is the first one's
    moved: dict[str, Traffic] = {}
    needed: dict[str, dict[tuple[SSAValue, bool], int]] = {}
    for copy in (op for op in ops if isinstance(op, CopyOp)):
        name = _layer_of(copy, layer)
        moved[name] = moved.get(name, Traffic()) + copy_traffic(copy)
        once, place = needed.setdefault(name, {}), (_outside(copy), copy.loads)
        once[place] = max(once.get(place, 0), needed_bytes(copy))
    return {name: LayerTraffic(t, sum(needed[name].values()), _constants(needed[name])) for name, t in moved.items()}


def _constants(needed: dict[tuple[SSAValue, bool], int]) -> int:
    return sum(n for (value, _), n in needed.items() if buffer_of(value).constant is not None)


def _layer_of(copy: CopyOp, layer: dict[BufferOp, str]) -> str:
    chip = buffer_of(copy.target if copy.loads else copy.source)
    return layer.get(chip, chip.label.data)
