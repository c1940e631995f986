"""Laws of `dnn.requant_shift`: where its offset is a multiple of its multiplier it is a requantize, the offset a bias.

%1 = dnn.conv %x, %w                                           %1 = dnn.conv %x, %w, bias(offset / multiplier)
%2 = dnn.requant_shift %1, %multiplier, %offset shift = 16 ->  %2 = dnn.requantize %1 multiplier = [...] shift = 16

since x * m + o = (x + o / m) * m; every backend runs that. Any other offset stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.quantize import DequantizeOp, RequantizeOp
from dnnc.ir.dnn.rescale import RequantShiftOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import I32, QuantType, shape_of, tensor
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.contractions import Contraction, channel_axis, channel_values, weight_axis

LARGEST = 2**30  # of a bias
WIDEST_SHIFT = 32


@dataclass
class RequantShiftIsRequantize(RewritePattern):
    """(x * m + o) / 2^shift = (x + o / m) * m / 2^shift, when m divides o."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: RequantShiftOp, rewriter: PatternRewriter, /):
        m, o = op.multiplier.owner, op.offset.owner
        if not isinstance(m, ConstOp) or not isinstance(o, ConstOp) or op.shift.data > WIDEST_SHIFT:
            return
        multiplier, offset = m.array(self.store).astype(np.int64), o.array(self.store)
        if multiplier.min(initial=1) < 1 or np.any(offset % multiplier):
            return
        if multiplier.size and np.all(multiplier == multiplier.flat[0]) and not offset.any():
            rewriter.replace(op, _requantize(op, op.x, [int(multiplier.flat[0])]))
            return
        self._into_sums(op, rewriter)

    def _into_sums(self, op: RequantShiftOp, rewriter: PatternRewriter) -> None:
        """Multipliers and offsets of each channel, after a contraction of constants."""
        product = op.x.owner
        if not isinstance(product, (ConvOp, ConvTransposeOp, MatmulOp)) or not _alone(op):
            return
        multiplier, offset = (channel_values(v, product, self.store) for v in (op.multiplier, op.offset))
        if multiplier is None or offset is None:
            return
        new = by_channel(product, offset // multiplier, self.store)
        if new is not None:
            rewriter.replace(op, [*new, _requantize(op, new[-1].results[0], multiplier.tolist())])


def _alone(op: RequantShiftOp) -> bool:
    """Whether nothing else reads the operand, but real numbers that nothing reads."""
    others = [use.operation for use in op.x.uses if use.operation is not op]
    return all(isinstance(o, DequantizeOp) and not o.result.uses for o in others)


def _requantize(op: RequantShiftOp, x: SSAValue, multiplier: list[int]) -> RequantizeOp:
    return RequantizeOp(x, to=op.to, rounding=op.rounding, multiplier=tuple(multiplier), shift=op.shift)


def by_channel(op: Contraction, more: np.ndarray, store: WeightStore) -> list[Operation] | None:
    """The contraction with its scale written once a channel, and integers added to its bias; None when that does not fit."""
    w, axis = op.operands[1].owner, weight_axis(op)
    bias = op.bias.owner if op.bias is not None else None
    if not isinstance(w, ConstOp) or axis is None or not (bias is None or isinstance(bias, ConstOp)):
        return None
    q, channels = w.result.type.element_type, shape_of(op.result.type)[channel_axis(op)]  # pyright: ignore
    assert isinstance(q, QuantType)
    total = more if bias is None else bias.array(store).astype(np.int64).reshape(-1) + more
    if np.abs(total).max(initial=0) >= LARGEST:
        return None
    each = [np.broadcast_to(v, (channels,)) for v in (q.scale, q.zero)]
    weights = w.read_as(tensor(QuantType.per_channel(q.storage, each[0], axis, each[1].tolist()), op.shape(1)), store)
    unit = np.broadcast_to(op.result.type.element_type.scale, (channels,))  # pyright: ignore
    type_ = tensor(QuantType.per_channel(I32, unit, 0), (channels,))
    sums = ConstOp.of(total.astype(np.int32), store, "bias.i32", type_)
    properties = {k: v for k, v in op.properties.items() if k != "operandSegmentSizes"}
    return [weights, sums, type(op)(op.operands[0], weights, sums, **properties, location=op.location)]
