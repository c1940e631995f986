"""The blocks of a coded copy: which loops number them, and which block a run of the copy moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod

from xdsl.ir import SSAValue

from dnnc.ir.sched import CopyOp, LoopOp, loops_around


def moving_loops(copy: CopyOp) -> list[int]:
    """The loops around a copy that move its tile, outermost first, by their places among its indices."""
    return sorted({s.loop for s in copy.slices.data if s.loop >= 0})


def _loop_of(copy: CopyOp, place: int) -> LoopOp:
    return next(loop for loop in loops_around(copy) if loop.index is copy.indices[place])


def tiles(copy: CopyOp) -> Iterator[tuple[tuple[int, int], ...]]:
    """(first, count) of each slice of every tile, in the order of the blocks."""
    places = moving_loops(copy)
    for values in product(*(_loop_of(copy, p).values for p in places)):
        at = dict(zip(places, values))
        yield tuple(s.at(at.get(s.loop, 0)) for s in copy.slices.data)


def runs_of_a_tile(copy: CopyOp) -> int:
    """How often each tile moves: the trips of the loops around that do not move it."""
    moving = {copy.indices[p] for p in moving_loops(copy)}
    return prod(len(loop.values) for loop in loops_around(copy) if loop.index not in moving)


def block(copy: CopyOp, env: Mapping[SSAValue, int]) -> tuple[int, int]:
    """(first byte, bytes) of the block that a copy moves where the loops stand."""
    assert copy.coded is not None
    number = 0
    for place in moving_loops(copy):
        loop = _loop_of(copy, place)
        number = number * len(loop.values) + loop.values.index(env[loop.index])
    blocks = copy.coded.data
    return blocks.starts[number], blocks.sizes[number]
