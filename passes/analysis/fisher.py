"""How much an error of each channel of a layer's result weighs in the divergence of the scores, by gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.interpret import main_function, run_op
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.contractions import Contraction, channel_axis
from dnnc.passes.analysis.divergence import slopes
from dnnc.passes.analysis.gradients import gradient

DRAWS = 8  # of signs, for each sample

Values = dict[SSAValue, np.ndarray]


def channel_weights(
    module: ModuleOp, store: WeightStore, samples: Sequence[Sequence[np.ndarray]], seed: int = 0
) -> dict[DnnOp, np.ndarray]:
    """For each layer w[m], the mean over samples of sum g^2 over the values of channel m, g the slopes of the scores.

    Errors e of a channel that are independent of each other change the divergence by w[m] E[e^2] / 2. A layer behind which an
    operation has no derivative is left out.
    """
    rng, block, found = np.random.default_rng(seed), main_function(module).body.block, dict[DnnOp, np.ndarray]()
    ops = [op for op in block.ops if isinstance(op, DnnOp)]
    moving = _moving(ops, block.args)
    assert block.last_op is not None
    out = block.last_op.operands[0]
    for sample in samples:
        values = _run(ops, dict(zip(block.args, sample)), store)
        for _ in range(DRAWS):
            signs = rng.choice(np.array([-1, 1], np.float32), values[out].shape)
            for op, g in _back(ops, values, moving, {out: slopes(values[out], signs)}).items():
                found[op] = found.get(op, 0.0) + _squares(op, g) / (len(samples) * DRAWS)
    return found


def _moving(ops: Sequence[DnnOp], inputs: Sequence[SSAValue]) -> set[SSAValue]:
    """The values that depend on the inputs."""
    found = set(inputs)
    for op in ops:
        if not found.isdisjoint(op.operands):
            found.update(op.results)
    return found


def _run(ops: Sequence[DnnOp], values: Values, store: WeightStore) -> Values:
    for op in ops:
        values.update(zip(op.results, run_op(op, [values[v] for v in op.operands], store)))
    return values


def _back(ops: Sequence[DnnOp], values: Values, moving: set[SSAValue], found: Values) -> dict[DnnOp, np.ndarray]:
    """The slopes of each layer's result, from those of the output."""
    layers = {}
    for op in reversed(ops):
        g = found.pop(op.results[0], None) if len(op.results) == 1 else None
        if g is None:
            continue
        if isinstance(op, Contraction):
            layers[op] = g
        operands = [values[v] for v in op.operands]
        for i, v in enumerate(op.operands):
            part = gradient(op, i, operands, values[op.results[0]], g) if v in moving else None
            if part is not None:
                found[v] = found[v] + part if v in found else part
    return layers


def _squares(op: DnnOp, g: np.ndarray) -> np.ndarray:
    assert isinstance(op, Contraction)
    axis = channel_axis(op)
    return (g.astype(np.float64) ** 2).sum(tuple(i for i in range(g.ndim) if i != axis))
