"""Laws of `dnn.threshold`: what comes before it moves into the thresholds, and on quantized values they are integers.

%1 = dnn.mul %x, %f                                      %2 = dnn.threshold %x, (t - b) / f
%2 = dnn.add %1, %b                                ->
%3 = dnn.threshold %2, t

%1 = dnn.dequantize %q : !dnn.q<i32, s, 0>               %2 = dnn.threshold %q, ceil(t / s)
%2 = dnn.threshold %1, t                           ->
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.dnn.attributes import normal_axis
from dnnc.ir.dnn.composite import BatchNormOp
from dnnc.ir.dnn.elementwise import AddOp, DivOp, MulOp, SubOp
from dnnc.ir.dnn.movement import ReshapeOp
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import QuantType, shape_of
from dnnc.ir.weights import WeightStore

INT32 = (-(2**31), 2**31 - 1)


def laws(store: WeightStore) -> list[RewritePattern]:
    """The laws that move into thresholds what comes before them."""
    return [ThresholdOfReshape(), ThresholdOfAffine(store), SignOfReshape(store)]


def constant(value: SSAValue, store: WeightStore) -> np.ndarray | None:
    """The values of a constant, else None."""
    return value.owner.array(store) if isinstance(value.owner, ConstOp) else None


def thresholded(op: ThresholdOp, x: SSAValue, t: np.ndarray, store: WeightStore, **changed: Any) -> list[Operation]:
    """The same threshold of another value, with other thresholds."""
    const = ConstOp.of(t, store, "thresholds")
    params = {"to": op.to, "axis": op.axis, "first": op.first, "step": op.step, **changed}
    return [const, ThresholdOp(x, const, **params)]


def by_channel(v: np.ndarray, op: ThresholdOp) -> tuple[np.ndarray, int] | None:
    """A constant beside the operand of a threshold as a column, and the axis it varies along; None when there is another."""
    shape = op.shape()
    axis = normal_axis(op.axis.data, len(shape))  # pyright: ignore[reportOptionalMemberAccess]
    own = (1,) * (len(shape) - v.ndim) + v.shape
    varying = [i for i, d in enumerate(own) if d != 1] or [axis]
    if len(own) > len(shape) or len(varying) > 1 or (varying != [axis] and op.shape(1)[0] != 1):
        return None
    return v.reshape(-1, 1).astype(np.float64), varying[0]


@dataclass
class ThresholdOfAffine(RewritePattern):
    """(x * f + b >= t) = (x * sign(f) >= (t - b) / |f|) for constants f, not 0, and b, by channel."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ThresholdOp, rewriter: PatternRewriter, /):
        found = self._affine(op, op.x.owner)
        t = constant(op.thresholds, self.store)
        if found is None or t is None:
            return
        x, factor, shift, axis = found
        signs = np.all(np.abs(factor) == 1) and not np.all(factor == 1)
        if x.type != op.x.type or signs or not np.all(np.isfinite(factor) & (factor != 0)):
            return
        moved = ((t.astype(np.float64) - shift) / np.abs(factor)).astype(np.float32)
        mirrored: list[Operation] = []
        if np.any(factor < 0):
            rank = len(op.shape())
            signed = np.sign(factor).reshape(-1, *(1,) * (rank - axis - 1)).astype(np.float32)
            mirrored = [sign := ConstOp.of(signed, self.store, "sign"), MulOp(x, sign.result)]
            x = mirrored[1].results[0]
        rewriter.replace(op, [*mirrored, *thresholded(op, x, moved, self.store, axis=axis)])

    def _affine(self, op: ThresholdOp, f: Any) -> tuple[SSAValue, np.ndarray, np.ndarray, int] | None:
        """(x, f, b, axis) when the operand is x * f + b, f and b along the axis."""
        one, none = np.ones((1, 1)), np.zeros((1, 1))
        if isinstance(f, BatchNormOp) and (op.axis.data == 1 or op.shape(1)[0] == 1):  # pyright: ignore
            stats = [constant(v, self.store) for v in (f.scale, f.shift, f.mean, f.var)]
            if any(s is None for s in stats):
                return None
            scale, shift, mean, var = (s.reshape(-1, 1).astype(np.float64) for s in stats if s is not None)
            factor = scale / np.sqrt(var + f.epsilon.data)
            return f.x, factor, shift - mean * factor, 1
        if not isinstance(f, (AddOp, SubOp, MulOp, DivOp)):
            return None
        pairs = [(f.a, f.b)] if isinstance(f, (SubOp, DivOp)) else [(f.a, f.b), (f.b, f.a)]
        for x, c in pairs:
            values = constant(c, self.store)
            found = None if values is None else by_channel(values, op)
            if found is not None:
                v, axis = found
                with np.errstate(divide="ignore"):
                    forms = {AddOp: (one, v), SubOp: (one, -v), MulOp: (v, none), DivOp: (1 / v, none)}
                return x, *forms[type(f)], axis
        return None


class ThresholdOfReshape(RewritePattern):
    """threshold(reshape(x)) = reshape(threshold(x)), where one set of thresholds is for all, or the channels stay in place."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ThresholdOp, rewriter: PatternRewriter, /):
        view = op.x.owner
        if not isinstance(view, ReshapeOp):
            return
        before, after = shape_of(view.x.type), shape_of(op.x.type)
        axis = normal_axis(op.axis.data, len(after))  # pyright: ignore[reportOptionalMemberAccess]
        one = op.shape(1)[0] == 1
        kept = axis < len(before) and before[: axis + 1] == after[: axis + 1]
        if not (one or kept) or not before:
            return
        new = ThresholdOp(view.x, op.thresholds, to=op.to, axis=axis if kept else 0, first=op.first, step=op.step)
        rewriter.replace(op, [new, ReshapeOp(new, shape=after)])


@dataclass
class SignOfReshape(RewritePattern):
    """reshape(x) * c = reshape(x * c) for signs c by channel, where the channels stay in place: beside what makes x."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp, rewriter: PatternRewriter, /):
        view, c = op.a.owner, constant(op.b, self.store)
        if not isinstance(view, ReshapeOp) or c is None or not np.all(np.abs(c) == 1) or op.a.type != op.result.type:
            return
        before, after = shape_of(view.x.type), shape_of(op.a.type)
        own = (1,) * (len(after) - c.ndim) + c.shape
        varying = [i for i, d in enumerate(own) if d != 1]
        if len(varying) != 1 or before[: varying[0] + 1] != after[: varying[0] + 1]:
            return
        beside = c.reshape(-1, *(1,) * (len(before) - varying[0] - 1))
        sign = ConstOp.of(beside, self.store, "sign")
        product = MulOp(view.x, sign.result)
        rewriter.replace(op, [sign, product, ReshapeOp(product, shape=after)])


@dataclass
class ThresholdOfDequantized(RewritePattern):
    """(s * (q - z) >= t) = (q >= the smallest integer for which that holds), found in float32 as the values are."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ThresholdOp, rewriter: PatternRewriter, /):
        made, t = op.x.owner, constant(op.thresholds, self.store)
        q = made.element() if isinstance(made, DequantizeOp) else None
        if not isinstance(made, DequantizeOp) or not isinstance(q, QuantType) or t is None:
            return
        axis = normal_axis(op.axis.data, len(op.shape()))  # pyright: ignore[reportOptionalMemberAccess]
        if q.axis in (None, axis):
            rewriter.replace(op, thresholded(op, made.x, smallest(t, q), self.store))


def smallest(t: np.ndarray, q: QuantType) -> np.ndarray:
    """The smallest integers q with fl32(fl32(q - z) * s) >= t, thresholds [C, K]; int32, its largest value where there is none."""
    scale, zero = (v if q.axis is None else v.reshape(-1, 1) for v in (q.scale, q.zero))
    real = lambda n: (n - zero).astype(np.float32) * scale  # noqa: E731
    with np.errstate(all="ignore"):
        guess = np.ceil(t.astype(np.float64) / scale.astype(np.float64)) + zero
    n = np.clip(np.nan_to_num(guess, nan=INT32[1]), *INT32).astype(np.int64)
    for _ in range(2):  # float32 moves it by one at most
        n = np.where(real(n - 1) >= t, n - 1, n)
        n = np.where(real(n) >= t, n, n + 1)
    return np.clip(n, *INT32).astype(np.int32)
