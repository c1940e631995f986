"""How each kind of operation enters the machine: `FORMS` says which stage of the post-processing unit it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any, TypeVar

import numpy as np

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.bitwise import BitContraction, BitMatmulOp, PackOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.elementwise import MaxOp, MinOp, Unary
from dnnc.ir.dnn.integer import (
    InterpolateOp,
    QAvgPoolOp,
    QMulOp,
    QNormalizeOp,
    QReduction,
    QSoftmaxOp,
    Sum,
    TableOp,
)
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.reduction import MaxPoolOp, ReduceMaxOp
from dnnc.ir.dnn.rescale import RequantShiftOp, ThresholdOp
from dnnc.ir.fixed import OFFSET_RECORD
from dnnc.ir.packed import PackedType
from dnnc.ir.types import QuantType, bits, integer_range, shape_of
from dnnc.passes.analysis.group_operands import argument, behind_views, quantized, span
from dnnc.passes.analysis.group_stages import Int, Levels, Offset, Scale, Second, Stage, Unit, Vector
from dnnc.passes.analysis.shapes import (
    MAX_EPSILON,
    MAX_LEVELS,
    Refusal,
    beside,
    bitwise,
    block,
    channelwise,
    check_window,
    conv,
    flat,
    lines,
    matmul,
    meeting,
    planar,
    planes,
    two_sizes,
)

_Bounded = TypeVar("_Bounded", Scale, Second)


def _contraction(unit: Unit, op: ConvOp | MatmulOp) -> None:
    layer = unit.enter(op, Stage.SUMS, lambda: conv(op, unit.name) if isinstance(op, ConvOp) else matmul(op, unit.name))
    unit.weights = argument(behind_views(op.operands[1]))
    unit.bias = argument(op.bias) if op.bias is not None else None
    check_window(layer.window)


def _requantize(unit: Unit, op: RequantizeOp) -> None:
    quantized(op.results[0])
    if op.x is unit.value and isinstance(op.x.owner, QSoftmaxOp) and bits(op.x.owner.target()) == 16:
        return _scale(unit, op, op.multipliers(), op.rounding.data)
    if unit.stage >= Stage.SCALE:
        low, high = span(quantized(op.operands[0]))
        return _look_up(unit, op, op.evaluate(np.arange(low, high)))
    unit.enter(op, Stage.SCALE, lambda: flat(op, unit.name))
    return _scale(unit, op, op.multipliers(), op.rounding.data)


def _scale(unit: Unit, op: DnnOp, multipliers: tuple[Int, Int], rounding: str) -> None:
    to = quantized(op.results[0])
    unit.scale = Scale(*multipliers, rounding, int(to.zero), *integer_range(to.storage))


def _requant_shift(unit: Unit, op: RequantShiftOp) -> None:
    shape, to = op.shape(), quantized(op.results[0])
    axis = _axis(op, [shape_of(v.type) for v in (op.multiplier, op.offset)])
    if unit.stage == Stage.SUMS and axis not in (None, _channel_axis(op)):
        raise Refusal(f"'{op.name}' of factors that vary, but not with the channels")
    source = op.element()
    assert isinstance(source, QuantType)
    if unit.stage == Stage.SUMS and np.any(source.zero):
        raise Refusal(f"'{op.name}' of sums with a zero point")
    layer = unit.enter(
        op, Stage.SCALE, lambda: flat(op, unit.name) if axis is None else channelwise(op, axis, unit.name)
    )
    layer = unit.layer = replace(layer, record=OFFSET_RECORD.itemsize)
    if layer.kind == "none":
        unit.layer = replace(layer, constants=1 if axis is None else shape[axis])
    low, high = integer_range(to.storage)
    offset, shift = Offset(argument(op.offset)), np.array(op.shift.data)
    unit.scale = Scale(argument(op.multiplier), shift, op.rounding.data, int(to.zero), low, high, offset)


def _axis(op: DnnOp, shapes: list[tuple[int, ...]]) -> int | None:
    """The only dimension along which values that broadcast to an operand vary; None when they do not."""
    rank = len(op.shape())
    found = {rank - len(s) + i for s in shapes for i, n in enumerate(s) if n > 1}
    if len(found) > 1:
        raise Refusal(f"'{op.name}' of factors that vary along dimensions {sorted(found)}, not one")
    return next(iter(found), None)


def _bit_contraction(unit: Unit, op: BitContraction) -> None:
    unit.enter(op, Stage.SUMS, lambda: bitwise(op, unit.name))
    unit.weights = argument(behind_views(op.operands[1]))
    unit.bias = argument(op.operands[2]) if len(op.operands) > 2 else None


def _pack(unit: Unit, op: PackOp) -> None:
    shape, axis = op.shape(), op.axis.data % len(op.shape())
    matrix = axis == len(shape) - 1
    layer = unit.enter(op, Stage.PACK, lambda: channelwise(op, axis, unit.name))
    assert isinstance(op.to, PackedType)
    if layer.matrix != matrix or (not matrix and axis != 1) or layer.M % op.to.count:
        raise Refusal(f"'{op.name}' of what is not whole bytes of its channels")
    unit.layer = replace(layer, packs=op.to.count)


def _threshold(unit: Unit, op: ThresholdOp) -> None:
    if unit.stage != Stage.SUMS or op.axis.data % len(op.shape()) != _channel_axis(op):
        raise Refusal(f"'{op.name}' of what is not the sums of its channels")
    layer = unit.enter(op, Stage.SCALE, lambda: flat(op, unit.name))
    levels = op.shape(1)[1]
    if not 0 < levels <= MAX_LEVELS:
        raise Refusal(f"'{op.name}' of {levels} levels in place of 1 to {MAX_LEVELS}")
    unit.layer = replace(layer, levels=levels, record=4 * levels)
    unit.levels = Levels(argument(op.thresholds), op.first.data, op.step.data)


def _channel_axis(op: ThresholdOp | RequantShiftOp) -> int:
    """The dimension of the output channels of the convolution or matrix product before it."""
    return len(op.shape()) - 1 if isinstance(op.x.owner, MatmulOp | BitMatmulOp) else 1


def _unary(unit: Unit, op: Unary) -> None:
    _look_up(unit, op, op.table())


def _table(unit: Unit, op: TableOp) -> None:
    _look_up(unit, op, argument(op.table))


def _look_up(unit: Unit, op: DnnOp, step: Int | int) -> None:
    """A function of one value: bounds of the stage before it when it is a clip, else the table."""
    if unit.vector is not None:
        raise Refusal(f"'{op.name}' after a softmax or a normalization")
    kind = quantized(op.operands[0])
    first = integer_range(kind.storage)[0]
    if unit.stage == Stage.POOL_MAX and (isinstance(step, int) or np.any(np.diff(step.astype(np.int64)) < 0)):
        raise Refusal(f"'{op.name}', which is not monotonic, after a pool")
    clip = None if isinstance(step, int) else _bounds(step, first)
    if clip is not None and unit.second is not None:
        unit.second = _clipped(unit.second, clip)
    elif clip is not None and unit.scale is not None and not unit.steps:
        unit.scale = _clipped(unit.scale, clip)
    elif clip is not None and bits(kind) == 16 and unit.stage < Stage.SCALE:
        _clip(unit, op, kind, clip)
    elif unit.shift or bits(kind if not unit.kinds else unit.kinds[0]) == 16:
        raise Refusal(f"'{op.name}' of 16-bit values that is neither a clip nor between knots")
    elif unit.second is not None:
        raise Refusal(f"'{op.name}', which is not a clip, after a second operand")
    else:
        if unit.stage < Stage.TABLE:
            unit.enter(op, Stage.TABLE, lambda: flat(op, unit.name))
        unit.steps.append(step)
        unit.kinds.append(kind)
        unit.entries = quantized(op.results[0])
        unit.stage = max(unit.stage, Stage.TABLE)


def _clip(unit: Unit, op: DnnOp, kind: QuantType, bounds: tuple[int, int]) -> None:
    """Bounds on their own: a scale by 1."""
    unit.enter(op, Stage.SCALE, lambda: flat(op, unit.name))
    one = np.array(1 << 30), np.array(30)
    unit.scale = Scale(*one, "q31_half_even", int(kind.zero), *bounds)


def _interpolate(unit: Unit, op: InterpolateOp) -> None:
    unit.enter(op, Stage.TABLE, lambda: flat(op, unit.name))
    unit.steps, unit.kinds = [argument(op.knots)], [quantized(op.x)]
    unit.entries, unit.shift = quantized(op.result), op.shift()


def _clipped(stage: _Bounded, bounds: tuple[int, int]) -> _Bounded:
    """A stage with tighter bounds."""
    low, high = bounds
    return replace(stage, low=int(np.clip(stage.low, low, high)), high=int(np.clip(stage.high, low, high)))


def _bounds(table: Int, first: int) -> tuple[int, int] | None:
    """The clip that equals a table over all values from `first` on, None when it is no clip."""
    low, high = int(table.min()), int(table.max())
    values = np.arange(first, first + len(table))
    return (low, high) if np.array_equal(table, np.clip(values, low, high)) else None


def _sum(unit: Unit, op: Sum) -> None:
    i = _chained(unit, op)
    ma, mb, shift = op.multipliers()
    both = (ma, mb) if i == 0 else (mb, ma)
    _second(unit, op, i, "add", multipliers=both, shift=shift)


def _product(unit: Unit, op: QMulOp) -> None:
    q, shift = op.multipliers()
    _second(
        unit, op, _chained(unit, op), "multiply", multipliers=(int(q), 0), shift=int(shift), rounding=op.rounding.data
    )


def _extreme(unit: Unit, op: MaxOp | MinOp) -> None:
    _second(unit, op, _chained(unit, op), "maximum" if isinstance(op, MaxOp) else "minimum")


def _chained(unit: Unit, op: DnnOp) -> int:
    """Which operand the group has made; in a group that begins here, the one as large as the result."""
    if unit.value is not None:
        return int(behind_views(op.operands[0]) is not unit.value)
    return int(prod(op.shape(0)) < prod(shape_of(op.results[0].type)))


def _second(unit: Unit, op: DnnOp, i: int, mode: str, **constants: Any) -> None:
    """Another operand enters, beside operand i."""
    a, b, to = quantized(op.operands[i]), quantized(op.operands[1 - i]), quantized(op.results[0])
    layer = unit.enter(op, Stage.SECOND, lambda: beside(op, i, unit.name), i)
    unit.layer = layer if layer.second is not None else meeting(layer, op, i, unit.name)
    low, high = integer_range(to.storage)
    other = argument(behind_views(op.operands[1 - i]))
    unit.second = Second(
        other, b, mode, int(a.zero), zero_b=int(b.zero), zero=int(to.zero), low=low, high=high, **constants
    )


def _average_pool(unit: Unit, op: QAvgPoolOp) -> None:
    layer = unit.enter(op, Stage.POOL_SUM, lambda: planes(op, unit.name))
    counts = op.counts().reshape(layer_out := planar(op.window.data).output((layer.H, layer.W)))
    values, unit.counts = np.unique(counts, return_inverse=True)
    unit.counts = unit.counts.reshape(layer_out) if len(values) > 1 else None
    unit.layer = replace(layer, pool=planar(op.window.data), pooling="sum")
    check_window(unit.layer.pool)
    unit.stage = Stage.SCALE
    _scale(unit, op, op.multiplier_of(values), op.rounding.data)


def _mean(unit: Unit, op: QReduction) -> None:
    layer = unit.enter(op, Stage.POOL_SUM, lambda: block(op, op.axes.data, unit.name))
    unit.layer = replace(layer, pooling="sum")
    unit.stage = Stage.SCALE
    _scale(unit, op, op.multiplier_of(np.array([op.divisor()])), op.rounding.data)


def _softmax(unit: Unit, op: QSoftmaxOp) -> None:
    axis = op.axis.data % len(op.shape())
    unit.enter(op, Stage.VECTOR, lambda: lines(op, (axis,), unit.name, vector="softmax"))
    unit.vector = Vector((argument(op.exp),))


def _normalize(unit: Unit, op: QNormalizeOp) -> None:
    axes, shape = op.axes.data, op.shape()
    constants = [op.multiplier] + ([op.offset] if op.offset is not None else [])
    size = prod(shape[a] for a in axes)
    outside = tuple(1 if i not in axes else n for i, n in enumerate(shape))
    shapes = [(1,) * (len(shape) - len(s)) + s for s in (shape_of(v.type) for v in constants)]
    if any(prod(s) > 1 and s != outside for s in shapes):
        raise Refusal(f"'{op.name}' with factors that vary outside of what is normalized")
    if op.epsilon.data >= MAX_EPSILON:
        raise Refusal(f"'{op.name}' with an epsilon of {op.epsilon.data}, 2**48 or more")
    records = 1 if all(prod(s) == 1 for s in shapes) else size
    unit.enter(op, Stage.VECTOR, lambda: lines(op, axes, unit.name, vector="normalize", affine=records))
    unit.vector = Vector(
        tuple(map(argument, constants)),
        records,
        op.center is not None,
        op.epsilon.data,
        op.shift.data,
        op.root_shift(),
    )


def _largest(unit: Unit, op: ReduceMaxOp) -> None:
    unit.enter(op, Stage.POOL_MAX, lambda: block(op, op.axes.data, unit.name))


def _max_pool(unit: Unit, op: MaxPoolOp) -> None:
    layer = unit.enter(op, Stage.POOL_MAX, lambda: planes(op, unit.name))
    size = (layer.N, layer.groups * layer.M, *layer.sums)
    if layer.pooled or layer.matrix or size != (*op.shape()[:2], *two_sizes(list(op.shape()[2:]))):
        raise Refusal(f"'{op.name}' after a pool or of another shape")
    unit.layer = replace(layer, pool=planar(op.window.data), pooling="max")  # after an average of one element, too
    check_window(unit.layer.pool)


FORMS: dict[type[DnnOp], Callable[[Unit, Any], None]] = {
    ConvOp: _contraction,
    MatmulOp: _contraction,
    BitContraction: _bit_contraction,
    PackOp: _pack,
    RequantizeOp: _requantize,
    RequantShiftOp: _requant_shift,
    ThresholdOp: _threshold,
    TableOp: _table,
    InterpolateOp: _interpolate,
    Unary: _unary,
    Sum: _sum,
    QMulOp: _product,
    MaxOp: _extreme,
    MinOp: _extreme,
    QAvgPoolOp: _average_pool,
    QReduction: _mean,
    ReduceMaxOp: _largest,
    MaxPoolOp: _max_pool,
    QSoftmaxOp: _softmax,
    QNormalizeOp: _normalize,
}
"""How each kind of operation enters the machine."""
