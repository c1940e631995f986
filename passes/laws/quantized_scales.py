"""A batch norm or a factor after a contraction of quantized weights goes into their scales; the integers stay.

    %w = dnn.const : !dnn.q<i8, axis 0, [s_w[m]]>            %w = dnn.const : !dnn.q<i8, axis 0, [s_w[m] * |f[m]|]>
    %1 = dnn.conv %x, dequantize(%w), bias(%b)         ->    %2 = dnn.conv %x, dequantize(%w), bias(%c)
    %2 = dnn.batch_norm %1, %scale, %shift, %mean, %var      f = scale / sqrt(var + epsilon), c = (b - mean) * f + shift

A filter with f < 0 has its integers mirrored at the zero point, one with f = 0 holds the zero point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.dnn.composite import BatchNormOp
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import MulOp
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import QuantType, along, dtype, integer_range, shape_of, tensor
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.contractions import Contraction, channel_axis, multiplied, normalized, weight_axis
from dnnc.passes.laws.quantized_constants import dequantized_constant, quant_type

LARGEST_BIAS = 2.0**30  # of a bias in int32, in units of the sums it is added to


def laws(store: WeightStore) -> list[RewritePattern]:
    """Every law, in the order they are tried."""
    return [BatchNormIntoScales(store), FactorIntoScales(store)]


@dataclass
class BatchNormIntoScales(RewritePattern):
    """batch_norm(W x + b) = (f W) x + (b - mean) f + shift, f W by its scales."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: BatchNormOp, rewriter: PatternRewriter, /):
        found = normalized(op, foldable, self.store)
        if found is None:
            return
        before, (scale, shift, mean, var) = found[0], (v.astype(np.float64) for v in found[1])
        factor = scale / np.sqrt(var + op.epsilon.data)
        new = rescaled(before, factor, (real_bias(before, self.store) - mean) * factor + shift, self.store)
        if new is not None:
            rewriter.replace(op, new)


@dataclass
class FactorIntoScales(RewritePattern):
    """c * (W x + b) = (c W) x + c b, for a constant c of one value or one a channel, c W by its scales."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp, rewriter: PatternRewriter, /):
        for before, factor in multiplied(op, foldable, self.store):
            bias = real_bias(before, self.store)
            new = rescaled(before, factor.astype(np.float64), bias * factor, self.store)
            if new is not None:
                rewriter.replace(op, new)
                return


def foldable(x: SSAValue) -> Contraction | None:
    """The contraction with dequantized constant weights that makes x for one user, if any."""
    op = x.owner
    if not isinstance(op, (ConvOp, ConvTransposeOp, MatmulOp)) or not x.has_one_use():
        return None
    constant = dequantized_constant(op.operands[1]) is not None and len(op.shape(1)) >= 2
    return op if constant and (op.bias is None or _flat_constant(op.bias)) else None


def _flat_constant(bias: SSAValue) -> bool:
    known = isinstance(bias.owner, ConstOp) or dequantized_constant(bias) is not None
    return known and all(d == 1 for d in shape_of(bias.type)[:-1])


def real_bias(op: Contraction, store: WeightStore) -> np.ndarray:
    """The bias of a contraction as real numbers, 0 without one."""
    channels = shape_of(op.result.type)[channel_axis(op)]
    if op.bias is None:
        return np.zeros(channels)
    made = op.bias.owner
    if isinstance(made, DequantizeOp):
        values = made.evaluate(made.x.owner.array(store))  # pyright: ignore[reportAttributeAccessIssue]
    else:
        values = made.array(store)  # pyright: ignore[reportAttributeAccessIssue]
    return np.broadcast_to(values.reshape(-1).astype(np.float64), (channels,))


def rescaled(op: Contraction, factor: np.ndarray, bias: np.ndarray, store: WeightStore) -> list[Operation] | None:
    """The contraction with the scales of its weights times |factor|, and a bias; None when no type holds that."""
    const = dequantized_constant(op.operands[1])
    assert const is not None
    q, axis = quant_type(const), weight_axis(op)
    if axis is None and len(set(factor.tolist())) > 1:
        return None
    type_ = _type(q, np.where(factor == 0, 1, np.abs(factor)), axis)
    codes = _mirrored(const, q, np.sign(factor), axis, store)
    if type_ is None or codes is None or not _holds(op, type_, bias):
        return None
    weights = ConstOp.keyed(codes, tensor(type_, shape_of(const.result.type)), op.location)
    real = ConstOp.of(bias.astype(dtype(op.element())), store, f"{_hint(const)}.bias")
    plain = op.bias is None and not bias.any()
    dequantized = DequantizeOp(weights)
    new = type(op).create(
        operands=[op.operands[0], dequantized.result, *([] if plain else [real.result])],
        result_types=[op.result.type],
        properties=op.properties,
        attributes=op.attributes,
        location=op.location,
    )
    return [weights, dequantized, *([] if plain else [real]), new]


def _type(q: QuantType, factor: np.ndarray, axis: int | None) -> QuantType | None:
    """The type with its scales times a factor of each channel; None when a scale has no float32."""
    if q.axis not in (None, axis):
        return None
    scales = (q.scale * factor).astype(np.float32)
    if not np.all(np.isfinite(scales) & (scales > np.finfo(np.float32).tiny)):
        return None
    if q.axis is None and len(set(scales.tolist())) == 1:
        return QuantType.per_tensor(q.storage, scales[0], int(q.zero))
    if axis is None:
        return None
    return QuantType.per_channel(q.storage, scales, axis, np.broadcast_to(q.zero, scales.shape).tolist())


def _mirrored(const: ConstOp, q: QuantType, sign: np.ndarray, axis: int | None, store: WeightStore) -> str | None:
    """Key of z + sign * (w - z); None when a value leaves the storage type."""
    if np.all(sign == 1) and const.key is not None:
        return const.key.data
    w = const.array(store).astype(np.int64)
    zero = along(q.zero, q.axis, w.ndim)
    sign = sign[:1].reshape(()) if axis is None else along(sign, axis, w.ndim)
    codes = zero + sign.astype(np.int64) * (w - zero)
    low, high = integer_range(q.storage)
    if codes.min(initial=0) < low or codes.max(initial=0) > high:
        return None
    return store.add(f"{_hint(const)}.mirrored", codes.astype(dtype(q)))


def _holds(op: Contraction, w: QuantType, bias: np.ndarray) -> bool:
    """Whether int32 holds the bias in units of the sums, where the input is quantized."""
    x = op.operands[0].owner
    q = x.element() if isinstance(x, DequantizeOp) else None
    if not isinstance(q, QuantType):
        return True
    unit = np.asarray(q.scale * w.scale, np.float64)
    return bool(np.all(np.abs(bias) < LARGEST_BIAS * unit))


def _hint(const: ConstOp) -> str:
    return const.key.data if const.key is not None else "weights"
