"""Reductions over axes and windows, extreme indices, running sums."""

from __future__ import annotations

from math import prod

import numpy as np

from dnnc.backends.c.expression import expression_text, operand_text
from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.text import C_TYPES, Bound, c_type, collapse, index, kind_of, numpy_type, shifted
from dnnc.ir import scalar as S
from dnnc.ir.dnn.attributes import normal_axis
from dnnc.ir.dnn.reduction import ArgMaxOp, ArgReduction, AxisReduction, CumSumOp, Reduction


class Steps:
    """The three scalar functions of a reduction as C, on an accumulator of a type that holds its sums."""

    def __init__(self, op: Reduction):
        self.op = op
        self.source = numpy_type(op.operands[0])
        # a sum of booleans counts them
        counts = self.source == np.bool_ and op.STEP in ("add", "mul")
        self.type = np.dtype(np.int64) if counts else self.source
        self.c_type = C_TYPES[self.type.name]

    def identity(self) -> str:
        """Where the accumulation starts."""
        value = self.op.identity()
        if self.type == np.int64 and value == -(2**63):
            return "INT64_MIN"
        return S.c_literal(value, kind_of(self.type)) + ("u" if self.type == np.uint64 else "")

    def step(self, total: str, element: str) -> str:
        """The accumulator with one more element of the operand."""
        mapped = S.trace(self.op.map, 1)
        element = self._text(mapped, [operand_text(element, self.source, self.type)])
        return self._cast(self._text(S.apply(self.op.STEP, S.Arg(0), S.Arg(1)), [self._operand(total), element]))

    def join(self, total: str, part: str) -> str:
        """The accumulator with another one."""
        return self._cast(self._text(S.apply(self.op.STEP, S.Arg(0), S.Arg(1)), [total, part]))

    def finish(self, total: str, count: str | int) -> str:
        """The result from the accumulator of `count` elements."""
        body = self.op.finish(S.Arg(0), S.Arg(1))
        text = self._text(body, [self._operand(total), f"({self.c_type}){count}"])
        return f"({C_TYPES[self.source.name]})({text}{' != 0' if self.source == np.bool_ else ''})"

    def _text(self, expression: object, args: list[str]) -> str:
        return expression_text(expression, args, self.type)

    def _operand(self, text: str) -> str:
        return operand_text(text, self.type, self.type)

    def _cast(self, text: str) -> str:
        return f"({self.c_type}){text}" if kind_of(self.type) == "int" else text


def emit_axis_reduction(kernel: Kernel, op: AxisReduction) -> None:
    """y[kept] = finish(step over the reduced of map(x)), row by row where the last axis is kept."""
    shape, steps, code = op.shape(), Steps(op), kernel.code
    kept = [i for i in range(len(shape)) if i not in op.axes.data]
    over = list(op.axes.data)
    strides = [prod(shape[i + 1 :]) for i in range(len(shape))]
    out_strides = [prod(shape[j] for j in kept[n + 1 :]) for n in range(len(kept))]
    count = prod(shape[i] for i in over)
    kept_bounds, (x_kept, y_kept) = collapse([shape[i] for i in kept], [[strides[i] for i in kept], out_strides])
    over_bounds, (x_over,) = collapse([shape[i] for i in over], [[strides[i] for i in over]])
    x, y = kernel.x(op.x), kernel.y()
    if kept_bounds and x_kept[-1] == 1 and steps.type == steps.source:
        with code.nest(kept_bounds[:-1]) as at:
            row, out = index(at, x_kept[:-1]), index(at, y_kept[:-1])
            width = kept_bounds[-1]
            code.add(f"{steps.c_type} *out = {shifted(y, out)};")
            with code.loop("p", width):
                code.add(f"out[p] = {steps.identity()};")
            with code.nest(over_bounds, "r") as inner:
                code.add(f"const {steps.c_type} *row = {shifted(shifted(x, row), index(inner, x_over))};")
                with code.loop("p", width):
                    code.add(f"out[p] = {steps.step('out[p]', 'row[p]')};")
            with code.loop("p", width):
                code.add(f"out[p] = {steps.finish('out[p]', count)};")
        return
    with code.nest(kept_bounds) as at:
        _emit_scalar(kernel, steps, shifted(x, index(at, x_kept)), over_bounds, x_over)
        code.add(f"{y}[{index(at, y_kept)}] = {steps.finish('total', count)};")


def _emit_scalar(kernel: Kernel, steps: Steps, x: str, bounds: list[Bound], strides: tuple[int, ...]) -> None:
    """`total`: the accumulation of one result, in eight parts along the last dimension where that is contiguous."""
    code, kind = kernel.code, steps.c_type
    code.add(f"const {C_TYPES[steps.source.name]} *row = {x};", f"{kind} total = {steps.identity()};")
    last = bounds[-1] if bounds else 1
    parted = isinstance(last, int) and last >= 16 and strides[-1] == 1 and kind_of(steps.type) != "int"
    if not parted:
        with code.nest(bounds, "r") as at:
            element = f"row[{index(at, strides)}]"
            code.add(f"total = {steps.step('total', element)};")
        return
    assert isinstance(last, int)
    code.add(f"{kind} part[8];")
    with code.loop("l", 8):
        code.add(f"part[l] = {steps.identity()};")
    with code.nest(bounds[:-1], "r") as at:
        place = index(at, strides[:-1])
        with code.loop("p", last - last % 8, step=8), code.loop("l", 8):
            element = f"row[{place} + p + l]"
            code.add(f"part[l] = {steps.step('part[l]', element)};")
        for p in range(last - last % 8, last):
            element = f"row[{place} + {p}]"
            code.add(f"part[{p % 8}] = {steps.step(f'part[{p % 8}]', element)};")
    with code.loop("l", 8):
        code.add(f"total = {steps.join('total', 'part[l]')};")


def emit_arg_reduction(kernel: Kernel, op: ArgReduction) -> None:
    """Y = the index of the first (or last) extreme element along the axis; NaN counts as extreme."""
    outer, n, inner = split(op.shape(), op.axis.data)
    x, y, code = kernel.x(op.x), kernel.y(), kernel.code
    sign = (">" if isinstance(op, ArgMaxOp) else "<") + ("=" if op.last is not None else "")
    with code.loop("a", outer), code.loop("b", inner):
        code.add(f"const {c_type(op.x)} *row = {x} + (a * {n * inner} + b);", "int32_t best = 0;")
        with code.loop("i", n, start=1):
            taken = f"row[i * {inner}] {sign} row[best * {inner}]"
            if kind_of(numpy_type(op.x)) != "int":
                nan, old = f"row[i * {inner}] != row[i * {inner}]", f"row[best * {inner}] == row[best * {inner}]"
                taken = f"{taken} || ({nan}{'' if op.last is not None else f' && {old}'})"
            code.add(f"best = {taken} ? i : best;")
        code.add(f"{y}[a * {inner} + b] = best;")


def emit_cum_sum(kernel: Kernel, op: CumSumOp) -> None:
    """y[i] = running sum along the axis."""
    outer, n, inner = split(op.shape(), op.axis.data)
    x, y, code, dt = kernel.x(op.x), kernel.y(), kernel.code, numpy_type(op.x)
    step = expression_text(S.Arg(0) + S.Arg(1), [operand_text(t, dt, dt) for t in ("sum", f"{x}[at]")], dt)
    with code.loop("a", outer), code.loop("b", inner):
        code.add(f"{c_type(op.x)} sum = 0;")
        with code.loop("i", n):
            place = f"{n - 1} - i" if op.reverse is not None else "i"
            code.add(f"const int32_t at = a * {n * inner} + ({place}) * {inner} + b;")
            store, add = f"{y}[at] = sum;", f"sum = ({c_type(op.x)}){step};"
            code.add(*((store, add) if op.exclusive is not None else (add, store)))


def split(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """Elements before, along and after an axis; a scalar counts as one of size 1."""
    if not shape:
        return 1, 1, 1
    axis = normal_axis(axis, len(shape))
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
