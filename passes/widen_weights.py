"""Weights of less than a byte are held in bytes, with the scales they have, for machines that read nothing narrower.

%w = dnn.const key = "w.i4" : !dnn.q<i4, ...>    ->    %w = dnn.const key = "w.i4.i8" : !dnn.q<i8, ...>
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import I8, QuantType, bits, integer_range, tensor
from dnnc.ir.weights import WeightStore, store_of


@dataclass(frozen=True)
class WidenWeightsPass(ModulePass):
    """Integer weights of convolutions and matrix products that have fewer than 8 bits become int8, value for value."""

    name = "widen-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        for layer in op.walk():
            if isinstance(layer, (ConvOp, ConvTransposeOp, MatmulOp)) and isinstance(layer.operands[1].owner, ConstOp):
                _widen(layer.operands[1].owner, store)


def _widen(const: ConstOp, store: WeightStore) -> None:
    element = const.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    if not isinstance(element, QuantType) or bits(element) >= 8 or integer_range(element.storage)[0] == 0:
        return
    values = const.array(store).astype(np.int8)
    hint = const.key.data if const.key is not None else "weights"
    type_ = tensor(QuantType(replace(element.data, storage=I8)), values.shape)
    new = ConstOp.of(values, store, f"{hint}.i8", type_, const.location)
    Rewriter.replace_op(const, new)
