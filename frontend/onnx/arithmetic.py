"""Arithmetic operators whose ONNX form is not one operation of the dialect."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.ir import SSAValue

from dnnc.frontend.onnx.site import Mistake, Refused, Site
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.composite import (
    BatchNormOp,
    GroupNormOp,
    InstanceNormOp,
    LayerNormOp,
    MeanVarianceNormOp,
    ReduceLogSumExpOp,
    RmsNormOp,
)
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.dnn.elementwise import AddOp, CastOp, ClipOp, DivOp, MaxOp, MinOp, ModOp, MulOp
from dnnc.ir.dnn.logic import IsInfOp, ShiftLeftOp, ShiftRightOp
from dnnc.ir.dnn.reduction import AxisReduction, CumSumOp
from dnnc.ir.types import bits, is_float


def chain(step: type[DnnOp]):
    """A variadic operator as a chain of binary operations, from the left."""

    def rule(site: Site) -> SSAValue:
        first, *rest = site.operands()
        for value in rest:
            first = site.emit(step, first, value)
        return first

    return rule


def mean(site: Site) -> SSAValue:
    """Mean: the sum divided by the number of operands."""
    total = chain(AddOp)(site)
    return site.emit(DivOp, total, site.like(len(site.node.inputs)))


def clip(site: Site) -> SSAValue:
    """Clip: parameters when the bounds are constants of a float type, else max and min."""
    x, low, high = site.operand(0), _bound(site, 1), _bound(site, 2)
    if is_float(site.element()) and isinstance(low, (float, type(None))) and isinstance(high, (float, type(None))):
        bounds = {"low": low, "high": high}
        return site.emit(ClipOp, x, **{k: v for k, v in bounds.items() if v is not None})
    for i, step in ((1, MaxOp), (2, MinOp)):
        if site.has(i):
            x = site.emit(step, x, site.operand(i))
    return x


def _bound(site: Site, i: int) -> float | np.ndarray | None:
    """A bound as a number, None when absent; an array when it is not one number."""
    values = site.known(i)
    if values is None:
        return np.empty(0) if site.has(i) else None
    return float(values.reshape(-1)[0]) if values.size == 1 and is_float(site.element()) else values


def gemm(site: Site) -> SSAValue:
    """Gemm: alpha * A' B' + beta * C; factors of 1 leave no trace, and C is the bias when the sum takes it as it is."""
    alpha, beta = site.float("alpha", 1.0), site.float("beta", 1.0)
    flags = {"trans_a": site.flag("transA"), "trans_b": site.flag("transB")}
    for i in (0, 1):
        if site.rank(i) != 2:
            raise Mistake(f"expected a matrix as input {site.input_name(i)}, not rank {site.rank(i)}.", "E0418")
    c = site.optional(2)
    if c is not None and beta != 1.0:
        c = site.emit(MulOp, c, site.like(beta))
    if alpha == 1.0:
        return site.emit(MatmulOp, site.operand(0), site.operand(1), c, **flags)
    y = site.emit(MulOp, site.emit(MatmulOp, site.operand(0), site.operand(1), **flags), site.like(alpha))
    return y if c is None else site.emit(AddOp, y, c)


def cast(site: Site) -> SSAValue:
    """Cast."""
    site.word("round_mode", "up")
    return _cast(site, site.operand(0), site.element_type(site.int("to")))


def cast_like(site: Site) -> SSAValue:
    """CastLike."""
    site.word("round_mode", "up")
    return _cast(site, site.operand(0), site.element(1))


def _cast(site: Site, x: SSAValue, to: Any) -> SSAValue:
    """Without saturation what float8 cannot hold overflows; other types have no such choice."""
    overflows = not site.flag("saturate", True) and is_float(to) and bits(to) == 8
    return x if site.element() == to else site.emit(CastOp, x, to=to, overflow=overflows)


def bit_shift(site: Site) -> SSAValue:
    """BitShift."""
    left = site.word("direction", "LEFT", "RIGHT") == "LEFT"
    return site.emit(ShiftLeftOp if left else ShiftRightOp, *site.operands())


def is_inf(site: Site) -> SSAValue:
    """IsInf."""
    flags = {
        "no_positive": not site.flag("detect_positive", True),
        "no_negative": not site.flag("detect_negative", True),
    }
    return site.emit(IsInfOp, site.operand(0), **flags)


def mod(site: Site) -> SSAValue:
    """Mod."""
    return site.emit(ModOp, *site.operands(), fmod=site.flag("fmod"))


def reduction(kind: type[AxisReduction] | type[ReduceLogSumExpOp]):
    """A reduction over the axes of its second input; without axes over all, or over none when it says so."""

    def rule(site: Site) -> SSAValue:
        axes = site.optional_constant(1)
        keepdims, skip = site.flag("keepdims", True), site.flag("noop_with_empty_axes")
        chosen = [int(a) for a in axes.reshape(-1)] if axes is not None else []
        rank = site.rank()
        if not chosen:
            chosen = [] if skip else list(range(rank))
        if any(not -rank <= a < rank for a in chosen):
            raise Mistake(f"expected axes in [{-rank}, {rank - 1}], not {chosen}.", "E0413")
        normal = tuple(sorted(a % rank for a in chosen))
        return site.emit(kind, site.operand(0), axes=normal, keepdims=keepdims)

    return rule


def arg_reduction(kind: type[DnnOp]):
    """ArgMax and ArgMin."""

    def rule(site: Site) -> SSAValue:
        params = {"axis": site.int("axis", 0), "keepdims": site.flag("keepdims", True)}
        return site.emit(kind, site.operand(0), **params, last=site.flag("select_last_index"))

    return rule


def cum_sum(site: Site) -> SSAValue:
    """CumSum: its axis is an input."""
    flags = {"exclusive": site.flag("exclusive"), "reverse": site.flag("reverse")}
    return site.emit(CumSumOp, site.operand(0), axis=site.whole(1), **flags)


def batch_norm(site: Site) -> SSAValue:
    """BatchNormalization as used in inference."""
    site.ignore("momentum")
    site.only_first("training is not supported")
    if site.flag("training_mode"):
        raise Refused("expected training_mode = 0, not 1. Export the model for inference.", "E0207")
    return site.emit(BatchNormOp, *site.operands(), epsilon=site.float("epsilon", 1e-5))


def instance_norm(site: Site) -> SSAValue:
    """InstanceNormalization."""
    return site.emit(InstanceNormOp, *site.operands(), epsilon=site.float("epsilon", 1e-5))


def layer_norm(site: Site) -> SSAValue | list[SSAValue]:
    """LayerNormalization; by ONNX's own definition when mean and inverse deviation are wanted too."""
    if any(site.wants(i) for i in (1, 2)):
        return site.by_definition()
    site.ignore("stash_type")
    params = {"axis": site.int("axis", -1), "epsilon": site.float("epsilon", 1e-5)}
    return site.emit(LayerNormOp, site.operand(0), site.operand(1), site.optional(2), **params)


def rms_norm(site: Site) -> SSAValue:
    """RMSNormalization."""
    site.ignore("stash_type")
    params = {"axis": site.int("axis", -1), "epsilon": site.float("epsilon", 1e-5)}
    return site.emit(RmsNormOp, site.operand(0), site.operand(1), **params)


def group_norm(site: Site) -> SSAValue:
    """GroupNormalization."""
    site.ignore("stash_type")
    params = {"groups": site.int("num_groups"), "epsilon": site.float("epsilon", 1e-5)}
    return site.emit(GroupNormOp, *site.operands(), **params)


def mean_variance_norm(site: Site) -> SSAValue:
    """MeanVarianceNormalization."""
    return site.emit(MeanVarianceNormOp, site.operand(0), axes=site.ints("axes", (0, 2, 3)))


def matmul(site: Site) -> SSAValue:
    """MatMul."""
    return site.emit(MatmulOp, *site.operands())
