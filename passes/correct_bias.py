"""The mean error that integer weights leave in each channel is taken out of the bias.

%w = dnn.dequantize %q                    %b' = b + E[conv(x, float weights)] - E[conv(x', %w)]
%1 = dnn.conv %x, %w, bias(%b)    ->      %1 = dnn.conv %x, %w, bias(%b')

x is what the float network makes of the samples, x' what this one makes, with the biases before it corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.attributes import Key
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.types import F32, tensor
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.biases import add_to_bias, with_bias
from dnnc.passes.analysis.contractions import Contraction, channel_axis
from dnnc.passes.analysis.integer_weights import FLOAT
from dnnc.passes.analysis.samples import given_samples
from dnnc.passes.analysis.walk import Walk


@dataclass(frozen=True)
class CorrectBiasPass(ModulePass):
    """B[m] += E[y_float[m]] - E[y[m]] over samples, layer after layer, where weights have become integers."""

    name = "correct-bias"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        for layer in [o for o in op.walk() if corrected(o)]:
            with_bias(layer, store)  # pyright: ignore[reportArgumentType]
        samples = given_samples(self.name)
        exact, walk = Walk(floating(op), store, samples), Walk(op, store, samples, self.name)
        for one, layer in zip(exact, walk):
            if corrected(layer):
                assert isinstance(layer, Contraction)
                shift = _means(layer, exact.run(one)[0]) - _means(layer, walk.run(layer)[0])
                add_to_bias(layer, shift, store, "corrected")


def corrected(op: Operation) -> bool:
    """Whether an operation has integer weights in place of float ones, and a bias that a value a channel can go into."""
    if not isinstance(op, Contraction) or FLOAT not in op.attributes:
        return False
    return op.bias is None or isinstance(op.bias.owner, ConstOp)


def floating(module: ModuleOp) -> ModuleOp:
    """A copy of a program whose layers read the float weights that their integers stand for."""
    copy = module.clone()
    for op in main_function(copy).body.block.ops:
        key = op.attributes.get(FLOAT)
        if isinstance(op, Contraction) and isinstance(key, Key):
            const = ConstOp.keyed(key.data, tensor(F32, op.shape(1)))
            Rewriter.insert_op(const, InsertPoint.before(op))
            op.operands[1] = const.result
    return copy


def _means(op: Contraction, column: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each channel over samples and positions."""
    axis = channel_axis(op)
    others = tuple(i for i in range(column[0].ndim) if i != axis)
    return np.mean([y.mean(others, dtype=np.float64) for y in column], axis=0)
