"""How a stack of layers runs depth-first on a target: the steps that move the least data among those that fit.

Cuts that may fit are taken in the order of a lower bound of their DRAM bytes until none can be better. What layers hand on
lies in the memory of inputs, which must be that of outputs; weights, sums and records may lie with it or in memories of
their own, each a bound for itself.
"""

from __future__ import annotations

from functools import lru_cache

from dnnc.ir.arch import Accelerator
from dnnc.passes.analysis.cuts import LOOKED_AT, Cut, cut_of, cuts
from dnnc.passes.analysis.stack import Stack
from dnnc.passes.analysis.step_memory import placed
from dnnc.passes.analysis.step_plan import Plan, Share
from dnnc.passes.analysis.step_records import Records, records
from dnnc.passes.analysis.step_tiles import RECORDS, Option, aligned, options, weight_bytes
from dnnc.passes.analysis.step_time import StepTime


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
        self.held = self._held(False)
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
        shares = tuple(self._share(i, *pick, resident, self.records.stay[i]) for i, pick in enumerate(picked))
        held = self._held(True) if self.cut.rolls else []
        ahead = self.cut.rolls and all(
            self._fits(i, self._kept(i, resident), option.sums, held[i]) for i, (option, _) in enumerate(picked)
        )
        fastest = [option for option, _ in picked]
        moved = self._moved(fastest, shares)
        cycles = StepTime(self.cut, fastest, shares, self.arch).cycles()
        return Plan(self.cut, shares, ahead, moved, sum(self.moved), cycles)

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
        return self.records.held[i] if self.records is not None else 0

    def _kept(self, i: int, stay: frozenset[int]) -> int:
        """Bytes of the weights that stay while a layer runs; where there is one step its own alone, if they come at once."""
        return self.weights[i] * (i in stay) if self.once else sum(self.weights[j] for j in stay)

    def _resident(self) -> frozenset[int] | None:
        """The layers whose weights stay: all where rows roll, as many bytes as fit where tiles follow one another."""
        weighty = [i for i, layer in enumerate(self.layers) if layer.kind != "none"]
        if self.once:
            return self._at_once(weighty)
        if self.cut.rolls:
            stay = sum(self.weights)
            sums = [min(o.sums for o in found) for found in self.options]
            return frozenset(weighty) if all(self._fits(i, stay, n) for i, n in enumerate(sums)) else None
        kept: set[int] = set()
        room = [self._left("weight", i) for i in range(len(self.layers))]
        need = self._least()
        for i in sorted(weighty, key=lambda i: -self.weights[i]):
            more = [n + self.weights[i] for n in need]
            more[i] = sum(self.weights[j] for j in kept) + self.weights[i] + self._least_sums(i)
            if all(n <= r for n, r in zip(more, room)):
                need = more
                kept.add(i)
        return frozenset(kept)

    def _at_once(self, weighty: list[int]) -> frozenset[int]:
        """The layers of the only step whose weights come at once: those with room also beside the weights of the layer before.

        The last one's come in tiles where they take longer than the computing, which nothing else would run beside.
        """
        kept: set[int] = set()
        room = [self._left("weight", i) - self._least_sums(i) for i in range(len(self.layers))]
        before, least = 0, self._least()
        for i in range(len(self.layers)):
            if i in weighty and self.weights[i] <= room[i] and (not i or before + self.weights[i] <= room[i - 1]):
                kept.add(i)
            before = self.weights[i] if i in kept else least[i]
        return frozenset(kept - {i for i in weighty[-1:] if self._load(i) > self.options[i][0].busy})

    def _load(self, i: int) -> int:
        """Cycles that all weights of a layer take to come."""
        return weight_bytes(self.layers[i]) // self.arch.dma.constant_bandwidth

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
        kept = self._kept(member, resident)
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
                    load = self._load(member) * o.loads
                    key = (o.loads, max(o.busy, load) if copies == 2 else o.busy + load)
                    best = min(best, (key, o, copies), key=lambda b: b[0]) if best else (key, o, copies)
                    break
        return (best[1], best[2]) if best else None

    def _records(self) -> Records | None:
        """Where the records of each layer stay."""
        memory = self.arch.holding("parameter")
        room = memory.bytes - max(self.held) * ("input" in memory.holds)
        # what else lies in the memory comes in tiles
        room = room // 2 if {"weight", "accumulator"} & {*memory.holds} else room
        return records(tuple(self.layers), self.once, self.cut.rolls, room)

    def _share(self, i: int, option: Option, copies: int, resident: frozenset[int], records: str) -> Share:
        channels = min(option.channels, RECORDS) if records == "tile" else option.channels
        weights = "tile" if i not in resident else "whole" if self.once else "resident"
        return Share(channels, option.reduction, option.rows, option.sums_copies, option.sums, weights, records, copies)

    def _moved(self, picked: list[Option], shares: tuple[Share, ...]) -> int:
        """DRAM bytes, exactly."""
        total = sum(self.moved)
        for layer, option, share in zip(self.layers, picked, shares):
            loads = self.cut.passes * option.loads if share.weights == "tile" else 1
            total += weight_bytes(layer) * loads
            total += layer.record * layer.records * (1 if share.records == "resident" else self.cut.passes)
            always = share.records != "whole"
            total += layer.table_bytes * (1 if always else self.cut.passes)
        return total


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
    least = most, most_cycles, LOOKED_AT
    for bounded in cuts(stack, arch, most, most_cycles):
        if (bounded.dram_bytes, bounded.cycles, bounded.rank) > least:
            if bounded.dram_bytes > least[0]:
                break
            continue
        plan = chosen(bounded.cut, arch)
        if plan is None or plan.cycles > most_cycles:
            continue
        cost = plan.cost(features), plan.cycles, bounded.rank
        if cost <= least and placed(plan, arch):
            best, least = plan, cost
    return best


def planned(stack: Stack, arch: Accelerator, steps: tuple[int, ...] | None) -> Plan | None:
    """The plan for given rows, columns and 1 where rows roll, or the best one; None when it does not fit."""
    if steps is None or not runs_stacks(arch):
        return search(stack, arch)
    rows, columns, rolls = steps
    cut = cut_of(stack, rows, columns, bool(rolls))
    plan = chosen(cut, arch) if cut else None
    return plan if plan is not None and placed(plan, arch) else None
