"""Values added to the biases of layers."""

from __future__ import annotations

import numpy as np
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import shape_of
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.contractions import Contraction, bias_values, channel_axis


def with_bias(op: Contraction, store: WeightStore) -> Contraction:
    """The layer with a bias: a new one of zeros where it has none."""
    if op.bias is not None:
        return op
    channels = shape_of(op.result.type)[channel_axis(op)]
    bias = ConstOp.of(np.zeros(channels, np.float32), store, "bias")
    new = type(op).create(
        operands=[*op.operands, bias.result],
        result_types=[op.result.type],
        properties=op.properties,
        attributes=op.attributes,
        location=op.location,
    )
    Rewriter.replace_op(op, [bias, new], [new.result])
    return new


def add_to_bias(op: Contraction, shift: np.ndarray, store: WeightStore, suffix: str) -> None:
    """b[m] += shift[m], for a bias of one constant a channel; the new constant has the old name and a suffix."""
    assert op.bias is not None
    old = op.bias.owner
    assert isinstance(old, ConstOp)
    values = bias_values(op, store)
    if values is None:
        return
    hint = old.key.data if old.key is not None else "bias"
    new = ConstOp.of((values + shift).astype(np.float32), store, f"{hint}.{suffix}")
    Rewriter.insert_op(new, InsertPoint.before(op))
    op.operands[2] = new.result
