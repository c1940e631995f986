"""A run of a program held against the interpreter, store by store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dnnc.backends.npu.agreement import Agreement
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.interpret import check_inputs, main_function
from dnnc.ir.weights import store_of
from dnnc.passes.pipeline import Pipeline
from dnnc.passes.tile import TilePass

if TYPE_CHECKING:
    from dnnc.api import Program


def agreement(program: Program, inputs: Sequence[np.ndarray]) -> Agreement:
    """What watches a run of a program on these inputs: the network is tiled again, noting what each buffer holds."""
    passes = program.lowering or Pipeline(())
    if program.graph is None or not len(passes) or not isinstance(passes[0], TilePass):
        message = "expected a network that is tiled here, not a schedule: there is nothing to compare with. Give a network."
        raise DnncError(Finding(program.network.name, message, "E0108"))
    tiled = program.graph.clone()
    check_inputs(main_function(tiled.module).body.block, inputs)
    holdings = passes[0].schedule(tiled.ctx, tiled.module)
    Pipeline(passes[1:]).run(tiled, in_place=True)
    return Agreement(tiled.module, holdings, inputs, store_of(tiled.ctx))
