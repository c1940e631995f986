"""Values that layers hand on stay on chip where there is room.

%1 = dnn.group [%x, %w] { conv, relu }    ->    %1 = dnn.group [%x, %w] { conv, relu } {dnn.on_chip}
%2 = dnn.group [%1, %v] { conv, relu }          %2 = dnn.group [%1, %v] { conv, relu }

Layers that were to run depth-first run one by one where what they hand on may stay on chip whole, and that is faster.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.passes import ModulePass

from dnnc.ir.arch import Accelerator, of_module
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.rewriting import allowed
from dnnc.passes.analysis.depth_first import runs_stacks
from dnnc.passes.analysis.keeping import ON_CHIP
from dnnc.passes.analysis.keeping_search import Cost, Keeping
from dnnc.passes.analysis.tiling import EQUALLY_FAST_PERCENT
from dnnc.passes.schedule.units import cut_layers, groups_of, inlined, is_stack


@dataclass(frozen=True)
class KeepOnChipPass(ModulePass):
    """Keep what a layer makes on chip until the last layer that reads it has run, where that moves less and is not slower.

    Values take at most `room` percent of the memory of inputs, 0 for none at all; layers whose tiles become smaller beside
    them may be estimated `slower` percent slower, together with those that make and read the value. A stack is taken apart
    where its layers, with what may then stay on chip, move no more bytes and are estimated more than 2 % faster.
    """

    name = "keep-on-chip"
    room: int = 100
    slower: int = 0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        arch = of_module(op)
        if not runs_stacks(arch) or not self.room:
            return
        cut_layers(op)
        for value in self._best(op, arch).kept:
            group = value.owner
            assert isinstance(group, GroupOp)
            if allowed("OnChip", group):
                group.attributes[ON_CHIP] = UnitAttr()

    def _best(self, op: ModuleOp, arch: Accelerator) -> Keeping:
        """What stays, the layers of stacks put in their place, the last stack first, where the whole network is better so."""
        best = self._keeping(op, arch)
        for at, group in reversed(list(enumerate(groups_of(op)))):
            if not is_stack(group):
                continue
            trial = op.clone()
            inlined(groups_of(trial)[at])
            if _better(self._keeping(trial, arch).total, best.total) and allowed("LayerByLayer", group):
                inlined(group)
                best = self._keeping(op, arch)
        return best

    def _keeping(self, op: ModuleOp, arch: Accelerator) -> Keeping:
        keeping = Keeping(groups_of(op), arch, self.room)
        keeping.choose(self.slower)
        return keeping


def _better(one: Cost | None, other: Cost | None) -> bool:
    """Whether a network moves no more bytes so, and is estimated faster by more than estimates differ."""
    if one is None or other is None:
        return False
    return one.moved <= other.moved and 100 * one.cycles < (100 - EQUALLY_FAST_PERCENT) * other.cycles
