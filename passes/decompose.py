"""Composites become the simpler operations they are sums of, unless the target claims them.

%1 = dnn.softmax %x axis = 1    ->    %m = dnn.reduce_max %x ...; %d = dnn.sub %x, %m; %e = dnn.exp %d; ...
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.dnn import composite as comp
from dnnc.ir.dnn import elementwise as el
from dnnc.ir.dnn import function as fn
from dnnc.ir.dnn import reduction as red
from dnnc.ir.dnn.attributes import Window, normal_axes, normal_axis
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.movement import ReshapeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.rewriting import allowed
from dnnc.ir.types import dtype, float_range, shape_of, tensor_of
from dnnc.ir.weights import WeightStore, store_of


@dataclass
class Builder:
    """Builds a chain of operations that will replace one."""

    op: DnnOp
    store: WeightStore
    ops: list[Operation] = field(default_factory=list)

    def __call__(self, kind: type[DnnOp], *operands: SSAValue, **params: object) -> SSAValue:
        """Add an operation; its result."""
        new = kind(*operands, location=self.op.location, **params)
        self.ops.append(new)
        return new.results[0]

    def constant(self, value: float) -> SSAValue:
        """A scalar of the operand's element type."""
        array = np.asarray(value, dtype(self.op.element()))
        const = ConstOp.of(array, self.store, "scalar", tensor_of(array), self.op.location)
        self.ops.append(const)
        return const.result

    def spread(self, v: SSAValue) -> SSAValue:
        """A vector [C] shaped to broadcast over dimension 1."""
        return self(ReshapeOp, v, shape=(shape_of(v.type)[0], *(1,) * (len(self.op.shape()) - 2)))


def _shifted(b: Builder, x: SSAValue, axes: tuple[int, ...]) -> SSAValue:
    return b(el.SubOp, x, b(red.ReduceMaxOp, x, axes=axes, keepdims=True))


def _axis(op: comp.AxisOp) -> tuple[int, ...]:
    return (normal_axis(op.axis.data, len(op.shape())),) if op.shape() else ()


def _softmax(op: comp.SoftmaxOp, b: Builder) -> SSAValue:
    axes = _axis(op)
    e = b(fn.ExpOp, _shifted(b, op.x, axes))
    return b(el.DivOp, e, b(red.ReduceSumOp, e, axes=axes, keepdims=True))


def _log_softmax(op: comp.LogSoftmaxOp, b: Builder) -> SSAValue:
    axes = _axis(op)
    d = _shifted(b, op.x, axes)
    total = b(red.ReduceSumOp, b(fn.ExpOp, d), axes=axes, keepdims=True)
    return b(el.SubOp, d, b(fn.LogOp, total))


def _log_sum_exp(op: comp.ReduceLogSumExpOp, b: Builder) -> SSAValue:
    axes = normal_axes(op.axes.data, len(op.shape()))
    low, high = float_range(op.element())
    m = b(el.ClipOp, b(red.ReduceMaxOp, op.x, axes=axes, keepdims=True), low=low, high=high)  # else inf - inf
    total = b(red.ReduceSumOp, b(fn.ExpOp, b(el.SubOp, op.x, m)), axes=axes, keepdims=True)
    return b(ReshapeOp, b(el.AddOp, m, b(fn.LogOp, total)), shape=shape_of(op.result.type))


def _standardized(b: Builder, x: SSAValue, axes: tuple[int, ...], epsilon: float) -> SSAValue:
    d = b(el.SubOp, x, b(red.ReduceMeanOp, x, axes=axes, keepdims=True))
    var = b(red.ReduceMeanOp, b(el.MulOp, d, d), axes=axes, keepdims=True)
    return b(el.DivOp, d, b(fn.SqrtOp, b(el.AddOp, var, b.constant(epsilon))))


def _affine(b: Builder, x: SSAValue, scale: SSAValue, shift: SSAValue | None) -> SSAValue:
    y = b(el.MulOp, x, scale)
    return y if shift is None else b(el.AddOp, y, shift)


def _batch_norm(op: comp.BatchNormOp, b: Builder) -> SSAValue:
    root = b(fn.SqrtOp, b(el.AddOp, op.var, b.constant(op.epsilon.data)))
    factor = b.spread(b(el.DivOp, op.scale, root))
    return _affine(b, b(el.SubOp, op.x, b.spread(op.mean)), factor, b.spread(op.shift))


def _instance_norm(op: comp.InstanceNormOp, b: Builder) -> SSAValue:
    y = _standardized(b, op.x, tuple(range(2, len(op.shape()))), op.epsilon.data)
    return _affine(b, y, b.spread(op.scale), b.spread(op.shift))


def _layer_norm(op: comp.LayerNormOp, b: Builder) -> SSAValue:
    rank = len(op.shape())
    y = _standardized(b, op.x, tuple(range(normal_axis(op.axis.data, rank), rank)), op.epsilon.data)
    return _affine(b, y, op.scale, op.shift)


def _rms_norm(op: comp.RmsNormOp, b: Builder) -> SSAValue:
    rank = len(op.shape())
    axes = tuple(range(normal_axis(op.axis.data, rank), rank))
    mean = b(red.ReduceMeanOp, b(el.MulOp, op.x, op.x), axes=axes, keepdims=True)
    y = b(el.DivOp, op.x, b(fn.SqrtOp, b(el.AddOp, mean, b.constant(op.epsilon.data))))
    return b(el.MulOp, y, op.scale)


def _group_norm(op: comp.GroupNormOp, b: Builder) -> SSAValue:
    n, c, *rest = op.shape()
    g = op.groups.data
    x = b(ReshapeOp, op.x, shape=(n, g, c // g * int(np.prod(rest, dtype=np.int64))))
    y = b(ReshapeOp, _standardized(b, x, (2,), op.epsilon.data), shape=op.shape())
    return _affine(b, y, b.spread(op.scale), b.spread(op.shift))


def _mean_variance_norm(op: comp.MeanVarianceNormOp, b: Builder) -> SSAValue:
    axes = normal_axes(op.axes.data, len(op.shape()))
    d = b(el.SubOp, op.x, b(red.ReduceMeanOp, op.x, axes=axes, keepdims=True))
    var = b(red.ReduceMeanOp, b(el.MulOp, d, d), axes=axes, keepdims=True)
    return b(el.DivOp, d, b(el.AddOp, b(fn.SqrtOp, var), b.constant(1e-9)))


def _lrn(op: comp.LrnOp, b: Builder) -> SSAValue:
    n, c, *rest = op.shape()
    before, after = op.reach()
    window = Window.of((op.size.data, 1), pad=(before, 0, after, 0))
    squares = b(ReshapeOp, b(el.MulOp, op.x, op.x), shape=(n, 1, c, int(np.prod(rest, dtype=np.int64))))
    mean = b(ReshapeOp, b(red.AvgPoolOp, squares, window=window, count_pad=UnitAttr()), shape=op.shape())
    scale = b(el.AddOp, b(el.MulOp, mean, b.constant(op.alpha.data)), b.constant(op.bias.data))
    return b(el.MulOp, op.x, b(el.PowOp, scale, b.constant(-op.beta.data)))


LAWS: dict[type[DnnOp], Callable[..., SSAValue]] = {
    comp.SoftmaxOp: _softmax,
    comp.LogSoftmaxOp: _log_softmax,
    comp.ReduceLogSumExpOp: _log_sum_exp,
    comp.BatchNormOp: _batch_norm,
    comp.InstanceNormOp: _instance_norm,
    comp.LayerNormOp: _layer_norm,
    comp.RmsNormOp: _rms_norm,
    comp.GroupNormOp: _group_norm,
    comp.MeanVarianceNormOp: _mean_variance_norm,
    comp.LrnOp: _lrn,
}


@dataclass(frozen=True)
class DecomposePass(ModulePass):
    """Rewrite composites by their definition; `keep` names operations the target runs as they are (softmax, layer_norm)."""

    name = "decompose"
    keep: tuple[str, ...] = ()

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        known = {kind.name.removeprefix("dnn.").replace("_", "-"): kind for kind in LAWS}
        unknown = [k for k in self.keep if k.replace("_", "-") not in known]
        if unknown:
            names = ", ".join(known)
            raise DnncError(
                Finding("decompose", f"expected names among {names} in keep, not {', '.join(unknown)}.", "E0503")
            )
        kept = {known[k.replace("_", "-")] for k in self.keep}
        decompose(op, store_of(ctx), LAWS.keys() - kept)


def decompose(module: ModuleOp, store: WeightStore, kinds: Collection[type[DnnOp]]) -> None:
    """Rewrite the composites of some kinds by their definition."""
    for op in list(module.walk()):
        if isinstance(op, DnnOp) and type(op) in kinds and allowed("Definition", op):
            builder = Builder(op, store)
            result = LAWS[type(op)](op, builder)
            Rewriter.insert_op(builder.ops, InsertPoint.before(op))
            Rewriter.replace_op(op, [], [result])
