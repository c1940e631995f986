"""An xDSL context with our dialects and the weights of one network."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.builtin import Builtin
from xdsl.dialects.func import Func
from xdsl.ir import Dialect

from dnnc.ir.arch import Arch
from dnnc.ir.dnn import ATTRIBUTES, OPS
from dnnc.ir.sched import Sched
from dnnc.ir.weights import WeightStore


def make_context(store: WeightStore | None = None) -> Context:
    """A fresh context that knows builtin, func, arch, dnn and sched, with `store` as its weights."""
    ctx = Context()
    for dialect in (Builtin, Func, Arch, Sched):
        ctx.load_dialect(dialect)
    # Stateful dialects are made anew for each context: a shared one would share its weights.
    ctx.load_dialect(Dialect("dnn", list(OPS), ATTRIBUTES, [store if store is not None else WeightStore()]))
    return ctx
