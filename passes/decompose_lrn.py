"""Local response normalization becomes squares, an average over channels and a function of it: each has an integer form.

%1 = dnn.lrn %x size = 5    ->    %s = dnn.mul %x, %x; %m = dnn.avg_pool over channels of %s; %1 = %x * (bias + alpha * %m)^-beta
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.dnn.composite import LrnOp
from dnnc.ir.weights import store_of
from dnnc.passes.decompose import decompose


@dataclass(frozen=True)
class DecomposeLrnPass(ModulePass):
    """Rewrite `lrn` by its definition, as `decompose` does, and nothing else."""

    name = "decompose-lrn"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        decompose(op, store_of(ctx), {LrnOp})
