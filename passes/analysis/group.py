"""A group read as one pass through the accelerator: sums, summing pool, scale, table, second operand, maximum pool.

The post-processing unit has these stages in this order. `FORMS` says which stage an operation becomes; a group whose
operations do not follow the order is not one unit, and is cut where the order breaks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from math import prod
from typing import Any, TypeVar

import numpy as np
from xdsl.dialects.builtin import LocationAttr, TensorType
from xdsl.ir import Block, BlockArgument, Operation, SSAValue

from dnnc.ir.diagnostics import Finding, UnsupportedError, where
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.bitwise import BitContraction, BitMatmulOp, PackOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.elementwise import MaxOp, MinOp, Unary
from dnnc.ir.dnn.integer import QAvgPoolOp, QMulOp, QNormalizeOp, QReduction, QSoftmaxOp, Sum, TableOp
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.reduction import MaxPoolOp, ReduceMaxOp
from dnnc.ir.dnn.rescale import RequantShiftOp, ThresholdOp
from dnnc.ir.fixed import AFFINE, OFFSET_RECORD, RECORD
from dnnc.ir.packed import PackedType
from dnnc.ir.types import I8, I32, QuantType, bits, element_type, integer_range, shape_of, tensor_text, type_name
from dnnc.passes.analysis.layer import Layer
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
    planar,
    planes,
    two_sizes,
    varies,
)

UI8 = element_type(np.uint8)
Int = np.ndarray


class Stage(IntEnum):
    """Where in the machine a value is; a value moves forward only."""

    MEMORY = 0
    SUMS = 1
    POOL_SUM = 2
    SCALE = 3
    TABLE = 4
    SECOND = 5
    POOL_MAX = 6
    VECTOR = 7
    PACK = 8


@dataclass(frozen=True)
class Offset:
    """factor * (values of an argument - zero), one for all channels or one each."""

    argument: int
    zero: int = 0
    factor: int = 1

    def values(self, array: Callable[[int], Int]) -> Int:
        """The numbers; `array` gives an argument's values."""
        return self.factor * (array(self.argument).reshape(-1).astype(np.int64) - self.zero)


@dataclass(frozen=True)
class Scale:
    """clip(round((v + bias) * multiplier * 2**-shift) + zero, low, high), scalars or one value a channel.

    With an offset it is clip(round(((v + bias) * multiplier + offset) * 2**-shift) + zero, low, high), one shift for all
    channels; the multiplier may be an argument.
    """

    multiplier: Int | int
    shift: Int
    rounding: str
    zero: int
    low: int
    high: int
    offset: Offset | None = None

    def records(self, count: int, bias: Int | int, array: Callable[[int], Int]) -> Int:
        """The constants of each channel, as bytes."""
        found = np.zeros(count, OFFSET_RECORD if self.offset else RECORD)
        factor = array(self.multiplier).reshape(-1) if isinstance(self.multiplier, int) else self.multiplier
        found["bias"], found["multiplier"] = bias, factor
        if self.offset is not None:
            found["offset"] = self.offset.values(array)
        else:
            found["shift"] = self.shift
        return found.view(np.uint8).reshape(-1, found.itemsize)


@dataclass(frozen=True)
class Levels:
    """first + step * (number of k with v >= thresholds[c][k]), the thresholds an argument of the body."""

    argument: int
    first: int
    step: int


@dataclass(frozen=True)
class Second:
    """The stage that takes another operand in, an argument of the body: `mode` says how.

    add: clip(half_even((v - zero_a)*Ma + (b - zero_b)*Mb, shift) + zero); multiply: clip(round((v - zero_a)*(b - zero_b)
    * Ma * 2**-shift) + zero); maximum and minimum of v and b as they are.
    """

    argument: int
    type: QuantType
    mode: str
    zero_a: int = 0
    zero_b: int = 0
    multipliers: tuple[int, int] = (0, 0)
    shift: int = 0
    rounding: str = "q31_half_even"
    zero: int = 0
    low: int = -256
    high: int = 255


@dataclass(frozen=True)
class Vector:
    """A softmax or normalization: which arguments hold its constants, and the numbers of `dnn.qnormalize`."""

    arguments: tuple[int, ...]
    records: int = 0
    center: bool = False
    epsilon: int = 0
    shift: int = 0
    root_shift: int = 0

    def constants(self, array: Callable[[int], Int]) -> Int:
        """The exponentials, or the records, as bytes."""
        first, *rest = (array(i) for i in self.arguments)
        if not self.records:
            return first.astype("<i4").view(np.uint8)
        found = np.zeros(self.records, AFFINE)
        found["multiplier"] = first.reshape(-1)
        for offset in rest:
            found["offset"] = offset.reshape(-1)
        return found.view(np.uint8).reshape(-1, AFFINE.itemsize)


@dataclass(frozen=True)
class Group:
    """A group taken apart: its layer, what follows, and which of the body's arguments it reads (None when absent).

    `steps` compose to the table, from type to type of `kinds`: arrays over all values, or arguments that hold one.
    `counts` has, for each output position of a summing pool whose windows differ, which record scales it.
    """

    layer: Layer
    x: int
    weights: int | None
    bias: int | None
    source: QuantType
    result: QuantType
    scale: Scale | None = None
    levels: Levels | None = None
    steps: tuple[Int | int, ...] = ()
    kinds: tuple[QuantType, ...] = ()
    second: Second | None = None
    counts: Int | None = None
    entries: QuantType | None = None
    vector: Vector | None = None

    @property
    def looked_up(self) -> QuantType:
        """The type of what the table gives."""
        return self.entries or self.result

    def table(self, array: Callable[[int], Int]) -> Int:
        """The 256 entries of the composed table by the bits of a byte; `array` gives an argument's values."""
        values = np.arange(*_span(self.kinds[0]))
        for step, kind in zip(self.steps, self.kinds):
            entries = array(step) if isinstance(step, int) else step
            values = entries[values.astype(np.int64) - integer_range(kind.storage)[0]]
        return np.roll(values.view(np.uint8), integer_range(self.kinds[0].storage)[0])


def _span(element: QuantType) -> tuple[int, int]:
    low, high = integer_range(element.storage)
    return low, high + 1


_Bounded = TypeVar("_Bounded", Scale, Second)


def group_of(body: Block, name: str, location: LocationAttr) -> Group:
    """Take a group's body apart; UnsupportedError says which operation of it has no place on the accelerator."""
    try:
        return _read(operations(body), body, name)
    except Refusal as refusal:
        text = f"expected operations that the accelerator runs, not {refusal}"
        todo = "Compile to C with --emit c, or see `dnnc explain E0803`."
        raise UnsupportedError(Finding(where(location, name), f"{text}. {todo}", "E0803")) from None


def operations(body: Block) -> list[DnnOp]:
    """The operations of a group that do something: no views."""
    return [o for o in body.ops if isinstance(o, DnnOp) and not (isinstance(o, Movement) and o.is_view())]


def _read(ops: list[DnnOp], body: Block, name: str) -> Group:
    results = body.last_op.operands if body.last_op else ()
    if len(results) != 1 or not ops:
        raise Refusal(f"a group of {len(ops)} operations with {len(results)} results")
    unit = _Unit(name)
    for op in ops:
        form = next((form for kind, form in FORMS.items() if isinstance(op, kind)), None)
        if form is None:
            raise Refusal(f"'{op.name}'")
        form(unit, op)
        unit.value = op.results[0]
    return unit.group(body, results[0])


@dataclass
class _Unit:
    """A group half read: where the value is, and what the stages so far do."""

    name: str
    stage: Stage = Stage.MEMORY
    layer: Layer | None = None
    value: SSAValue | None = None
    x: int = 0
    weights: int | None = None
    bias: int | None = None
    scale: Scale | None = None
    levels: Levels | None = None
    steps: list[Int | int] = field(default_factory=list)
    kinds: list[QuantType] = field(default_factory=list)
    second: Second | None = None
    counts: Int | None = None
    entries: QuantType | None = None
    vector: Vector | None = None

    def enter(self, op: DnnOp, stage: Stage, layer: Callable[[], Layer], operand: int = 0) -> Layer:
        """Move on to a stage; the first operation of a group makes the layer."""
        if stage <= self.stage:
            raise Refusal(f"'{op.name}' after {self.stage.name.lower().replace('_', ' ')}")
        if self.layer is None:
            self.x = _argument(_behind_views(op.operands[operand]))
            self.layer = layer()
        elif _behind_views(op.operands[operand]) is not self.value:
            raise Refusal(f"'{op.name}' of a value from elsewhere")
        self.stage = stage
        return self.layer

    def group(self, body: Block, result: SSAValue) -> Group:
        """The group, once all operations are read."""
        assert self.layer is not None
        wide = self.stage == Stage.SUMS
        if wide and self.bias is not None:
            raise Refusal("sums with a bias that are not requantized to 8 bits")
        if _behind_views(result) is not self.value:
            raise Refusal("a result from before its last operation")
        constants = 0 if self.scale is None or self.layer.kind != "none" else np.size(self.scale.multiplier)
        constants = max(constants, self.layer.constants)
        layer = replace(self.layer, table=bool(self.steps), constants=constants, wide=wide)
        if self.weights is not None:
            check_weights(body.args[self.weights])
        source = _quantized(body.args[self.x])
        return Group(
            layer, self.x, self.weights, self.bias, source, _quantized(result, wide), self.scale, self.levels,
            tuple(self.steps), tuple(self.kinds), self.second, self.counts, self.entries,
            self.vector,
        )  # fmt: skip


def _contraction(unit: _Unit, op: ConvOp | MatmulOp) -> None:
    layer = unit.enter(op, Stage.SUMS, lambda: conv(op, unit.name) if isinstance(op, ConvOp) else matmul(op, unit.name))
    unit.weights = _argument(_behind_views(op.operands[1]))
    unit.bias = _argument(op.bias) if op.bias is not None else None
    check_window(layer.window)


def _requantize(unit: _Unit, op: RequantizeOp) -> None:
    _quantized(op.results[0])
    if op.x is unit.value and isinstance(op.x.owner, QSoftmaxOp) and bits(op.x.owner.target()) == 16:
        return _scale(unit, op, op.multipliers(), op.rounding.data)
    if unit.stage >= Stage.SCALE:
        low, high = _span(_quantized(op.operands[0]))
        return _look_up(unit, op, op.evaluate(np.arange(low, high)))
    unit.enter(op, Stage.SCALE, lambda: flat(op, unit.name))
    return _scale(unit, op, op.multipliers(), op.rounding.data)


def _scale(unit: _Unit, op: DnnOp, multipliers: tuple[Int, Int], rounding: str) -> None:
    to = _quantized(op.results[0])
    unit.scale = Scale(*multipliers, rounding, int(to.zero), *integer_range(to.storage))


def _requant_shift(unit: _Unit, op: RequantShiftOp) -> None:
    shape, to = op.shape(), _quantized(op.results[0])
    axis = _axis(op, [shape_of(v.type) for v in (op.multiplier, op.offset)])
    if unit.stage == Stage.SUMS and axis not in (None, channel_axis(op)):
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
    offset, shift = Offset(_argument(op.offset)), np.array(op.shift.data)
    unit.scale = Scale(_argument(op.multiplier), shift, op.rounding.data, int(to.zero), low, high, offset)


def _axis(op: DnnOp, shapes: list[tuple[int, ...]]) -> int | None:
    """The only dimension along which values that broadcast to an operand vary; None when they do not."""
    rank = len(op.shape())
    found = {rank - len(s) + i for s in shapes for i, n in enumerate(s) if n > 1}
    if len(found) > 1:
        raise Refusal(f"'{op.name}' of factors that vary along dimensions {sorted(found)}, not one")
    return next(iter(found), None)


def _bit_contraction(unit: _Unit, op: BitContraction) -> None:
    unit.enter(op, Stage.SUMS, lambda: bitwise(op, unit.name))
    unit.weights = _argument(_behind_views(op.operands[1]))
    unit.bias = _argument(op.operands[2]) if len(op.operands) > 2 else None


def _pack(unit: _Unit, op: PackOp) -> None:
    shape, axis = op.shape(), op.axis.data % len(op.shape())
    matrix = axis == len(shape) - 1
    layer = unit.enter(op, Stage.PACK, lambda: channelwise(op, axis, unit.name))
    assert isinstance(op.to, PackedType)
    if layer.matrix != matrix or (not matrix and axis != 1) or layer.M % op.to.count:
        raise Refusal(f"'{op.name}' of what is not whole bytes of its channels")
    unit.layer = replace(layer, packs=op.to.count)


def _threshold(unit: _Unit, op: ThresholdOp) -> None:
    if unit.stage != Stage.SUMS or op.axis.data % len(op.shape()) != channel_axis(op):
        raise Refusal(f"'{op.name}' of what is not the sums of its channels")
    layer = unit.enter(op, Stage.SCALE, lambda: flat(op, unit.name))
    levels = op.shape(1)[1]
    if not 0 < levels <= MAX_LEVELS:
        raise Refusal(f"'{op.name}' of {levels} levels in place of 1 to {MAX_LEVELS}")
    unit.layer = replace(layer, levels=levels, record=4 * levels)
    unit.levels = Levels(_argument(op.thresholds), op.first.data, op.step.data)


def channel_axis(op: ThresholdOp | RequantShiftOp) -> int:
    """The dimension of the output channels of the convolution or matrix product before it."""
    return len(op.shape()) - 1 if isinstance(op.x.owner, MatmulOp | BitMatmulOp) else 1


def _unary(unit: _Unit, op: Unary) -> None:
    _look_up(unit, op, op.table())


def _table(unit: _Unit, op: TableOp) -> None:
    _look_up(unit, op, _argument(op.table))


def _look_up(unit: _Unit, op: DnnOp, step: Int | int) -> None:
    """A function of one byte: bounds of the stage before it when it is a clip, else the table."""
    if unit.vector is not None:
        raise Refusal(f"'{op.name}' after a softmax or a normalization")
    kind = _quantized(op.operands[0])
    first = integer_range(kind.storage)[0]
    if unit.stage == Stage.POOL_MAX and (isinstance(step, int) or np.any(np.diff(step.astype(np.int64)) < 0)):
        raise Refusal(f"'{op.name}', which is not monotonic, after a pool")
    clip = None if isinstance(step, int) else _bounds(step, first)
    if clip is not None and unit.second is not None:
        unit.second = _clipped(unit.second, clip)
    elif clip is not None and unit.scale is not None and not unit.steps:
        unit.scale = _clipped(unit.scale, clip)
    elif unit.second is not None:
        raise Refusal(f"'{op.name}', which is not a clip, after a second operand")
    else:
        if unit.stage < Stage.TABLE:
            unit.enter(op, Stage.TABLE, lambda: flat(op, unit.name))
        unit.steps.append(step)
        unit.kinds.append(kind)
        unit.entries = _quantized(op.results[0])
        unit.stage = max(unit.stage, Stage.TABLE)


def _clipped(stage: _Bounded, bounds: tuple[int, int]) -> _Bounded:
    """A stage with tighter bounds."""
    low, high = bounds
    return replace(stage, low=int(np.clip(stage.low, low, high)), high=int(np.clip(stage.high, low, high)))


def _sum(unit: _Unit, op: Sum) -> None:
    i = _chained(unit, op)
    wide = [j for j in (0, 1) if bits(op.source(j)) == 16]
    ma, mb, shift = op.multipliers()
    both = (ma, mb) if i == 0 else (mb, ma)
    if len(wide) == 1:
        return _add_wide(unit, op, 1 - wide[0])
    _second(unit, op, i, "add", multipliers=both, shift=shift)


def _add_wide(unit: _Unit, op: Sum, i: int) -> None:
    """Constants of 16 bits beside operand i, one a channel: the offset of a scale."""
    _quantized(op.operands[i])
    b, to = op.source(1 - i), _quantized(op.results[0])
    layer = unit.enter(op, Stage.SCALE, lambda: beside(op, i, unit.name), i)
    each = layer.second != ""
    if each and layer.second != "c" and layer.H * layer.W > 1:
        raise Refusal(f"'{op.name}' of 16-bit values that differ along more than one dimension")
    *both, shift = op.multipliers()
    if abs(both[i]) >= 2**31:
        raise Refusal(f"'{op.name}' with a multiplier of 2**31")
    offset = Offset(_argument(_behind_views(op.operands[1 - i])), int(b.zero), both[1 - i])
    unit.layer = replace(layer, second=None, record=OFFSET_RECORD.itemsize, constants=layer.M if each else 1)
    low, high = integer_range(to.storage)
    factor = np.array(both[i])
    unit.scale = Scale(factor, np.array(shift), "q31_half_even", int(to.zero), low, high, offset)


def _product(unit: _Unit, op: QMulOp) -> None:
    q, shift = op.multipliers()
    _second(
        unit, op, _chained(unit, op), "multiply", multipliers=(int(q), 0), shift=int(shift), rounding=op.rounding.data
    )


def _extreme(unit: _Unit, op: MaxOp | MinOp) -> None:
    _second(unit, op, _chained(unit, op), "maximum" if isinstance(op, MaxOp) else "minimum")


def _chained(unit: _Unit, op: DnnOp) -> int:
    """Which operand the group has made; in a group that begins here, the one as large as the result."""
    if unit.value is not None:
        return int(_behind_views(op.operands[0]) is not unit.value)
    return int(prod(op.shape(0)) < prod(shape_of(op.results[0].type)))


def _second(unit: _Unit, op: DnnOp, i: int, mode: str, **constants: Any) -> None:
    """Another operand enters, beside operand i."""
    a, b, to = _quantized(op.operands[i]), _quantized(op.operands[1 - i]), _quantized(op.results[0])
    layer = unit.enter(op, Stage.SECOND, lambda: beside(op, i, unit.name), i)
    if layer.second is None:
        layer = replace(layer, second=varies(layer, op, op.shape(1 - i)))
    unit.layer = layer
    low, high = integer_range(to.storage)
    argument = _argument(_behind_views(op.operands[1 - i]))
    unit.second = Second(
        argument, b, mode, int(a.zero), zero_b=int(b.zero), zero=int(to.zero), low=low, high=high, **constants
    )


def _average_pool(unit: _Unit, op: QAvgPoolOp) -> None:
    layer = unit.enter(op, Stage.POOL_SUM, lambda: planes(op, unit.name))
    counts = op.counts().reshape(layer_out := planar(op.window.data).output((layer.H, layer.W)))
    values, unit.counts = np.unique(counts, return_inverse=True)
    unit.counts = unit.counts.reshape(layer_out) if len(values) > 1 else None
    unit.layer = replace(layer, pool=planar(op.window.data), pooling="sum")
    check_window(unit.layer.pool)
    unit.stage = Stage.SCALE
    _scale(unit, op, op.multiplier_of(values), op.rounding.data)


def _mean(unit: _Unit, op: QReduction) -> None:
    layer = unit.enter(op, Stage.POOL_SUM, lambda: block(op, op.axes.data, unit.name))
    unit.layer = replace(layer, pooling="sum")
    unit.stage = Stage.SCALE
    _scale(unit, op, op.multiplier_of(np.array([op.divisor()])), op.rounding.data)


def _softmax(unit: _Unit, op: QSoftmaxOp) -> None:
    axis = op.axis.data % len(op.shape())
    unit.enter(op, Stage.VECTOR, lambda: lines(op, (axis,), unit.name, vector="softmax"))
    unit.vector = Vector((_argument(op.exp),))


def _normalize(unit: _Unit, op: QNormalizeOp) -> None:
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
        tuple(map(_argument, constants)),
        records,
        op.center is not None,
        op.epsilon.data,
        op.shift.data,
        op.root_shift(),
    )


def _largest(unit: _Unit, op: ReduceMaxOp) -> None:
    unit.enter(op, Stage.POOL_MAX, lambda: block(op, op.axes.data, unit.name))


def _max_pool(unit: _Unit, op: MaxPoolOp) -> None:
    layer = unit.enter(op, Stage.POOL_MAX, lambda: planes(op, unit.name))
    size = (layer.N, layer.groups * layer.M, *layer.sums)
    if layer.pooled or layer.matrix or size != (*op.shape()[:2], *two_sizes(list(op.shape()[2:]))):
        raise Refusal(f"'{op.name}' after a pool or of another shape")
    unit.layer = replace(layer, pool=planar(op.window.data))
    check_window(unit.layer.pool)


FORMS: dict[type[DnnOp], Callable[[_Unit, Any], None]] = {
    ConvOp: _contraction,
    MatmulOp: _contraction,
    BitContraction: _bit_contraction,
    PackOp: _pack,
    RequantizeOp: _requantize,
    RequantShiftOp: _requant_shift,
    ThresholdOp: _threshold,
    TableOp: _table,
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


def _argument(value: SSAValue) -> int:
    if not isinstance(value, BlockArgument):
        raise Refusal(f"an operand made by '{value.owner.name if isinstance(value.owner, Operation) else value}'")
    return value.index


def _behind_views(value: SSAValue) -> SSAValue:
    while isinstance(value.owner, Movement) and value.owner.is_view():
        value = value.owner.operands[0]
    return value


def check_weights(value: SSAValue) -> QuantType:
    """The type of weights the machine takes: bytes with one zero point."""
    element = value.type.element_type if isinstance(value.type, TensorType) else None
    if isinstance(element, PackedType):
        return element.uniform(UI8)
    if not isinstance(element, QuantType) or element.storage not in (I8, UI8) or np.unique(element.zero).size != 1:
        raise Refusal(f"weights of {tensor_text(value.type)} in place of bytes with one zero point")
    return element


def _quantized(value: SSAValue, wide: bool = False) -> QuantType:
    element = value.type.element_type if isinstance(value.type, TensorType) else None
    if isinstance(element, PackedType):
        return element.uniform(UI8)
    if wide and isinstance(element, QuantType) and element.storage == I32:
        return element
    if not isinstance(element, QuantType) or element.storage not in (I8, UI8) or element.axis is not None:
        raise Refusal(
            f"a value of type {type_name(element) if element else value.type} in place of an 8-bit quantized one"
        )
    return element


def _bounds(table: Int, first: int) -> tuple[int, int] | None:
    """The clip that equals a table over all values from `first` on, None when it is no clip."""
    low, high = int(table.min()), int(table.max())
    values = np.arange(first, first + len(table))
    return (low, high) if np.array_equal(table, np.clip(values, low, high)) else None
