"""A layer normalization written out in parts is one operation again, which has an integer form.

%d = dnn.sub %x, (mean of %x)
%v = mean of %d * %d               ->      %y = dnn.layer_norm %x, %g, shift(%b) axis = -1 epsilon = e
%y = %d / sqrt(%v + e) * %g + %b
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.dnn.composite import LayerNormOp
from dnnc.ir.dnn.elementwise import AddOp, DivOp, MulOp, PowOp, SubOp
from dnnc.ir.dnn.function import SqrtOp
from dnnc.ir.dnn.reduction import ReduceMeanOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.rewriting import apply_laws
from dnnc.ir.types import F32, shape_of
from dnnc.ir.weights import WeightStore, store_of


@dataclass(frozen=True)
class ComposeNormsPass(ModulePass):
    """Put together what exporters before ONNX opset 17 take apart; results are equal to rounding."""

    name = "compose-norms"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        apply_laws(op, [PartsAreLayerNorm(store), FactorIntoScale(store), AddendIntoShift(store)])


def one_value(value: SSAValue, store: WeightStore) -> float | None:
    """The value of a constant of one element."""
    made = value.owner
    if not isinstance(made, ConstOp) or np.prod(shape_of(value.type), dtype=np.int64) != 1:
        return None
    return float(made.array(store).reshape(()))


def squared(value: SSAValue, store: WeightStore) -> SSAValue | None:
    """The d of d * d or d^2."""
    made = value.owner
    if isinstance(made, MulOp) and made.a is made.b:
        return made.a
    return made.a if isinstance(made, PowOp) and one_value(made.b, store) == 2 else None


def mean(value: SSAValue) -> ReduceMeanOp | None:
    """The mean over the last dimensions that makes a value, when they are kept with size 1."""
    made = value.owner
    if not isinstance(made, ReduceMeanOp) or made.keepdims is None or made.element() != F32:
        return None
    rank = len(made.shape())
    return made if made.axes.data == tuple(range(rank - len(made.axes.data), rank)) else None


@dataclass
class PartsAreLayerNorm(RewritePattern):
    """(x - mean(x)) / sqrt(mean((x - mean(x))^2) + e) = layer_norm(x) with scale 1, over the last dimensions."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: DivOp, rewriter: PatternRewriter, /):
        d, root = op.a.owner, op.b.owner
        if not isinstance(d, SubOp) or not isinstance(root, SqrtOp):
            return
        center, (spread, epsilon) = mean(d.b), self._spread(root.x)
        if center is None or spread is None or epsilon is None or center.x is not d.a:
            return
        if squared(spread.x, self.store) is op.a and spread.axes == center.axes:
            ones = ConstOp.of(np.ones(center.shape()[center.axes.data[0] :], np.float32), self.store, "ones")
            axis = -len(center.axes.data)
            rewriter.replace(op, [ones, LayerNormOp(d.a, ones, axis=axis, epsilon=epsilon)])

    def _spread(self, value: SSAValue) -> tuple[ReduceMeanOp | None, float | None]:
        """The variance and the epsilon that is added to it."""
        made = value.owner
        if not isinstance(made, AddOp):
            return mean(value), 0.0
        for v, c in ((made.a, made.b), (made.b, made.a)):
            if (found := mean(v)) is not None:
                return found, one_value(c, self.store)
        return None, None


def _norm_and_constant(op: AddOp | MulOp) -> tuple[LayerNormOp, ConstOp] | None:
    """A layer norm that only this operation reads, and the constant beside it that varies over what is normalized."""
    for x, c in ((op.a, op.b), (op.b, op.a)):
        norm, const = x.owner, c.owner
        if isinstance(norm, LayerNormOp) and norm.shift is None and isinstance(const, ConstOp) and x.has_one_use():
            trailing = shape_of(norm.x.type)[norm.axis.data :]
            if shape_of(c.type) == trailing and shape_of(norm.scale.type) == trailing:
                return norm, const
    return None


def _with(norm: LayerNormOp, scale: SSAValue | Operation, shift: SSAValue | None) -> LayerNormOp:
    return LayerNormOp(norm.x, scale, shift, axis=norm.axis, epsilon=norm.epsilon)


@dataclass
class FactorIntoScale(RewritePattern):
    """layer_norm(x, g) * c = layer_norm(x, g * c)."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp, rewriter: PatternRewriter, /):
        found = _norm_and_constant(op)
        if found is not None and isinstance(found[0].scale.owner, ConstOp):
            norm, c = found
            factor = found[0].scale.owner.array(self.store) * c.array(self.store)
            scale = ConstOp.of(factor, self.store, c.key.data if c.key is not None else "scale")
            rewriter.replace(op, [scale, _with(norm, scale, None)])


@dataclass
class AddendIntoShift(RewritePattern):
    """layer_norm(x, g) + c = layer_norm(x, g, shift c)."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: AddOp, rewriter: PatternRewriter, /):
        found = _norm_and_constant(op)
        if found is not None:
            norm, c = found
            rewriter.replace(op, _with(norm, norm.scale, c.result))
