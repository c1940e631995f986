"""Matrix products on float32: dot products for few rows or columns, else register tiles over the columns."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.elementwise import Walk, emit_walk
from dnnc.backends.c.kernels.planes import MIN_RUN
from dnnc.backends.c.kernels.tiles import ROWS
from dnnc.backends.c.text import Bound, index, shifted, strides_to, table
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.types import shape_of

_FEW = 4  # rows of A below which each weight is used too seldom to be worth a tile
_STRIP = 1 << 16  # floats of B that stay in a second-level cache while all rows of A pass over them


@dataclass(frozen=True)
class Matrix:
    """A stack of matrices in memory: element (r, c) of matrix b at offset(b) + r * row + c * column."""

    pointer: str
    batch: tuple[int, ...]
    row: int
    column: int


def emit_matmul(kernel: Kernel, op: MatmulOp) -> None:
    """Y = A * B for each matrix of the broadcast stack, then bias and elementwise operations."""
    (*batch_a, m, k), (*batch_b, _, n) = op.operand_shapes()
    batch = np.broadcast_shapes(tuple(batch_a), tuple(batch_b))
    dots = m < _FEW or n < MIN_RUN
    a = _matrix(kernel, op.a, (*batch_a, m, k), op.trans_a is not None, batch, dots or None)
    b = _matrix(kernel, op.b, (*batch_b, k, n), op.trans_b is not None, batch, not dots)
    code = kernel.code
    if not dots:
        code.add(*table("taps", [0]))
    with code.nest(batch, "b") as at:
        y = shifted(kernel.y(), index(at, [s * m * n for s in strides_to(batch, batch)]))
        pa, pb = (shifted(x.pointer, index(at, x.batch)) for x in (a, b))
        if dots:
            with code.loop("i", m):
                code.add(f"dnnc_dot({pa} + i * {k}, {k}, {pb}, {k}, NULL, {y} + i * {n}, 1, {n});")
        else:
            _emit_tiles(kernel, (m, k, n), (pa, a.row, a.column), (pb, b.row), y)
    _emit_tail(kernel, op)


def _matrix(
    kernel: Kernel,
    value: SSAValue,
    shape: tuple[int, ...],
    swapped: bool,
    batch: tuple[int, ...],
    row_major: bool | None,
) -> Matrix:
    """An operand of logical `shape` with rows contiguous, columns contiguous, or (None) as it lies.

    What lies the other way is transposed: at compile time when it is constant, else into scratch memory.
    """
    *stack, r, c = shape
    strides = tuple(s * r * c for s in strides_to(stack, batch))
    if row_major is None or row_major == (not swapped) or 1 in (r, c):
        row, column = (1, r) if swapped else (c, 1)
        return Matrix(kernel.x(value), strides, row, column)
    row, column = (c, 1) if row_major else (1, r)
    array = kernel.value(value)
    if array is not None:
        stored = array.reshape(*stack, c, r) if swapped else array.reshape(shape)
        return Matrix(kernel.constant(stored.swapaxes(-1, -2)), strides, row, column)
    return Matrix(_transposed(kernel, value, prod(stack), (c, r) if swapped else (r, c)), strides, row, column)


def _transposed(kernel: Kernel, value: SSAValue, count: int, stored: tuple[int, int]) -> str:
    """Copy matrices stored as r x c into scratch memory as c x r."""
    r, c = stored
    memory, x, code = kernel.scratch(count * r * c), kernel.x(value), kernel.code
    with code.loop("s", count), code.loop("i", r), code.loop("j", c):
        code.add(f"{memory}[s * {r * c} + j * {r} + i] = {x}[s * {r * c} + i * {c} + j];")
    return memory


def _emit_tiles(
    kernel: Kernel, size: tuple[int, int, int], a: tuple[str, int, int], b: tuple[str, int], y: str
) -> None:
    m, k, n = size
    code = kernel.code
    columns = n if k * n <= _STRIP else max(64, _STRIP // k // 64 * 64)
    if 0 < n % columns < MIN_RUN:
        columns = n
    with code.loop("p", n, step=columns) if columns < n else code.block(""):
        if columns >= n:
            code.add("const int32_t p = 0;")
        left: Bound = f"p + {columns} <= {n} ? {columns} : {n} - p" if n % columns else columns
        code.add(f"const int32_t run = {left};")
        with code.loop("m0", m, step=ROWS):
            code.add(f"const int32_t ms = {f'm0 + {ROWS} <= {m} ? {ROWS} : {m} - m0' if m % ROWS else ROWS};")
            code.add(
                f"dnnc_contract({b[0]} + p, {b[1]}, {k}, taps, 1, {a[0]} + m0 * {a[1]}, {a[1]}, {a[2]}, 0, NULL, "
                f"{y} + m0 * {n} + p, {n}, ms, run, 0);"
            )


def _emit_tail(kernel: Kernel, op: MatmulOp) -> None:
    """The bias and the elementwise operations of the unit, over the whole result."""
    if op.bias is None and not kernel.unit.tail:
        return
    shape = shape_of(op.result.type)
    walk = Walk(shape, (0,) * len(shape), shape)
    y = walk.array(kernel.y(), strides_to(shape, shape))
    parts = (y,) if op.bias is None else (y, walk.operand(kernel, op.bias))
    emit_walk(kernel, walk, y, kernel.unit.tail, {op.result: parts})
