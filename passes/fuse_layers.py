"""Layers that move less data one inside the other become a group of groups, which runs depth-first.

%1 = dnn.group [%x, %w] { conv, relu }       %2 = dnn.group [%x, %w, %v] {
%2 = dnn.group [%1, %v] { conv, relu }  ->     dnn.group { conv, relu }
                                               dnn.group { conv, relu }
                                             }
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import FusedLoc, ModuleOp, NoneAttr
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.arch import Accelerator, of_module
from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn.attributes import Ints
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.rewriting import allowed
from dnnc.passes.analysis import depth_first
from dnnc.passes.analysis.cuts import Cut, compulsory
from dnnc.passes.analysis.stacks import STEPS, Unit, stack_of, unit_of
from dnnc.passes.analysis.step_plan import Plan
from dnnc.passes.analysis.tile_search import feature_bytes, search
from dnnc.passes.schedule.units import cut_layers, is_stack

Cost = tuple[int, int]
"""DRAM bytes, those of feature maps weighted, and cycles."""


@dataclass(frozen=True)
class Range:
    """Layers from `first` up to `end`, and the plan by which they run depth-first; none for a layer on its own."""

    first: int
    end: int
    plan: Plan | None


@dataclass(frozen=True)
class FuseLayersPass(ModulePass):
    """Fuse runs of groups so that together they move the least data from and to DRAM, by dynamic programming.

    What layers hand on stays on chip, in rolling rows or in tiles with halo, and results are the same to every bit. Layers
    are fused only where that moves less than one by one, with no more than `slower` percent more estimated cycles; at most
    `layers` of them. A byte of feature maps counts `features` percent more than one of weights.
    """

    name = "fuse-layers"
    slower: int = 0
    features: int = 0
    layers: int = 16

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        arch = of_module(op)
        for run in runs(cut_layers(op)):
            for part in self._partition(run, arch):
                if part.plan is not None and allowed("Stack", run[part.first].op):
                    fuse([u.op for u in run[part.first : part.end]], part.plan.cut)

    def _partition(self, run: Sequence[Unit], arch: Accelerator) -> list[Range]:
        """The ranges of a run that together cost least."""
        alone = [_alone(unit, arch, self.features) for unit in run]
        best: list[Cost] = [(0, 0)]
        last: list[Range] = []
        for end in range(1, len(run) + 1):
            moved, cycles = (a + b for a, b in zip(best[end - 1], alone[end - 1]))
            found = moved, cycles, Range(end - 1, end, None)
            for first in range(max(0, end - self.layers), end - 1):
                most = found[0] - best[first][0]
                plan = self._together(run[first:end], alone[first:end], most, arch)
                if plan is not None:
                    cost = best[first][0] + plan.cost(self.features), best[first][1] + plan.cycles
                    found = min(found, (*cost, Range(first, end, plan)), key=lambda f: f[:2])
            best.append(found[:2])
            last.append(found[2])
        return _backwards(last)

    def _together(self, units: Sequence[Unit], alone: Sequence[Cost], most: int, arch: Accelerator) -> Plan | None:
        """The plan of layers as a stack that moves at most some bytes; None when they cannot be one, or are no better so."""
        found = stack_of(units)
        if found is None:
            return None
        moved, cycles = (sum(c[i] for c in alone) for i in (0, 1))
        most = min(most, moved - 1)
        if compulsory(found[0]) > most:
            return None
        return depth_first.search(found[0], arch, most, cycles * (100 + self.slower) // 100, self.features)


def runs(groups: Sequence[GroupOp]) -> Iterator[list[Unit]]:
    """The longest runs of neighbouring groups that can stand in a stack."""
    run: list[Unit] = []
    for group in groups:
        unit = None if is_stack(group) else unit_of(group)
        if unit is None:
            yield run
            run = []
        else:
            run.append(unit)
    yield run


def _alone(unit: Unit, arch: Accelerator, features: int) -> Cost:
    try:
        tile = search(unit.group.layer, arch)
    except UnsupportedError:
        return 1 << 60, 1 << 60
    return tile.dram_bytes + feature_bytes(unit.group.layer, arch, tile) * features // 100, tile.cycles


def _backwards(last: Sequence[Range]) -> list[Range]:
    """The ranges that lead to the end, given the last one of every beginning."""
    found: list[Range] = []
    while not found or found[0].first:
        if not last:
            break
        found.insert(0, last[(found[0].first if found else len(last)) - 1])
    return found


def fuse(ops: Sequence[GroupOp], cut: Cut | None = None) -> None:
    """Make one group of groups, to run in the steps of a cut."""
    locations = list(dict.fromkeys(op.location for op in ops))
    location = locations[0] if len(locations) == 1 else FusedLoc(tuple(locations), NoneAttr())
    group, replaced = GroupOp.of(ops, location)
    if cut is not None:
        group.attributes[STEPS] = Ints((cut.rows, cut.columns, int(cut.rolls)))
    for op, clone in zip(ops, group.body_ops()):
        for old, new in zip(op.body.block.ops, clone.regions[0].block.ops):
            new.location = old.location
    Rewriter.insert_op(group, InsertPoint.before(ops[-1]))
    for old, new in zip(replaced, group.results):
        old.replace_all_uses_with(new)
    for op in reversed(ops):
        Rewriter.erase_op(op)
