"""Reductions of quantized values: averages over windows and axes, softmax, normalization."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.reduction import split
from dnnc.backends.c.kernels.rescale import Rescale
from dnnc.backends.c.kernels.steps import minus
from dnnc.backends.c.text import Bound, c_type, collapse, index, shifted, strides_to
from dnnc.ir.dnn.integer import Mean, QAvgPoolOp, QNormalizeOp, QReduction, QSoftmaxOp, reach
from dnnc.ir.dnn.movement import row_strides
from dnnc.ir.types import bits, integer_range, shape_of


def emit_average_pool(kernel: Kernel, op: QAvgPoolOp) -> None:
    """Y = clamp(round(sum over the taps inside the input of (x - z_x) * M[n]) + z_y)."""
    n, c, *hw = op.shape()
    win, ef, code = op.window.data, shape_of(op.result.type)[2:], kernel.code
    q, shift = _multipliers(kernel, op, ef)
    rescale = _rescale(op, prod(win.kernel))
    x, zero = kernel.x(op.x), int(op.source().zero)
    with code.loop("c", n * c), code.nest(ef, "e") as out:
        code.add("int32_t sum = 0;")
        if prod(ef) == 1 and not any(win.pad) and tuple(win.kernel) == tuple(hw):
            with code.loop("i", prod(hw)):
                code.add(f"sum += {minus(f'{x}[c * {prod(hw)} + i]', zero)};")
        else:
            with code.nest(win.kernel, "w") as tap:
                for d, (e, k) in enumerate(zip(out, tap)):
                    code.add(f"const int32_t h{d} = {index([e, k], [win.stride[d], win.dilation[d]], -win.pad[d])};")
                places = [f"h{d}" for d in range(len(hw))]
                inside = " && ".join(f"{h} >= 0 && {h} < {size}" for h, size in zip(places, hw))
                with code.block(f"if ({inside})"):
                    element = f"{x}[{index(['c', *places], row_strides((1, *hw)))}]"
                    code.add(f"sum += {minus(element, zero)};")
        at = index(out, row_strides(ef))
        value = rescale.text("sum", q.format(at), shift.format(at))
        code.add(f"{kernel.y()}[{index(['c', *out], row_strides((1, *ef)))}] = ({c_type(op.result)}){value};")


def _rescale(op: Mean, most: int) -> Rescale:
    multipliers = op.multiplier_of(op.counts() if isinstance(op, QAvgPoolOp) else op.divisor())  # pyright: ignore
    return Rescale.to(op.target(), multipliers, op.rounding.data, most * reach(op.source()))


def _multipliers(kernel: Kernel, op: QAvgPoolOp, ef: tuple[int, ...]) -> tuple[str, str]:
    """Texts of the multiplier and the shift at an output position `{}`: numbers when all windows are alike."""
    n = op.count()
    if n is not None:
        q, shift = op.multiplier_of(n)
        return str(int(q)), str(int(shift))
    q, shift = (np.broadcast_to(v, ef) for v in op.multiplier_of(op.counts()))
    return f"{kernel.constant(q.astype(np.int32))}[{{}}]", f"{kernel.constant(shift.astype(np.uint8))}[{{}}]"


def emit_integer_reduction(kernel: Kernel, op: QReduction) -> None:
    """Y = clamp(round(sum over the axes of (x - z_x) * M) + z_y)."""
    shape, axes, code = op.shape(), op.axes.data, kernel.code
    kept = [d for d in range(len(shape)) if d not in axes]
    strides = row_strides(shape)
    y_strides = row_strides(tuple(shape[d] for d in kept))
    bounds, (read, write) = collapse([shape[d] for d in kept], [[strides[d] for d in kept], y_strides])
    inner, (over,) = collapse([shape[d] for d in axes], [[strides[d] for d in axes]])
    q, shift = op.multiplier_of(op.divisor())
    rescale, x, zero = _rescale(op, op.reduced()), kernel.x(op.x), int(op.source().zero)
    with code.nest(bounds) as at:
        code.add("int32_t sum = 0;", f"const {c_type(op.x)} *in = {shifted(x, index(at, read))};")
        with code.nest(inner, "r") as place:
            code.add(f"sum += {minus(f'in[{index(place, over)}]', zero)};")
        value = rescale.text("sum", int(q), int(shift))
        code.add(f"{kernel.y()}[{index(at, write)}] = ({c_type(op.result)}){value};")


def emit_integer_softmax(kernel: Kernel, op: QSoftmaxOp) -> None:
    """Y = min(2^n - 1, (2^(n+1) * E + S) / (2 * S)) + z_y with E = exp[max - x] and S their sum."""
    outer, n, inner = split(op.shape(), op.axis.data)
    width, zero, code = bits(op.target()), int(op.target().zero), kernel.code
    with code.loop("a", outer), code.loop("b", inner):
        start = index(["a", "b"], [n * inner, 1])
        code.add(f"const {c_type(op.x)} *in = {kernel.x(op.x)} + {start};")
        code.add(f"{c_type(op.result)} *out = {kernel.y()} + {start};", "int32_t most = in[0];", "uint64_t sum = 0;")
        at = f"i * {inner}" if inner > 1 else "i"
        with code.loop("i", n, start=1):
            code.add(f"most = in[{at}] > most ? in[{at}] : most;")
        with code.loop("i", n):
            code.add(f"sum += (uint64_t){kernel.x(op.exp)}[most - in[{at}]];")
        with code.loop("i", n):
            code.add(f"const uint64_t e = (uint64_t){kernel.x(op.exp)}[most - in[{at}]];")
            code.add(f"const uint64_t part = ((e << {width + 1}) + sum) / (2 * sum);")
            limit = (1 << width) - 1
            code.add(f"out[{at}] = ({c_type(op.result)})((int32_t)(part < {limit} ? part : {limit}) + {zero});")


def emit_normalize(kernel: Kernel, op: QNormalizeOp) -> None:
    """Y = clamp(half_even(u * multiplier + offset, shift) + z_y), u = d / sqrt(V) in 2^-30."""
    shape, code, k = op.shape(), kernel.code, op.root_shift()
    low, high = integer_range(op.target().storage)
    n, zero = prod(shape[d] for d in op.axes.data), int(op.source().zero)
    names = [f"i{d}" for d in range(len(shape))]
    kept = [(names[d], b) for d, b in enumerate(shape) if d not in op.axes.data]
    over: list[tuple[str, Bound]] = [(names[d], b) for d, b in enumerate(shape) if d in op.axes.data]
    at = index(names, row_strides(shape))
    x = f"(int64_t){kernel.x(op.x)}[{at}]"
    d = f"{n} * {x} - sum" if op.center is not None else minus(x, zero)
    with code.nest_named(kept):
        code.add("int64_t squares = 0;")
        if op.center is not None:
            code.add("int64_t sum = 0;")
            with code.nest_named(over):
                code.add(f"sum += {x};")
        with code.nest_named(over):
            code.add(f"const int64_t d = {d};", "squares += d * d;")
        code.add(f"const int64_t total = squares + INT64_C({op.epsilon.data});")
        root = f"dnnc_isqrt((total > 1 ? total : 1) * (INT64_C(1) << {k}))"
        code.add(f"const int64_t unit = (INT64_C(1) << 62) / {root};")
        with code.nest_named(over):
            code.add(f"const int64_t d = {d};", f"const int64_t u = dnnc_round_shift(d * unit, {32 - k // 2});")
            multiplier = _element(kernel, op.multiplier, names, shape)
            offset = f" + {_element(kernel, op.offset, names, shape)}" if op.offset is not None else ""
            value = f"dnnc_round_shift(u * {multiplier}{offset}, {op.shift.data}) + {int(op.target().zero)}"
            code.add(f"{kernel.y()}[{at}] = ({c_type(op.result)})dnnc_clamp({value}, {low}, {high});")


def _element(kernel: Kernel, value, names: Sequence[str], shape: tuple[int, ...]) -> str:
    return f"{kernel.x(value)}[{index(names, strides_to(shape_of(value.type), shape))}]"
