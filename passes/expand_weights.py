"""Codes of weights become the integers they stand for, where there are such; other codes the real numbers.

%c = dnn.const key = "w" : !dnn.pow2<i4, axis 0, [s_0, ...]>        %c = dnn.const key = "w.i8" : !dnn.q<i8, axis 0, [s_0, ...]>
%w = dnn.dequantize %c                                        ->    %w = dnn.dequantize %c
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from dnnc.ir.codes import WeightCode
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import bits, shape_of, tensor
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.contractions import Contraction, weight_axis


@dataclass(frozen=True)
class ExpandWeightsPass(ModulePass):
    """Powers of two, codebooks of whole numbers and blocks at whole multiples of a scale become int8 or int16, exactly.

    So `quantize` and `quantize-lower` do first. What has no such integers becomes float32, exactly too, and is then a
    weight like others: `quantize` rounds it to int8.
    """

    name = "expand-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        expand(op, store_of(ctx))


def expand(module: ModuleOp, store: WeightStore) -> None:
    """Every dequantized constant of a code as that of a uniform type, or as real numbers."""
    for op in list(module.walk()):
        if isinstance(op, DequantizeOp) and isinstance(op.element(), WeightCode) and isinstance(op.x.owner, ConstOp):
            const = op.x.owner
            Rewriter.replace_op(op, _expanded(op, const, store))
            if not const.result.uses:
                Rewriter.erase_op(const)


def _expanded(op: DequantizeOp, const: ConstOp, store: WeightStore) -> list[Operation]:
    code, codes = op.element(), const.array(store)
    assert isinstance(code, WeightCode)
    hint = const.key.data if const.key is not None else "weights"
    found = code.integers(codes, _channels(op))
    if found is None:
        return [ConstOp.of(code.real(codes), store, f"{hint}.f32", None, const.location)]
    integers, type_ = found
    values = np.ascontiguousarray(integers)
    new = ConstOp.of(values, store, f"{hint}.i{bits(type_)}", tensor(type_, shape_of(op.x.type)), const.location)
    return [new, DequantizeOp(new, location=op.location)]


def _channels(op: DequantizeOp) -> int | None:
    """The dimension that may have a scale an index: that of the output channels of who reads the weights."""
    for use in op.result.uses:
        if isinstance(use.operation, Contraction) and use.index == 1:
            return weight_axis(use.operation)
    return None
