"""Pools, separably: the rows of a window are accumulated into one, whole rows at a time; then its columns.

Both passes run without bounds tests: rows outside the input are left out, columns near the border have loops of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import reduce
from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.blocks import coordinates, inside, spread
from dnnc.backends.c.kernels.reduction import Steps
from dnnc.backends.c.text import C_TYPES, Bound, Code, c_type, index, kind_of, numpy_type, shifted
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.reduction import ArgMaxPoolOp, Pool
from dnnc.ir.scalar import c_literal
from dnnc.ir.types import shape_of

_UNROLLED = 8  # taps written out in one expression


def emit_pool(kernel: Kernel, op: Pool) -> None:
    """y[n][c][e][f] = finish(step over the taps inside the input, or its block, of map(x))."""
    n, c, *hw = op.shape()
    ef = shape_of(op.result.type)[2:]
    steps, code = Steps(op), kernel.code
    cut = spread(op.window.data, hw, ef)
    if cut is None:
        return _emit_by_taps(kernel, op, steps)
    win, hw, ef = cut
    line = kernel.scratch(hw[-1], steps.type)
    count = _count(kernel, op, steps)
    with code.loop("c", n * c), code.nest(ef[:-1], "e") as row:
        out = index(["c", *row], _rows((1, *ef)))
        code.add(f"{c_type(op.result)} *out = {shifted(kernel.y(), out)};")
        _emit_rows(code, steps, (win, hw), row, kernel.x(op.x), line)
        at = index([*row, "f"], _rows(ef))
        _emit_columns(code, steps, (win, hw[-1], ef[-1]), line, count if isinstance(count, int) else f"{count}[{at}]")
    return None


def _emit_by_taps(kernel: Kernel, op: Pool, steps: Steps) -> None:
    """Windows of blocks of which the last is smaller, tap by tap."""
    n, c, *hw = op.shape()
    ef, win, code = shape_of(op.result.type)[2:], op.window.data, kernel.code
    with code.loop("c", n * c), code.nest(ef, "e") as out:
        code.add(f"{steps.c_type} total = {steps.identity()};")
        with code.nest(win.kernel, "k") as tap:
            coordinates(code, win, out, tap)
            place = index(["c", *(f"h{d}" for d in range(win.rank))], [prod(hw), *_rows(hw)])
            with code.block(f"if ({inside(code, win, hw, ef, out)})"):
                code.add(f"total = {steps.step('total', f'{kernel.x(op.x)}[{place}]')};")
        at, count = index(["c", *out], _rows((1, *ef))), prod(win.kernel)
        code.add(f"{kernel.y()}[{at}] = {steps.finish('total', count)};")


def _emit_rows(
    code: Code, steps: Steps, of: tuple[Window, Sequence[int]], row: Sequence[str], x: str, line: str
) -> None:
    """line[w] = the accumulation over the rows of the window at `row` of map(x)."""
    win, hw = of
    with code.loop("w", hw[-1]):
        code.add(f"{line}[w] = {steps.identity()};")
    with _rows_inside(code, win, hw, row):
        start = index(["c", *(f"h{d}" for d in range(len(row)))], [prod(hw[k:]) for k in range(len(hw))])
        code.add(f"const {C_TYPES[steps.source.name]} *in = {shifted(x, start)};")
        with code.loop("w", hw[-1]):
            code.add(f"{line}[w] = {steps.step(f'{line}[w]', 'in[w]')};")


@contextmanager
def _rows_inside(code: Code, win: Window, hw: Sequence[int], row: Sequence[str]) -> Iterator[None]:
    """Loops over the taps of the window at `row`, but those of its columns, that lie inside the input, at h0, h1, ...

    Bounds, not a test within: gcc 12 carries a line over the taps, under such a test, wrongly into AVX-512 registers.
    """
    with ExitStack() as loops:
        for d, e in enumerate(row):
            u, dilation, before = win.stride[d], win.dilation[d], win.pad[d]
            code.add(f"const int32_t p{d} = {index([e], [u], -before)};")
            start: Bound = 0
            if before:
                start = f"(p{d} < 0 ? ({dilation - 1} - p{d}) / {dilation} : 0)"
            left = f"({hw[d] + dilation - 1} - p{d}) / {dilation}"
            code.add(f"const int32_t n{d} = {left} < {win.kernel[d]} ? {left} : {win.kernel[d]};")
            loops.enter_context(code.loop(f"k{d}", f"n{d}", start=start))
            code.add(f"const int32_t h{d} = {index([f'p{d}', f'k{d}'], [1, dilation])};")
        yield


def _emit_columns(code: Code, steps: Steps, of: tuple[Window, int, int], line: str, count: int | str) -> None:
    """out[f] = finish(the accumulation over the columns of the window of `line`)."""
    win, width, size = of
    low, high = _inner(win, width, size)
    u, taps = win.stride[-1], win.kernel[-1]
    shifts = [s * win.dilation[-1] - win.pad[win.rank - 1] for s in range(taps)]
    for start, end in ((0, low), (high, size)):
        if start < end:
            with code.loop("f", end, start=start):
                _emit_column(code, steps, (taps, u, win.dilation[-1], shifts[0]), line, width)
                code.add(f"out[f] = {steps.finish('total', count)};")
    if low >= high:
        return
    with code.loop("f", high, start=low):
        if taps <= _UNROLLED:
            parts = [f"{line}[{index(['f'], [u], shift)}]" for shift in shifts]
            code.add(f"const {steps.c_type} total = {reduce(steps.join, parts)};")
        else:
            _emit_column(code, steps, (taps, u, win.dilation[-1], shifts[0]), line, None)
        code.add(f"out[f] = {steps.finish('total', count)};")


def _emit_column(code: Code, steps: Steps, walk: tuple[int, int, int, int], line: str, width: int | None) -> None:
    """`total`: the accumulation at column f, tap by tap, with a test of the border when a width is given."""
    taps, stride, dilation, shift = walk
    code.add(f"{steps.c_type} total = {steps.identity()};")
    with code.loop("s", taps):
        code.add(f"const int32_t w = {index(['f', 's'], [stride, dilation], shift)};")
        with code.block(f"if (w >= 0 && w < {width})" if width is not None else ""):
            code.add(f"total = {steps.join('total', f'{line}[w]')};")


def _inner(win: Window, width: int, size: int) -> tuple[int, int]:
    """Output columns [low, high) whose whole window lies inside the input; (size, size) when there are none."""
    u, before = win.stride[-1], win.pad[win.rank - 1]
    low = min(size, -(-before // u))
    high = min(size, (width + before - win.extent[-1]) // u + 1)
    return (low, high) if low < high else (size, size)


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
    rows = _rows(hw)
    order = [prod(hw[:d]) for d in range(len(hw))] if op.column_major is not None else rows
    lowest = c_literal(op.identity(), kind_of(dt))
    with code.loop("c", n * c), code.nest(ef, "e") as out:
        code.add(f"{c_type(op.x)} best = {lowest};", "int64_t place = -1;")
        with code.nest(win.kernel, "k") as tap:
            for d, (e, k) in enumerate(zip(out, tap)):
                code.add(f"const int32_t h{d} = {index([e, k], [win.stride[d], win.dilation[d]], -win.pad[d])};")
            spatial = [f"h{d}" for d in range(len(hw))]
            condition = " && ".join(f"h{d} >= 0 && h{d} < {hw[d]}" for d in range(len(hw)))
            element = f"{kernel.x(op.x)}[{index(['c', *spatial], [prod(hw), *rows])}]"
            with code.block(f"if ({condition} && (place < 0 || {element} > best))"):
                code.add(f"best = {element};", f"place = {index(['c', *spatial], [prod(hw), *order])};")
        at = index(["c", *out], _rows((1, *ef)))
        code.add(f"{kernel.y()}[{at}] = place;")


def _rows(shape: Sequence[int]) -> list[int]:
    return [prod(shape[d + 1 :]) for d in range(len(shape))]
