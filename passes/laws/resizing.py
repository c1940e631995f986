"""Laws of `dnn.resize`: nearest by whole factors only moves values, as every backend does.

%1 = dnn.resize %x size = [1, 8, 6, 6]        %1 = dnn.reshape %x shape = [1, 8, 3, 1, 3, 1]
  mode = nearest : 1x8x3x3              ->    %2 = dnn.expand %1 shape = [1, 8, 3, 2, 3, 2]
                                              %3 = dnn.reshape %2 shape = [1, 8, 6, 6]
"""

from __future__ import annotations

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.dnn.movement import ExpandOp, ReshapeOp, SliceOp
from dnnc.ir.dnn.resampling import ResizeOp


def laws() -> list[RewritePattern]:
    """Every law, in the order they are tried."""
    return [NearestIsExpand(), NearestIsSlice()]


def indices(op: ResizeOp) -> list[np.ndarray] | None:
    """For each axis which index of x each index of y takes; None unless the mode is nearest and all lie inside."""
    if op.mode.data != "nearest" or 0 in op.size.data:
        return None
    taps = [op.taps(axis) for axis in range(len(op.shape()))]
    return None if any(t.outside.any() for t in taps) else [t.index[:, 0] for t in taps]


class NearestIsExpand(RewritePattern):
    """resize(x) = reshape(expand(reshape(x))), where every value of x is repeated the same number of times along an axis."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ResizeOp, rewriter: PatternRewriter, /):
        shape, found = op.shape(), indices(op)
        if found is None or any(n % d for n, d in zip(op.size.data, shape)):
            return
        factors = [n // d for n, d in zip(op.size.data, shape)]
        if all(np.array_equal(i, np.arange(len(i)) // f) for i, f in zip(found, factors)):
            rewriter.replace(op, repeated(op.x, shape, factors))


def repeated(x: SSAValue, shape: tuple[int, ...], factors: list[int]) -> list[Operation]:
    """Each value of an axis `factors[axis]` times, one after another."""
    apart, spread = [], []
    for d, f in zip(shape, factors):
        apart += [d, 1] if f > 1 else [d]
        spread += [d, f] if f > 1 else [d]
    first = ReshapeOp(x, shape=tuple(apart))
    second = ExpandOp(first, shape=tuple(spread))
    return [first, second, ReshapeOp(second, shape=tuple(d * f for d, f in zip(shape, factors)))]


class NearestIsSlice(RewritePattern):
    """resize(x) = x[start :: step], where the taken indices have one distance along each axis."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ResizeOp, rewriter: PatternRewriter, /):
        found = indices(op)
        if found is None:
            return
        steps = [int(i[1] - i[0]) if len(i) > 1 else 1 for i in found]
        if all(s > 0 and (np.diff(i) == s).all() for i, s in zip(found, steps)):
            start = tuple(int(i[0]) for i in found)
            rewriter.replace(op, SliceOp(op.x, start=start, size=op.size, step=tuple(steps)))
