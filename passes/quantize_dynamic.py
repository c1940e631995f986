"""Layers compute on integers whose scales are found at run time, from the values each inference has.

%1 = dnn.conv %x, %w, bias(%b)    ->    s = (max(0, max %x) - min(0, min %x)) / 255,  z = clip(round(-min(0, min %x) / s), 0, 255)
                                        %q = dnn.quantize clip(round(%x / s) + z, 0, 255) - z to = !dnn.q<i9, 1.0, 0>
                                        %1 = dnn.conv %q, the integers of %w
                                        %2 = dnn.dequantize %1
                                        %3 = %2 * s + %b

The codes are those of DynamicQuantizeLinear, less their zero point; weights are symmetric int8, one scale an output channel.
Everything between layers stays in float, and no samples are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerType, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.base import SEGMENTS
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.dnn.elementwise import AddOp, ClipOp, DivOp, MaxOp, MinOp, MulOp, SubOp
from dnnc.ir.dnn.function import RoundOp
from dnnc.ir.dnn.movement import ReshapeOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.dnn.reduction import ReduceMaxOp, ReduceMinOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import QuantType, shape_of
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.integer_weights import Rows, largest_scale, layers, rows_of, set_weights

CODES = QuantType.per_tensor(IntegerType(9), 1.0)  # of 0 to 255, less a zero point of 0 to 255
LARGEST = 255.0
TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class QuantizeDynamicPass(ModulePass):
    """Convolutions and products with constant weights in int8, their operand's scale and zero point computed at run time."""

    name = "quantize-dynamic"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        codes: dict[SSAValue, tuple[SSAValue, SSAValue]] = {}
        for layer in list(layers(op)):
            x = layer.operands[0]
            if x not in codes:
                building = _Building(layer, store)
                codes[x] = building.codes(x)
            _replace(layer, *codes[x], store)


@dataclass
class _Building:
    """Operations put before another one, with its location."""

    before: Operation
    store: WeightStore

    def add(self, op: Operation) -> SSAValue:
        op.location = self.before.location
        Rewriter.insert_op(op, InsertPoint.before(self.before))
        return op.results[0]

    def constant(self, value: float | np.ndarray) -> SSAValue:
        return self.add(ConstOp.of(np.asarray(value, np.float32), self.store))

    def codes(self, x: SSAValue) -> tuple[SSAValue, SSAValue]:
        """The codes of a value less their zero point, and their scale."""
        axes = tuple(range(len(shape_of(x.type))))
        low = self.add(MinOp(self.add(ReduceMinOp(x, axes=axes)), self.constant(0)))
        high = self.add(ReluOp(self.add(ReduceMaxOp(x, axes=axes))))
        span = self.add(SubOp(high, low))
        scale = self.add(MaxOp(self.add(DivOp(span, self.constant(LARGEST))), self.constant(TINY)))
        zero = self.add(DivOp(self.add(SubOp(self.constant(0), low)), scale))
        zero = self.add(RoundOp(self.add(ClipOp(zero, low=0.0, high=LARGEST))))
        steps = self.add(AddOp(self.add(RoundOp(self.add(DivOp(x, scale)))), zero))
        code = self.add(SubOp(self.add(ClipOp(steps, low=0.0, high=LARGEST)), zero))
        return self.add(QuantizeOp(code, to=CODES)), scale

    def along_channels(self, layer: Rows) -> SSAValue:
        """The bias of a layer, shaped to be added to its result."""
        assert layer.bias is not None
        if not isinstance(layer, ConvOp):
            return layer.bias
        shape = (*shape_of(layer.bias.type), *(1,) * layer.window.data.rank)
        return self.add(ReshapeOp(layer.bias, shape=shape))


def _replace(layer: Rows, codes: SSAValue, scale: SSAValue, store: WeightStore) -> None:
    """The layer on codes and integer weights, and what makes floats of its sums."""
    building = _Building(layer, store)
    rows = rows_of(layer, layer.operands[1].owner.array(store))  # pyright: ignore
    quantizer = largest_scale(rows, 8)
    set_weights(layer, quantizer.integers(rows), quantizer, store)
    weights = layer.operands[1].owner
    assert isinstance(weights, DequantizeOp)
    params: dict[str, Any] = {name: value for name, value in layer.properties.items() if name != SEGMENTS}
    sums = building.add(type(layer)(codes, weights.x, None, **params))
    y = building.add(MulOp(building.add(DequantizeOp(sums)), scale))
    if layer.bias is not None:
        y = building.add(AddOp(y, building.along_channels(layer)))
    Rewriter.replace_op(layer, [], [y])
    if not weights.result.uses.get_length():
        Rewriter.erase_op(weights)
