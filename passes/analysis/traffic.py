"""DRAM bytes of a schedule: the sum over copies of bytes times the trips of the loops around them, clipping included."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.dialects.builtin import MemRefType, ModuleOp

from dnnc.ir.interpret import main_function
from dnnc.ir.sched import CopyOp, loops_around
from dnnc.ir.types import bits


@dataclass(frozen=True)
class Traffic:
    """Bytes moved between DRAM and chip."""

    read: int = 0
    write: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.read + other.read, self.write + other.write)


def copy_bytes(copy: CopyOp) -> int:
    """Bytes a copy moves in all: elements of its clipped tile, summed over every run of it."""
    loops = loops_around(copy)
    sums = [np.ones(len(loop.values), np.int64) for loop in loops]
    fixed = 1
    for s in copy.slices.data:
        if s.loop < 0:
            fixed *= s.at(0)[1]
        else:
            sums[s.loop] = sums[s.loop] * np.array([s.at(i)[1] for i in loops[s.loop].values], np.int64)
    type_ = (copy.source if copy.loads else copy.target).type
    assert isinstance(type_, MemRefType)
    return fixed * prod(int(s.sum()) for s in sums) * bits(type_.element_type) // 8


def copy_traffic(copy: CopyOp) -> Traffic:
    """The traffic of one copy."""
    n = copy_bytes(copy)
    return Traffic(read=n) if copy.loads else Traffic(write=n)


def traffic(module: ModuleOp) -> Traffic:
    """The traffic of the whole schedule."""
    copies = (op for op in main_function(module).walk() if isinstance(op, CopyOp))
    return sum((copy_traffic(c) for c in copies), Traffic())
