"""Weights of convolutions and matrix products become integers of 2 to 8 bits, one scale an output channel.

%1 = dnn.conv %x, %w    ->    %q = dnn.const key = "w.i4" : !dnn.q<i4, axis 0, [s_0, s_1, ...]>
                              %w = dnn.dequantize %q
                              %1 = dnn.conv %x, %w

`quantize` keeps weights that are integers, and `correct-bias` takes out the error of the mean they leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.weights import store_of
from dnnc.passes.analysis.integer_weights import (
    best_scale,
    largest_scale,
    layers,
    rows_of,
    set_weights,
    shared_scale,
    taken_by,
    widths_of,
)


@dataclass(frozen=True)
class QuantizeWeightsPass(ModulePass):
    """Each weight to the nearest integer of `bits`; the scale of a channel by its largest weight, or by the least error.

    A scheme may give layers widths of their own, one scale for all channels, or to another pass.
    """

    name = "quantize-weights"
    bits: int
    scale: Literal["largest", "least-error"] = "least-error"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        choose = best_scale if self.scale == "least-error" else largest_scale
        for layer in [x for x in layers(op) if taken_by(self.name, x)]:
            rows = rows_of(layer, layer.operands[1].owner.array(store))  # pyright: ignore
            quantizer = choose(rows, widths_of(layer, rows, self.bits), shared_scale(layer))
            set_weights(layer, quantizer.integers(rows), quantizer, store)
