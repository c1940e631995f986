"""How a stack of layers runs depth-first on a target: the steps that move the least data among those that fit.

Every cut of the output into rows and columns is looked at, rolling or with halo; those that fit are taken in the order of
a lower bound of their DRAM bytes until none can be better. What layers hand on lies in the memory of inputs, which must be
that of outputs; weights, sums and records may lie with it or in memories of their own, each a bound for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from dnnc.ir.arch import Accelerator
from dnnc.ir.fixed import TABLE_BYTES
from dnnc.passes.analysis.candidates import splits
from dnnc.passes.analysis.stack import Int, Reach, Stack, covered, reaches, warm_up
from dnnc.passes.analysis.step_memory import placed
from dnnc.passes.analysis.step_tiles import RECORDS, Option, aligned, options, post_bytes, tile_bytes, weight_bytes

LOOKED_AT = 48
"""Cuts whose tiles are chosen, the best by their bound first."""


TIES = 4
"""Cuts that move as little as the best one, looked at for their cycles."""


@dataclass(frozen=True)
class Share:
    """How a layer of a stack runs within a step: tile of channels and summed channels, rows a tile, what stays on chip.

    `weights` and `records` are resident for all steps, or `whole` for one, or come in tiles of `channels`.
    """

    channels: int
    reduction: int
    rows: int
    sums_copies: int
    sums: int
    weights: str
    records: str
    copies: int = 2


@dataclass(frozen=True)
class Cut:
    """A cut of the output, with what every tensor holds along each axis."""

    stack: Stack
    rows: int
    columns: int
    rolls: bool
    reach: tuple[tuple[Reach, ...], tuple[Reach, ...]]

    @property
    def early(self) -> int:
        """Steps before the one that makes the first row."""
        return int(warm_up(list(self.reach[0]))) if self.rolls else 0

    @property
    def steps(self) -> tuple[int, int]:
        """Trips of the loops over rows and over columns."""
        height, width = self.stack.output.size
        return -(-height // self.rows) + self.early, -(-width // self.columns)

    @property
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
        return self.stack.tensors[tensor].loaded or tensor == self.stack.members[-1].out

    def made(self, tensor: int) -> tuple[int, int]:
        """Rows and columns of a tensor that a step makes."""
        used, (y, x) = self.stack.used[tensor], (axis[tensor] for axis in self.reach)
        return int(y.high - y.fresh), min(int(x.size), used[1])

    def bytes(self, tensor: int, ahead: bool = False) -> int:
        """Bytes of a tensor's buffer."""
        return aligned(self.stack.tensors[tensor].channels * prod(self.held(tensor, ahead)))

    def moved(self, tensor: int) -> int:
        """Bytes loaded or stored of a tensor."""
        used = self.stack.used[tensor]
        sums = [
            covered(int(r.fresh - self.early * r.step * (axis == 0)), int(r.high - r.fresh), int(r.step), n, trips)
            for axis, (r, n, trips) in enumerate(zip((a[tensor] for a in self.reach), used, self.steps))
        ]
        return self.stack.images * self.stack.tensors[tensor].channels * prod(sums)


@dataclass(frozen=True)
class Plan:
    """The steps of a stack, how its layers run within one, and whether there are rows to spare for loading ahead."""

    cut: Cut
    shares: tuple[Share, ...]
    ahead: bool
    dram_bytes: int
    feature_bytes: int
    cycles: int

    def cost(self, features: int) -> int:
        """DRAM bytes, those of feature maps `features` percent dearer."""
        return self.dram_bytes + self.feature_bytes * features // 100


def cuts(stack: Stack, arch: Accelerator) -> Iterator[tuple[int, Cut]]:
    """Cuts whose tensors fit beside the weights they keep, each with a lower bound on its DRAM bytes, the lowest first."""
    height, width = stack.output.size
    rows, columns = (g.reshape(-1) for g in np.meshgrid(splits(height), splits(width), indexing="ij"))
    found = []
    for rolls in (False, True) if stack.rolls else (False,):
        down, across = reaches(stack, 0, rows, rolls), reaches(stack, 1, columns, False)
        if down is None or across is None:
            return
        bound, fits = _bound(stack, (down, across), (rows, columns), rolls, arch)
        for i in np.flatnonzero(fits & ~(rolls & (rows == height))):
            found.append((int(bound[i]), -int(rows[i] * columns[i]), int(rows[i]), int(columns[i]), rolls))
    sides: dict[tuple[int, int, bool], tuple[Reach, ...]] = {}
    for least, _, high, wide, rolls in sorted(found)[:LOOKED_AT]:
        keys = _sides(high, wide, rolls)
        for key in keys:
            sides[key] = sides[key] if key in sides else _side(stack, *key)
        yield least, Cut(stack, high, wide, rolls, (sides[keys[0]], sides[keys[1]]))


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
    moved = np.zeros_like(size[0])
    for t, (tensor, used, y, x) in enumerate(zip(stack.tensors, stack.used, ys, xs)):
        box = [np.minimum(y.size, used[0]), np.minimum(x.size, used[1])]
        held.append(tensor.channels * box[0] * box[1])
        if tensor.loaded or t == stack.members[-1].out:
            # what is clipped at both borders of a tensor is at most what the first and the last step lack
            halo = [np.maximum(n, (k - 1) * r.step + 1) for n, k, r in zip(used, trips, (y, x))]
            moved = moved + tensor.channels * (used[0] if rolls else halo[0]) * halo[1]
    weights = sum(weight_bytes(m.layer) for m in stack.members)
    room, together = arch.holding("input").bytes, arch.holding("input") is arch.holding("weight")
    if rolls:
        peak = np.add.reduce(np.array(held)) + weights * together
        return moved + weights, (peak <= room) & (weights <= arch.holding("weight").bytes)
    live = [[h for h, (a, b) in zip(held, stack.alive) if a <= i <= b] for i in range(len(stack.members))]
    peak = np.maximum.reduce([np.sum(part, axis=0) for part in live])
    kept = arch.holding("weight").bytes - peak * together
    again = (trips[0] * trips[1] * stack.images - 1) * np.maximum(0, weights - kept)
    return moved + weights + again, peak <= room


def chosen(cut: Cut, arch: Accelerator) -> Plan | None:
    """The plan of a cut, None when it does not fit."""
    return _Choice(cut, arch).plan()


class _Choice:
    """Tiles and residency of the layers of one cut."""

    def __init__(self, cut: Cut, arch: Accelerator) -> None:
        self.cut, self.arch, self.stack = cut, arch, cut.stack
        self.layers = [m.layer for m in cut.stack.members]
        self.once = cut.passes == 1
        self.weights = [aligned(weight_bytes(layer)) for layer in self.layers]
        self.held, self.held_ahead = self._held(False), self._held(True)
        self.moved = [cut.moved(t) for t in range(len(cut.stack.tensors)) if cut.waits(t)]
        self.records = self._records()
        self.options = [
            options(m.layer, *cut.made(m.out), arch, max(0, self._left("accumulator", i)))
            for i, m in enumerate(cut.stack.members)
        ]

    def plan(self) -> Plan | None:
        """The plan, None when it does not fit."""
        resident = self._resident() if self.records is not None and all(self.options) else None
        if self.records is None or resident is None:
            return None
        picked = [p for i in range(len(self.layers)) if (p := self._pick(i, resident)) is not None]
        if len(picked) < len(self.layers):
            return None
        shares = tuple(self._share(i, *pick, resident, self.records[i]) for i, pick in enumerate(picked))
        kept = self._kept(resident)
        ahead = self.cut.rolls and all(
            self._fits(i, kept, option.sums, self.held_ahead[i]) for i, (option, _) in enumerate(picked)
        )
        fastest = [option for option, _ in picked]
        moved = self._moved(fastest, shares)
        return Plan(self.cut, shares, ahead, moved, sum(self.moved), self._cycles(fastest, shares))

    def _held(self, ahead: bool) -> list[int]:
        """Bytes of the tensors alive while each layer runs: all where rows roll."""
        sizes = [self.cut.bytes(t, ahead) for t in range(len(self.stack.tensors))]
        if self.cut.rolls:
            return [sum(sizes)] * len(self.layers)
        return [sum(n for n, (a, b) in zip(sizes, self.stack.alive) if a <= i <= b) for i in range(len(self.layers))]

    def _fits(self, i: int, weights: int, sums: int, held: int | None = None) -> bool:
        """Whether every memory has room while a layer runs with so many bytes of weights, of sums and of tensors."""
        need = {"input": self.held[i] if held is None else held, "weight": weights, "accumulator": sums}
        need["parameter"] = self._recorded(i)
        return all(sum(need.get(role, 0) for role in m.holds) <= m.bytes for m in self.arch.memory)

    def _left(self, role: str, i: int) -> int:
        """Bytes of a role's memory that tensors and records leave while a layer runs."""
        memory = self.arch.holding(role)
        records = self._recorded(i) if "parameter" in memory.holds else 0
        return memory.bytes - self.held[i] * ("input" in memory.holds) - records

    def _recorded(self, i: int) -> int:
        """Bytes of records and tables while a layer runs."""
        return self._record_bytes(self.records, i) if self.records is not None else 0

    def _kept(self, resident: frozenset[int]) -> int:
        """Bytes of the weights that stay."""
        return sum(self.weights[i] for i in resident)

    def _resident(self) -> frozenset[int] | None:
        """The layers whose weights stay: all where rows roll, as many bytes as fit where tiles follow one another."""
        weighty = [i for i, layer in enumerate(self.layers) if layer.kind != "none"]
        if self.cut.rolls:
            kept = self._kept(frozenset(weighty))
            sums = [min(o.sums for o in found) for found in self.options]
            return frozenset(weighty) if all(self._fits(i, kept, n) for i, n in enumerate(sums)) else None
        kept: set[int] = set()
        room = [self._left("weight", i) for i in range(len(self.layers))]
        need = self._least() if not self.once else []
        for i in sorted(weighty, key=lambda i: -self.weights[i]) if not self.once else ():
            more = [n + self.weights[i] for n in need]
            more[i] = sum(self.weights[j] for j in kept) + self.weights[i] + self._least_sums(i)
            if all(n <= r for n, r in zip(more, room)):
                need = more
                kept.add(i)
        return frozenset(kept)

    def _least_sums(self, i: int) -> int:
        """Bytes of the fewest sums of a layer, where they lie with the weights."""
        together = self.arch.holding("accumulator") is self.arch.holding("weight")
        return min(o.sums for o in self.options[i]) if together else 0

    def _least(self) -> list[int]:
        """Bytes of the smallest tiles of weights, and sums beside them, that do not slow a layer down by the array's columns."""
        least = []
        for i, (layer, found) in enumerate(zip(self.layers, self.options)):
            columns = min(self.arch.array.columns, layer.M)
            tiles = [o.weight_tile for o in found if o.channels >= columns] or [o.weight_tile for o in found]
            least.append(2 * min(tiles) * (layer.kind != "none") + self._least_sums(i))
        return least

    def _pick(self, member: int, resident: frozenset[int]) -> tuple[Option, int] | None:
        """The fastest tile of a layer for which there is room, and the copies of its weights."""
        kept = self._kept(resident)
        if member in resident or self.layers[member].kind == "none":
            whole = (o for o in self.options[member] if o.reduction == self.layers[member].C)
            fits = (o for o in whole if self._fits(member, kept, o.sums))
            return next(((o, 1) for o in fits), None)
        best = None
        for copies in (2, 1):
            fits = [o for o in self.options[member] if self._fits(member, kept + copies * o.weight_tile, o.sums)]
            fewest = min((o.loads for o in fits), default=0)
            for o in fits:
                if o.loads == fewest:
                    load = weight_bytes(self.layers[member]) * o.loads // self.arch.dma.bytes_per_cycle
                    busy = max(o.mm, o.post) + o.stall
                    key = (o.loads, max(busy, load) if copies == 2 else busy + load)
                    best = min(best, (key, o, copies), key=lambda b: b[0]) if best else (key, o, copies)
                    break
        return (best[1], best[2]) if best else None

    def _records(self) -> list[str] | None:
        """Where the records of each layer stay: as many as fit, the largest first."""
        memory, sizes = self.arch.holding("parameter"), [post_bytes(layer) for layer in self.layers]
        room = memory.bytes - max(self.held) * ("input" in memory.holds)
        # what else lies in the memory comes in tiles
        room = room // 2 if {"weight", "accumulator"} & {*memory.holds} else room
        found = ["tile"] * len(sizes)
        for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
            if self.once and sizes[i] <= room:
                found[i] = "whole"
                continue
            kept = [*found[:i], "resident", *found[i + 1 :]]
            if max(self._record_bytes(kept, j) for j in range(len(sizes))) <= room:
                found = kept
        if not self.cut.rolls:
            left = room - sum(s for s, f in zip(sizes, found) if f == "resident")
            found = ["whole" if f == "tile" and s <= left else f for s, f in zip(sizes, found)]
        short = max(self._record_bytes(found, i) for i in range(len(sizes))) > room
        alone = any(f == "tile" and layer.kind == "none" for f, layer in zip(found, self.layers))
        return None if short or alone else found

    def _record_bytes(self, found: list[str], i: int) -> int:
        """Bytes of records and tables while a layer runs: those that stay, and its own, or those of all where rows roll."""
        stay = sum(post_bytes(layer) for layer, f in zip(self.layers, found) if f == "resident")
        mine = range(len(self.layers)) if self.cut.rolls else (i,)
        sizes = {"resident": lambda layer: 0, "whole": post_bytes, "tile": tile_bytes}
        return stay + sum(sizes[found[j]](self.layers[j]) for j in mine)

    def _share(self, i: int, option: Option, copies: int, resident: frozenset[int], records: str) -> Share:
        channels = min(option.channels, RECORDS) if records == "tile" else option.channels
        weights = "resident" if i in resident else "tile"
        return Share(channels, option.reduction, option.rows, option.sums_copies, option.sums, weights, records, copies)

    def _moved(self, picked: list[Option], shares: tuple[Share, ...]) -> int:
        """DRAM bytes, exactly."""
        total = sum(self.moved)
        for layer, option, share in zip(self.layers, picked, shares):
            loads = 1 if share.weights == "resident" else self.cut.passes * option.loads
            total += weight_bytes(layer) * loads
            total += layer.record * layer.records * (1 if share.records == "resident" else self.cut.passes)
            always = share.records != "whole"
            total += TABLE_BYTES * layer.table * (1 if always else self.cut.passes)
        return total

    def _cycles(self, picked: list[Option], shares: tuple[Share, ...]) -> int:
        """Estimated cycles: the layers of a step follow one another, transfers run beside them."""
        width, setup = self.arch.dma.bytes_per_cycle, self.arch.dma.setup_cycles
        outside = sum(self.moved) // width
        first = sum(weight_bytes(layer) for layer, s in zip(self.layers, shares) if s.weights == "resident") // width
        busy = 0
        for m, option, share in zip(self.stack.members, picked, shares):
            height, width_ = self.cut.made(m.out)
            used = self.stack.used[m.out]
            full = -(-used[0] // height) * -(-used[1] // width_) * self.stack.images
            mine = max(option.mm, option.post) + option.stall
            if share.weights == "tile":
                load = weight_bytes(m.layer) * option.loads // width + setup * -(-m.layer.M // option.channels)
                mine = (max(mine, load) if share.copies == 2 else mine + load) + setup + option.weight_tile // width
            busy += mine * max(full, 1 if self.cut.rolls else self.cut.passes)
        each = sum(n // self.cut.passes // width for n in self.moved)
        alone = each * (1 if self.cut.rolls else self.cut.passes)
        return max(busy + first + alone, outside)


def runs_stacks(arch: Accelerator) -> bool:
    """Whether the matrix unit reads what the post-processing unit wrote: inputs and outputs lie in one memory."""
    return arch.holding("input") is arch.holding("output")


@lru_cache(maxsize=4096)
def search(
    stack: Stack, arch: Accelerator, most: int = 1 << 62, most_cycles: int = 1 << 62, features: int = 0
) -> Plan | None:
    """The plan of least `Plan.cost`, then cycles, within both bounds; None when there is none."""
    if not runs_stacks(arch):
        return None
    best: Plan | None = None
    ties = 0
    for bound, cut in cuts(stack, arch):
        ties += best is not None and bound == best.dram_bytes
        if bound > (best.cost(features) if best else most) or ties > TIES:
            break
        plan = chosen(cut, arch)
        if plan is None or plan.cycles > most_cycles or plan.cost(features) > most:
            continue
        better = best is None or (plan.cost(features), plan.cycles) < (best.cost(features), best.cycles)
        if better and placed(plan, arch):
            best = plan
    return best


def planned(stack: Stack, arch: Accelerator, steps: tuple[int, ...] | None) -> Plan | None:
    """The plan for given rows, columns and 1 where rows roll, or the best one; None when it does not fit."""
    if steps is None or not runs_stacks(arch):
        return search(stack, arch)
    rows, columns, rolls = steps
    cut = cut_of(stack, rows, columns, bool(rolls))
    plan = chosen(cut, arch) if cut else None
    return plan if plan is not None and placed(plan, arch) else None


def compulsory(stack: Stack) -> int:
    """Bytes that any plan moves: what is loaded and stored, and the weights, once."""
    ends = [t for t, info in enumerate(stack.tensors) if info.loaded or t == stack.members[-1].out]
    values = sum(stack.tensors[t].channels * prod(stack.used[t]) for t in ends) * stack.images
    return values + sum(weight_bytes(m.layer) for m in stack.members)
