"""Sums of products of dequantized values are sums of integers.

%3 = dnn.conv (dequantize %x), (dequantize %w)      ->      %3 = dequantize (dnn.conv %x, %w)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.diagnostics import Collector, where
from dnnc.ir.dnn.base import SEGMENTS
from dnnc.ir.dnn.contraction import MatmulOp, centered
from dnnc.ir.dnn.integer import WIDEST, reach
from dnnc.ir.dnn.quantize import DequantizeOp, quantized
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import I32, QuantType, along, bits, dtype, integer_range, shape_of, tensor
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.contractions import Contraction, channel_axis, weight_axis
from dnnc.passes.analysis.dequantized import source, type_of
from dnnc.passes.analysis.integer_forms import constant, constant_bias

AT_ONCE = 1 << 22  # weights that are widened at a time
LARGEST_SUM = 2**30  # half of int32 is left to the bias
WHOLE = 2.0**-8  # of a product: a bias no further from a sum changes nothing that float32 would not


@dataclass
class ContractionOfDequantized(RewritePattern):
    """conv(s_x * (x - z_x), s_w * (w - z_w)) = s_x * s_w * conv(x - z_x, w - z_w), the sum in int32; the bias at its scale."""

    store: WeightStore
    report: Collector

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /):
        if not isinstance(op, Contraction) or not takes_integers(op):
            return
        x, w = source(op.operands[0]), source(op.operands[1])
        assert x is not None and w is not None
        w = self._finer(op, x, w)
        bias = [] if op.bias is None else [self._bias(op, np.asarray(type_of(x).scale * type_of(w).scale, np.float32))]
        self._check(op, x, w, bias)
        properties = {k: v for k, v in op.properties.items() if k != SEGMENTS}
        sums = type(op)(x, w, *bias, **properties, location=op.location)
        rewriter.replace(op, [*bias, sums, DequantizeOp(sums)])

    def _bias(self, op: Contraction, scale: np.ndarray) -> ConstOp:
        """The bias in int32 at the scale s_x * s_w[m]: the constant that is so already, or one made of its values."""
        assert op.bias is not None
        own = constant(op.bias)
        assert own is not None
        channels = shape_of(op.result.type)[channel_axis(op)]
        type_ = QuantType.per_channel(I32, scale, 0) if scale.ndim else QuantType.per_tensor(I32, float(scale))
        if in_type(own, type_):
            return own.clone()
        values = np.broadcast_to(real_values(own, self.store).reshape(-1), (channels,))
        hint = own.key.data if own.key is not None else "bias"
        return ConstOp.of(quantized(values, type_), self.store, f"{hint}.i32", tensor(type_, (channels,)))

    def _finer(self, op: Contraction, x: SSAValue, w: SSAValue) -> SSAValue:
        """Weights times 2^k at the scale s_w / 2^k, as far as their storage and the sums allow, where no sum meets the bias.

        The same products; the bias then is off by at most s_x * s_w / 2^(k + 1), which for weights of few bits is much of a step.
        """
        const, type_ = w.owner, type_of(w)
        if not isinstance(const, ConstOp) or np.any(type_.zero) or not self._between_sums(op, x, w):
            return w
        values = const.array(self.store).astype(np.int64)
        largest, sums = np.abs(values).max(initial=0), largest_sums(op, x, w, self.store).max(initial=1)
        high = integer_range(type_.storage)[1]
        k = min(int(high // max(1, largest)).bit_length(), int(LARGEST_SUM // max(1, sums)).bit_length()) - 1
        if k < 1 or largest < 2:
            return w
        finer = (
            QuantType.per_channel(type_.storage, type_.scale * 2.0**-k, type_.axis)
            if type_.axis is not None
            else (QuantType.per_tensor(type_.storage, float(type_.scale) * 2.0**-k))
        )
        hint = const.key.data if const.key is not None else "weights"
        new = ConstOp.of((values << k).astype(dtype(type_)), self.store, f"{hint}.finer", tensor(finer, values.shape))
        Rewriter.insert_op(new, InsertPoint.before(op))
        return new.result

    def _between_sums(self, op: Contraction, x: SSAValue, w: SSAValue) -> bool:
        """Whether a bias is not a whole number of products."""
        own = constant(op.bias) if op.bias is not None else None
        if own is None or isinstance(own.result.type.element_type, QuantType):  # pyright: ignore
            return False
        steps = own.array(self.store).reshape(-1) / (type_of(x).scale.astype(np.float64) * type_of(w).scale).reshape(-1)
        return bool(np.any(np.abs(steps - np.rint(steps)) > WHOLE))

    def _check(self, op: Contraction, x: SSAValue, w: SSAValue, bias: list[ConstOp]) -> None:
        """Report a layer whose sums could leave int32: A[m] = sum |w[m] - z| * max|x - z| + |b[m]|."""
        bound = largest_sums(op, x, w, self.store)
        if bias:
            b = np.abs(bias[0].array(self.store).astype(np.int64))
            bound = bound + b if b.shape == bound.shape else bound.max(initial=0) + b
        if (largest := int(np.max(bound, initial=0))) >= 2**31:
            message = f"'{op.name}' expected sums below 2^31, not up to {largest}. Split the layer's input channels."
            self.report.error(where(op.location, op.name), message, "E0808")


def takes_integers(op: Contraction) -> bool:
    """Whether a contraction has quantized operands that its integer form takes."""
    x, w = source(op.operands[0]), source(op.operands[1])
    if x is None or w is None or type_of(x).axis is not None or max(bits(type_of(x)), bits(type_of(w))) > WIDEST:
        return False
    return type_of(w).axis in (None, weight_axis(op)) and constant_bias(op)


def in_type(op: ConstOp, type_: QuantType) -> bool:
    """Whether a constant already holds integers of the storage and scales of a type, zero point 0."""
    element = op.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    same = isinstance(element, QuantType) and (element.storage, element.data.scales) == (
        type_.storage,
        type_.data.scales,
    )
    return same and not np.any(element.zero) and len(shape_of(op.result.type)) == 1  # pyright: ignore


def real_values(op: ConstOp, store: WeightStore) -> np.ndarray:
    """The numbers a constant stands for, quantized or not."""
    element = op.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    array = op.array(store)
    if not isinstance(element, QuantType):
        return array
    difference = array.astype(np.int64) - along(element.zero, element.axis, array.ndim)
    return (difference * along(element.scale, element.axis, array.ndim).astype(np.float64)).astype(np.float32)


def largest_sums(op: Contraction, x: SSAValue, w: SSAValue, store: WeightStore) -> np.ndarray:
    """The largest |sum of (x - z_x) * (w - z_w)|: of known weights for each channel, else for all."""
    far, axis = reach(type_of(x)), weight_axis(op)
    if not isinstance(w.owner, ConstOp):
        terms = op.work().macs // max(1, op.elements())
        return np.array([terms * far * reach(type_of(w))])
    values = w.owner.array(store)
    if len(op.shape(1)) < 2 or axis is None:
        return np.array([np.abs(centered(values, type_of(w)).astype(np.int64)).sum() * far])
    zero = along(np.broadcast_to(type_of(w).zero, values.shape[axis]), axis, values.ndim)
    step = max(1, AT_ONCE * values.shape[axis] // max(1, values.size))
    sums = []
    for at in range(0, max(1, values.shape[axis]), step):
        part = (slice(None),) * axis + (slice(at, at + step),)
        terms = np.abs(values[part].astype(np.int64) - zero[part])
        sums.append(terms.sum(_summed(op, axis)))
    return np.concatenate(sums, -1).reshape(-1) * far


def _summed(op: Contraction, axis: int) -> tuple[int, ...]:
    """The dimensions of weights a sum goes over; the first ones of a matrix product are a batch."""
    rank = len(op.shape(1))
    if isinstance(op, MatmulOp):
        return (2 * rank - 3 - axis,)
    return tuple(i for i in range(rank) if i != axis)
