"""Values that layers hand on stay on chip where there is room.

%1 = dnn.group [%x, %w] { conv, relu }    ->    %1 = dnn.group [%x, %w] { conv, relu } {dnn.on_chip}
%2 = dnn.group [%1, %v] { conv, relu }          %2 = dnn.group [%1, %v] { conv, relu }
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.passes import ModulePass

from dnnc.ir.arch import of_module
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.rewriting import allowed
from dnnc.passes.analysis.depth_first import runs_stacks
from dnnc.passes.analysis.keeping import ON_CHIP
from dnnc.passes.analysis.keeping_search import Keeping
from dnnc.passes.schedule.units import cut_layers


@dataclass(frozen=True)
class KeepOnChipPass(ModulePass):
    """Keep what a layer makes on chip until the last layer that reads it has run, where that moves less and is not slower.

    Values take at most `room` percent of the memory of inputs, 0 for none at all; layers whose tiles become smaller beside
    them may be estimated `slower` percent slower, together with those that make and read the value.
    """

    name = "keep-on-chip"
    room: int = 100
    slower: int = 0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        arch = of_module(op)
        if not runs_stacks(arch) or not self.room:
            return
        for value in Keeping(cut_layers(op), arch, self.room).chosen(self.slower):
            group = value.owner
            assert isinstance(group, GroupOp)
            if allowed("OnChip", group):
                group.attributes[ON_CHIP] = UnitAttr()
