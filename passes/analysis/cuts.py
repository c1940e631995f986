"""How a stack of layers may be cut into steps: what every tensor holds, and the least bytes and cycles of each cut.

Every cut of the output into rows and columns is looked at, rolling or with halo, all at once; those that may fit come in the
order of a lower bound of their DRAM bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from dnnc.ir.arch import Accelerator
from dnnc.passes.analysis import timing
from dnnc.passes.analysis.candidates import splits
from dnnc.passes.analysis.stack import Int, Reach, Stack, Tensor, covered, reaches, warm_up
from dnnc.passes.analysis.step_tiles import aligned, least_cycles, weight_bytes
from dnnc.passes.analysis.tiling import MAX_COLUMNS, MAX_ROWS

LOOKED_AT = 48
"""Cuts whose tiles are chosen, the best by their bound first."""


@dataclass(frozen=True)
class Cut:
    """A cut of the output, with what every tensor holds along each axis."""

    stack: Stack
    rows: int
    columns: int
    rolls: bool
    reach: tuple[tuple[Reach, ...], tuple[Reach, ...]]

    @cached_property
    def early(self) -> int:
        """Steps before the one that makes the first row."""
        return int(warm_up(list(self.reach[0]))) if self.rolls else 0

    @cached_property
    def steps(self) -> tuple[int, int]:
        """Trips of the loops over rows and over columns."""
        height, width = self.stack.output.size
        return -(-height // self.rows) + self.early, -(-width // self.columns)

    @cached_property
    def passes(self) -> int:
        """How often everything that is not resident comes."""
        return prod(self.steps) * self.stack.images

    def held(self, tensor: int, ahead: bool = False) -> tuple[int, int]:
        """Rows and columns of a tensor's buffer."""
        used, (y, x) = self.stack.used[tensor], (axis[tensor] for axis in self.reach)
        spare = int(y.step) * (self.rolls and ahead and self.waits(tensor))
        return min(int(y.size) + spare, used[0]), min(int(x.size), used[1])

    def waits(self, tensor: int) -> bool:
        """Whether a tensor comes from or goes to DRAM, so that rows to spare let transfers run beside the rest."""
        return self.stack.waits(tensor)

    def made(self, tensor: int) -> tuple[int, int]:
        """Rows and columns of a tensor that a step makes."""
        used, (y, x) = self.stack.used[tensor], (axis[tensor] for axis in self.reach)
        return int(y.high - y.fresh), min(int(x.size), used[1])

    def bytes(self, tensor: int, ahead: bool = False) -> int:
        """Bytes of a tensor's buffer; none of one that stays on chip, which is not the stack's."""
        info = self.stack.tensors[tensor]
        return 0 if info.stays else aligned(info.channels * prod(self.held(tensor, ahead)))

    def moved(self, tensor: int) -> int:
        """Bytes loaded or stored of a tensor."""
        used = self.stack.used[tensor]
        sums = [
            covered(int(r.fresh - self.early * r.step * (axis == 0)), int(r.high - r.fresh), int(r.step), n, trips)
            for axis, (r, n, trips) in enumerate(zip((a[tensor] for a in self.reach), used, self.steps))
        ]
        return self.stack.images * self.stack.tensors[tensor].channels * prod(sums)


@dataclass(frozen=True)
class Bounded:
    """A cut, and the least bytes and cycles that any plan of it takes; of plans that are alike the lowest `rank` is meant."""

    dram_bytes: int
    cycles: int
    rank: int
    cut: Cut


def cuts(stack: Stack, arch: Accelerator, most: int, most_cycles: int) -> Iterator[Bounded]:
    """Cuts that may fit within some bytes and cycles, those that move the least first, of as many those of fewest cycles.

    Larger steps have a lower rank.
    """
    height, width = stack.output.size
    rows, columns = (g.reshape(-1) for g in np.meshgrid(splits(height), splits(width), indexing="ij"))
    found = []
    for rolls in (False, True) if stack.rolls else (False,):
        down, across = reaches(stack, 0, rows, rolls), reaches(stack, 1, columns, False)
        if down is None or across is None:
            return
        reach = down, across
        moved, fits = _bound(stack, reach, (rows, columns), rolls, arch)
        some = np.flatnonzero(fits & (moved <= most) & ~(rolls & (rows == height)))
        cycles = _least(stack, reach, (rows, columns), rolls, some, arch)
        for i, least in zip(some[cycles <= most_cycles], cycles[cycles <= most_cycles]):
            found.append((int(moved[i]), -int(rows[i] * columns[i]), int(rows[i]), int(columns[i]), rolls, int(least)))
    sides: dict[tuple[int, int, bool], tuple[Reach, ...]] = {}
    ranked = [(moved, least, rank, *cut) for rank, (moved, _, *cut, least) in enumerate(sorted(found)[:LOOKED_AT])]
    for moved, least, rank, high, wide, rolls in sorted(ranked):
        keys = _sides(high, wide, rolls)
        for key in keys:
            sides[key] = sides[key] if key in sides else _side(stack, *key)
        yield Bounded(moved, least, rank, Cut(stack, high, wide, rolls, (sides[keys[0]], sides[keys[1]])))


def _least(
    stack: Stack, reach: tuple[list[Reach], list[Reach]], size: tuple[Int, Int], rolls: bool, of: Int, arch: Accelerator
) -> Int:
    """The least cycles of some of the cuts: those of every layer's fastest tile, as often as it makes rows.

    What a step loads and stores runs beside no computing, of rolling rows in one step at least.
    """
    cycles = np.zeros(len(of), np.int64)
    steps = -(-stack.output.size[0] // size[0][of]) * -(-stack.output.size[1] // size[1][of])
    for m in stack.members if len(of) else ():
        (y, x), used = (axis[m.out] for axis in reach), stack.used[m.out]
        high, wide = np.minimum((y.high - y.fresh)[of], used[0]), np.minimum(x.size[of], used[1])
        times = np.maximum(-(-used[0] // high) * -(-used[1] // wide), 1 if rolls else steps)
        cycles = cycles + least_cycles(m.layer, high, wide, arch) * times
    cycles = cycles * stack.images
    for t in (t for t in range(len(stack.tensors)) if stack.waits(t)) if len(of) else ():
        (y, x), used = (axis[t] for axis in reach), stack.used[t]
        made = np.minimum((y.high - y.fresh)[of], used[0]), np.minimum(x.size[of], used[1])
        alone = timing.dma_cycles(*runs(stack.tensors[t], *made), arch)
        cycles = cycles + alone * (1 if rolls else steps * stack.images)
    return cycles


def runs(tensor: Tensor, rows: Int, columns: Int) -> tuple[Int, Int]:
    """(bytes of a run, runs) of some rows and columns of a tensor off chip: whole rows touch, parts of rows do not."""
    whole = np.asarray(columns >= tensor.size[1])
    return np.where(whole, rows * columns, columns), np.where(whole, 1, rows) * tensor.channels


def _sides(rows: int, columns: int, rolls: bool) -> tuple[tuple[int, int, bool], tuple[int, int, bool]]:
    """Axis, size and whether it rolls, of both sides of a cut."""
    return (0, rows, rolls), (1, columns, False)


def _side(stack: Stack, axis: int, size: int, rolls: bool) -> tuple[Reach, ...]:
    """What steps of a size need of each tensor along an axis; of the only step, what there is of the tensor."""
    found = reaches(stack, axis, size, rolls)
    assert found is not None
    if size < stack.output.size[axis]:
        return tuple(Reach(int(r.low), int(r.high), int(r.step), int(r.fresh)) for r in found)
    lows = [(max(int(r.low), 0), min(int(r.high), used[axis])) for r, used in zip(found, stack.used)]
    return tuple(Reach(low, high, int(r.step), low) for r, (low, high) in zip(found, lows))


def cut_of(stack: Stack, rows: int, columns: int, rolls: bool) -> Cut | None:
    """The cut of the output into `rows` x `columns`; None when branches advance at different speeds."""
    if reaches(stack, 0, rows, rolls) is None or reaches(stack, 1, columns, False) is None:
        return None
    rolls = rolls and rows < stack.output.size[0]  # one step has nothing to roll
    down, across = (_side(stack, *key) for key in _sides(rows, columns, rolls))
    return Cut(stack, rows, columns, rolls, (down, across))


def _bound(
    stack: Stack, reach: tuple[list[Reach], list[Reach]], size: tuple[Int, Int], rolls: bool, arch: Accelerator
) -> tuple[Int, NDArray[np.bool_]]:
    """(a lower bound of the bytes moved, whether the tensors fit beside the weights that must stay) of cuts."""
    ys, xs = reach
    trips = [-(-n // s) for n, s in zip(stack.output.size, size)]
    held: list[Int] = []
    moved, sayable = np.zeros_like(size[0]), np.ones(size[0].shape, bool)
    for t, (tensor, used, y, x) in enumerate(zip(stack.tensors, stack.used, ys, xs)):
        box = [np.minimum(y.size, used[0]), np.minimum(x.size, used[1])]
        held.append(tensor.channels * box[0] * box[1] * (not tensor.stays))
        sayable = sayable & (box[0] < MAX_ROWS) & (box[1] < MAX_COLUMNS)
        if stack.waits(t):
            # what is clipped at both borders of a tensor is at most what the first and the last step lack
            halo = [np.maximum(n, (k - 1) * r.step + 1) for n, k, r in zip(used, trips, (y, x))]
            moved = moved + tensor.channels * (used[0] if rolls else halo[0]) * halo[1]
    weights = sum(weight_bytes(m.layer) for m in stack.members)
    once = _constants(stack)
    room, together = arch.holding("input").bytes, arch.holding("input") is arch.holding("weight")
    if rolls:
        peak = np.add.reduce(np.array(held)) + weights * together
        return moved + once, sayable & (peak <= room) & (weights <= arch.holding("weight").bytes)
    live = [[h for h, (a, b) in zip(held, stack.alive) if a <= i <= b] for i in range(len(stack.members))]
    peak = np.maximum.reduce([np.sum(part, axis=0) for part in live])
    kept = arch.holding("weight").bytes - peak * together
    again = (trips[0] * trips[1] * stack.images - 1) * np.maximum(0, weights - kept)
    return moved + once + again, sayable & (peak <= room)


def compulsory(stack: Stack) -> int:
    """Bytes that any plan moves: what is loaded and stored, and the constants, once."""
    moved = [t for t in range(len(stack.tensors)) if stack.waits(t)]
    values = sum(stack.tensors[t].channels * prod(stack.used[t]) for t in moved) * stack.images
    return values + _constants(stack)


def _constants(stack: Stack) -> int:
    """Bytes of weights, records and tables."""
    layers = [m.layer for m in stack.members]
    return sum(weight_bytes(l) + l.record * l.records + l.table_bytes for l in layers)
