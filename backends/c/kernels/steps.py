"""One element of an operation between quantized values, as C text on the elements it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.ir import SSAValue

from dnnc.backends.c.expression import element_text
from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.rescale import Rescale, fits_double
from dnnc.backends.c.text import c_type, numpy_type
from dnnc.ir.dnn.attributes import normal_axis
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.elementwise import Elementwise
from dnnc.ir.dnn.integer import InterpolateOp, QMulOp, Sum, TableOp, reach
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, RequantizeOp
from dnnc.ir.dnn.rescale import RequantShiftOp, ThresholdOp
from dnnc.ir.scalar import c_literal
from dnnc.ir.types import QuantType, integer_range

Text = Callable[[Sequence[str], Sequence[str]], str]


@dataclass(frozen=True)
class Step:
    """Operands read element by element; constants with one value a channel of `axis`; the text made of both."""

    operands: Sequence[SSAValue]
    text: Text
    channel: Sequence[np.ndarray] = field(default_factory=tuple)
    axis: int = 0


def step_of(kernel: Kernel, op: DnnOp) -> Step:
    """How an operation computes one element; a value of its result's C type."""
    match op:
        case QuantizeOp():
            return _quantize(op)
        case DequantizeOp():
            return _dequantize(op)
        case RequantizeOp():
            return _requantize(op)
        case Sum():
            return _sum(op)
        case QMulOp():
            return _product(op)
        case RequantShiftOp():
            return _requant_shift(op)
        case ThresholdOp():
            return _threshold(kernel, op)
        case TableOp():
            table = kernel.value(op.table)
            assert table is not None
            return _lookup(kernel, op, table)
        case InterpolateOp():
            return _interpolate(kernel, op)
        case Elementwise() if isinstance(op.element(), QuantType) and len(op.operands) == 1:
            return _lookup(kernel, op, op.table())
        case _:
            assert isinstance(op, Elementwise)
            return Step(op.operands, lambda args, _: element_text(op, args))


def clip_of(table: np.ndarray) -> tuple[int, int] | None:
    """(low, high) when a table over all values of its type only clips, else None."""
    info = np.iinfo(table.dtype)
    values = np.arange(info.min, int(info.max) + 1)
    low, high = int(table.min()), int(table.max())
    return (low, high) if len(table) == len(values) and np.array_equal(np.clip(values, low, high), table) else None


def table_of(kernel: Kernel, op: DnnOp) -> np.ndarray | None:
    """The table of an operation on one quantized value that has one."""
    if isinstance(op, TableOp):
        return kernel.value(op.table)
    unary = isinstance(op, Elementwise) and len(op.operands) == 1 and isinstance(op.element(), QuantType)
    return op.table() if unary and isinstance(op, Elementwise) else None


def _lookup(kernel: Kernel, op: DnnOp, table: np.ndarray) -> Step:
    same = numpy_type(op.operands[0]) == numpy_type(op.results[0])
    clip = clip_of(table) if same else None
    if clip is not None:
        return Step(
            op.operands[:1],
            lambda args, _: f"({c_type(op.results[0])})dnnc_clamp_small({args[0]}, {clip[0]}, {clip[1]})",
        )
    element = op.element()
    assert isinstance(element, QuantType)
    low, name = integer_range(element.storage)[0], kernel.constant(table)
    return Step(op.operands[:1], lambda args, _: f"{name}[{minus(args[0], low)}]")


def _interpolate(kernel: Kernel, op: InterpolateOp) -> Step:
    knots, element = kernel.value(op.knots), op.element()
    assert knots is not None and isinstance(element, QuantType)
    low, name = integer_range(element.storage)[0], kernel.constant(knots.astype(np.int16))
    kind, shift = c_type(op.result), op.shift()
    return Step(op.operands[:1], lambda args, _: f"({kind})dnnc_interpolate({name}, {minus(args[0], low)}, {shift})")


def minus(text: str, number: int | str) -> str:
    """Text of a difference; nothing is subtracted for 0."""
    if isinstance(number, str):
        return f"({text} - {number})"
    return text if not number else f"({text} {'-' if number > 0 else '+'} {abs(number)})"


def _quantize(op: QuantizeOp) -> Step:
    to = op.to
    assert isinstance(to, QuantType)
    low, high = integer_range(to.storage)
    name = "dnnc_quantize_small" if numpy_type(op.result).itemsize < 4 else "dnnc_quantize"

    def text(args: Sequence[str], channel: Sequence[str]) -> str:
        scale, zero = channel or (c_literal(float(to.scale), "float"), str(to.zero))
        return f"({c_type(op.result)}){name}({args[0]}, {scale}, {zero}, {low}, {high})"

    return Step(op.operands, text, *_channels(to, to.scale, to.zero.astype(np.int32)))


def _dequantize(op: DequantizeOp) -> Step:
    source = op.element()
    assert isinstance(source, QuantType)
    wide = "(int64_t)" if numpy_type(op.x).itemsize >= 4 else ""

    def text(args: Sequence[str], channel: Sequence[str]) -> str:
        scale, zero = channel or (c_literal(float(source.scale), "float"), int(source.zero))
        return f"(float){minus(wide + args[0], zero)} * {scale}"

    return Step(op.operands, text, *_channels(source, source.scale, source.zero.astype(np.int32)))


def _channels(type_: QuantType, *values: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
    return (values, type_.axis) if type_.axis is not None else ((), 0)


def _requantize(op: RequantizeOp) -> Step:
    source, to = op.element(), op.to
    assert isinstance(source, QuantType) and isinstance(to, QuantType)
    q, shift = op.multipliers()
    low, high = integer_range(source.storage)
    largest = max(int(np.max(source.zero)) - low, high - int(np.min(source.zero)))
    rescale = Rescale.to(to, (q, shift), op.rounding.data, largest)

    def text(args: Sequence[str], channel: Sequence[str]) -> str:
        m, s, zero = channel or (int(q), int(shift), int(source.zero))
        return f"({c_type(op.result)}){rescale.text(minus(args[0], zero), m, s)}"

    each = (np.asarray(q, np.int32), np.asarray(shift, np.uint8), source.zero.astype(np.int32))
    return Step(op.operands, text, *_channels(source, *each))


def _sum(op: Sum) -> Step:
    a, b, to = op.source(0), op.source(1), op.target()
    ma, mb, shift = op.multipliers()
    largest = reach(a) * abs(ma) + reach(b) * abs(mb)
    small = "_small" if fits_double(largest, np.ones(1, np.int64), np.array([shift])) else ""
    low, high = integer_range(to.storage)

    def text(args: Sequence[str], _: Sequence[str]) -> str:
        parts = f"{minus(args[0], int(a.zero))}, {minus(args[1], int(b.zero))}"
        total = f"dnnc_weighted{small}({parts}, {ma}, {mb}, {shift})"
        return f"({c_type(op.result)})dnnc_clamp{small}({total} + {int(to.zero)}, {low}, {high})"

    return Step(op.operands, text)


def _product(op: QMulOp) -> Step:
    a, b = op.source(0), op.source(1)
    q, shift = (int(v) for v in op.multipliers())
    rescale = Rescale.to(op.target(), op.multipliers(), op.rounding.data, reach(a) * reach(b))

    def text(args: Sequence[str], _: Sequence[str]) -> str:
        product = f"{minus(args[0], int(a.zero))} * {minus(args[1], int(b.zero))}"
        return f"({c_type(op.result)}){rescale.text(product, q, shift)}"

    return Step(op.operands, text)


SHIFTS = {
    "q31_half_even": "dnnc_shift_half_even({}, {})",
    "half_up": "dnnc_shift_half_up({}, {})",
    "half_away": "dnnc_shift_half_away({}, {})",
    "trunc": "(({}) >> {})",
}


def _requant_shift(op: RequantShiftOp) -> Step:
    source, to = op.element(), op.to
    assert isinstance(source, QuantType) and isinstance(to, QuantType)
    low, high = integer_range(to.storage)
    rounded = SHIFTS[op.rounding.data]

    def text(args: Sequence[str], _: Sequence[str]) -> str:
        x, m, o = args
        total = rounded.format(f"(int64_t){minus(x, int(source.zero))} * {m} + {o}", op.shift.data)
        return f"({c_type(op.result)})dnnc_clamp({total} + {int(to.zero)}, {low}, {high})"

    return Step(op.operands, text)


def _threshold(kernel: Kernel, op: ThresholdOp) -> Step:
    """The count as a sum of comparisons, with numbers where one set of thresholds is for all."""
    t = kernel.value(op.thresholds)
    assert t is not None
    kind = "float" if t.dtype == np.float32 else "int"
    numbers = [c_literal(v.item(), kind) for v in t[0]] if t.shape[0] == 1 else []
    axis = normal_axis(op.axis.data, len(op.shape()))

    def text(args: Sequence[str], channel: Sequence[str]) -> str:
        count = " + ".join(f"({args[0]} >= {v})" for v in (numbers or channel)) or "0"
        return f"({c_type(op.result)})({op.first.data} + {op.step.data} * ({count}))"

    return Step((op.x,), text, () if numbers else [np.ascontiguousarray(c) for c in t.T], axis)
