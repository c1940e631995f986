"""Acme's passes: one with options as a class, one as a function."""

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from dnnc import Bytes
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import nbytes
from dnnc.ir.weights import store_of
from dnnc_acme.operations import SnakeOp


@dataclass(frozen=True)
class AcmePrunePass(ModulePass):
    """Set weights below `below` times the largest of their tensor to zero, in tensors of `least` bytes or more."""

    name = "acme-prune"
    below: float = 0.01
    least: Bytes = 4096

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        for const in [o for o in op.walk() if isinstance(o, ConstOp) and nbytes(o.result.type) >= self.least]:
            values = const.array(store)
            kept = np.where(np.abs(values) < self.below * np.abs(values).max(), 0, values).astype(values.dtype)
            Rewriter.replace_op(const, ConstOp.of(kept, store, "pruned", const.result.type, const.location))


def skip_snake(module, ctx):
    """Take every snake out of the program."""
    for op in [o for o in module.walk() if isinstance(o, SnakeOp)]:
        Rewriter.replace_op(op, [], [op.x])
