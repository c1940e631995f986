"""Quantizers that training left in the graph become thresholds and integer weights.

%1 = dnn.clip %x low = 0.0 high = 1.0
%2 = dnn.mul %1, 3.0                            %1 = dnn.threshold %x, [1/6, 1/2, 5/6] to = !dnn.q<i8, 0.333, 0>
%3 = dnn.round %2                       ->      %4 = dnn.dequantize %1
%4 = dnn.div %3, 3.0
%5 = dnn.conv %4, %w  of -0.1, 0, 0.1           %v = dnn.dequantize (dnn.const of -1, 0, 1 : !dnn.q<i8, 0.1, 0>)
                                                %5 = dnn.conv %4, %v
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.rewriting import allowed
from dnnc.ir.types import F32, I8, QuantType, shape_of, tensor
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.grid_weights import grid_of
from dnnc.passes.analysis.staircases import Staircase, staircase_at
from dnnc.passes.laws.whole_inputs import sums_whole


@dataclass(frozen=True)
class RecognizeQuantizersPass(ModulePass):
    """Staircases of up to 15 steps become thresholds, and float weights that are few whole steps of a scale become int8.

    Binary, ternary, power-of-two (INQ), DoReFa and PACT networks run exactly as trained: thresholds are the smallest floats
    that reach each step. Weights are taken where they multiply quantized values.
    """

    name = "recognize-quantizers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store, block = store_of(ctx), main_function(op).body.block
        for inner in list(block.ops):
            found = staircase_at(inner, store) if inner.parent is block else None
            if found is not None and not isinstance(found.x.owner, ConstOp) and allowed("Staircase", inner):
                _step(found, store)
        for inner in list(block.ops):
            if isinstance(inner, ConvOp | MatmulOp) and allowed("GridWeights", inner):
                _settle(inner, store)


def _step(found: Staircase, store: WeightStore) -> None:
    t = ConstOp.of(found.thresholds, store, "thresholds")
    axis = min(1, len(shape_of(found.x.type)) - 1)
    made = ThresholdOp(found.x, t, to=found.type, axis=axis, first=found.first, step=found.step)
    back = DequantizeOp(made)
    made.location = back.location = found.last.location
    Rewriter.insert_op([t, made, back], InsertPoint.before(found.last))
    found.last.results[0].replace_all_uses_with(back.result)


def _settle(op: ConvOp | MatmulOp, store: WeightStore) -> None:
    x, w = op.operands[:2]
    while isinstance(x.owner, Movement | MaxPoolOp) and len(x.owner.operands) == 1:
        x = x.owner.operands[0]
    if not isinstance(x.owner, DequantizeOp) or not isinstance(w.owner, ConstOp) or op.element(1) != F32:
        return
    if isinstance(op, MatmulOp) and len(op.shape(1)) != 2:
        return
    axis = 0 if isinstance(op, ConvOp) or op.trans_b is not None else 1
    if sums_whole(op, store):
        return  # at scale 1
    found = grid_of(np.moveaxis(w.owner.array(store), axis, 0))
    if found is None:
        return
    integers, scales = found
    type_ = QuantType.per_channel(I8, scales, axis)
    values = np.ascontiguousarray(np.moveaxis(integers, 0, axis))
    hint = w.owner.key.data if w.owner.key is not None else "weights"
    const = ConstOp.of(values, store, f"{hint}.i8", tensor(type_, values.shape))
    back = DequantizeOp(const)
    const.location = back.location = op.location
    Rewriter.insert_op([const, back], InsertPoint.before(op))
    op.operands[1] = back.result
