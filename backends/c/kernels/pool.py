"""Pools: one output row at a time, tap by tap over the columns where that tap lies inside the input."""

from __future__ import annotations

from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.reduction import Steps
from dnnc.backends.c.text import C_TYPES, Code, c_type, index, kind_of, numpy_type, shifted
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.reduction import ArgMaxPoolOp, Pool
from dnnc.ir.scalar import c_literal
from dnnc.ir.types import shape_of


def emit_pool(kernel: Kernel, op: Pool) -> None:
    """y[n][c][e][f] = finish(step over the taps inside the input of map(x))."""
    n, c, *hw = op.shape()
    ef = shape_of(op.result.type)[2:]
    win, steps, code = op.window.data, Steps(op), kernel.code
    x, y = kernel.x(op.x), kernel.y()
    count = _count(kernel, op, steps)
    with code.loop("c", n * c), code.nest(ef[:-1], "e") as row:
        out = index(["c", *row], [prod(ef[k:]) for k in range(len(ef))])
        code.add(f"{c_type(op.result)} *out = {shifted(y, out)};")
        with code.loop("f", ef[-1]):
            code.add(f"out[f] = {steps.identity()};")
        _emit_taps(code, steps, win, hw, ef, row, x)
        with code.loop("f", ef[-1]):
            at = index([*row, "f"], [prod(ef[k + 1 :]) for k in range(len(ef))])
            code.add(f"out[f] = {steps.finish('out[f]', count if isinstance(count, int) else f'{count}[{at}]')};")


def _emit_taps(
    code: Code, steps: Steps, win: Window, hw: list[int], ef: tuple[int, ...], row: list[str], x: str
) -> None:
    with code.nest(win.kernel[:-1], "k") as tap:
        inside = []
        for d, (e, k) in enumerate(zip(row, tap)):
            code.add(f"const int32_t h{d} = {index([e, k], [win.stride[d], win.dilation[d]], -win.pad[d])};")
            inside.append(f"h{d} >= 0 && h{d} < {hw[d]}")
        line = index(["c", *(f"h{d}" for d in range(len(row)))], [prod(hw[k:]) for k in range(len(hw))])
        with code.block(f"if ({' && '.join(inside)})" if inside else ""):
            code.add(f"const {C_TYPES[steps.source.name]} *in = {shifted(x, line)};")
            for s in range(win.kernel[-1]):
                low, high, shift = columns(win, hw[-1], ef[-1], s)
                if low < high:
                    with code.loop("f", high, start=low):
                        element = f"in[{index(['f'], [win.stride[-1]], shift)}]"
                        code.add(f"out[f] = {steps.step('out[f]', element)};")


def columns(win: Window, width: int, out: int, tap: int) -> tuple[int, int, int]:
    """Output columns [low, high) at which a tap of the last dimension lies inside the input, and its shift."""
    u, shift = win.stride[-1], tap * win.dilation[-1] - win.pad[win.rank - 1]
    return max(0, -(shift // u)), min(out, (width - 1 - shift) // u + 1), shift


def _count(kernel: Kernel, op: Pool, steps: Steps) -> int | str:
    """Elements reduced: a number, or a table over the output positions."""
    counts = np.asarray(op.count())
    if np.all(counts == counts.flat[0]):
        return int(counts.flat[0])
    return kernel.constant(counts.astype(steps.type))


def emit_arg_max_pool(kernel: Kernel, op: ArgMaxPoolOp) -> None:
    """y[n][c][e][f] = flat index of the first largest element of the window."""
    n, c, *hw = op.shape()
    ef = shape_of(op.result.type)[2:]
    win, code, dt = op.window.data, kernel.code, numpy_type(op.x)
    rows = [prod(hw[d + 1 :]) for d in range(len(hw))]
    order = [prod(hw[:d]) for d in range(len(hw))] if op.column_major is not None else rows
    lowest = c_literal(op.identity(), kind_of(dt))
    with code.loop("c", n * c), code.nest(ef, "e") as out:
        code.add(f"{c_type(op.x)} best = {lowest};", "int64_t place = -1;")
        with code.nest(win.kernel, "k") as tap:
            for d, (e, k) in enumerate(zip(out, tap)):
                code.add(f"const int32_t h{d} = {index([e, k], [win.stride[d], win.dilation[d]], -win.pad[d])};")
            spatial = [f"h{d}" for d in range(len(hw))]
            inside = " && ".join(f"h{d} >= 0 && h{d} < {hw[d]}" for d in range(len(hw)))
            element = f"{kernel.x(op.x)}[{index(['c', *spatial], [prod(hw), *rows])}]"
            with code.block(f"if ({inside} && (place < 0 || {element} > best))"):
                code.add(f"best = {element};", f"place = {index(['c', *spatial], [prod(hw), *order])};")
        at = index(["c", *out], [prod(ef[d:]) for d in range(len(ef))] + [1])
        code.add(f"{kernel.y()}[{at}] = place;")
