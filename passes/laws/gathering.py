"""Laws of `dnn.gather`: constant indices at one distance from each other are a slice, which moves values by strides.

%i = dnn.const value = dense<[1, 3]>                 %1 = dnn.slice %x start = [0, 1] size = [4, 2] step = [1, 2]
%1 = dnn.gather %x, %i axis = 1 : 4x5, 2     ->
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.dnn.attributes import normal_axis
from dnnc.ir.dnn.movement import GatherOp, ReshapeOp, SliceOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import shape_of
from dnnc.ir.weights import WeightStore


def laws(store: WeightStore) -> list[RewritePattern]:
    """Every law, in the order they are tried."""
    return [GatherIsSlice(store)]


@dataclass
class GatherIsSlice(RewritePattern):
    """gather(x, [a, a + s, a + 2 s ...]) = x[a :: s] along the axis, s > 0."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: GatherOp, rewriter: PatternRewriter, /):
        if not isinstance(op.indices.owner, ConstOp) or isinstance(op.x.owner, ConstOp):
            return
        shape = op.shape()
        axis = normal_axis(op.axis.data, len(shape))
        i = op.indices.owner.array(self.store).reshape(-1).astype(np.int64)
        i = np.where(i < 0, i + shape[axis], i)
        steps = np.unique(np.diff(i))
        if not i.size or i.min() < 0 or i.max() >= shape[axis] or steps.size > 1 or np.any(steps < 1):
            return
        start, size, step = [0] * len(shape), list(shape), [1] * len(shape)
        start[axis], size[axis], step[axis] = int(i[0]), i.size, int(steps[0]) if steps.size else 1
        part = SliceOp(op.x, start=tuple(start), size=tuple(size), step=tuple(step))
        rewriter.replace(op, [part, ReshapeOp(part, shape=shape_of(op.result.type))])
