"""Contractions on integers and float64: one loop nest that follows the formula, sums of integers wrapping."""

from __future__ import annotations

from math import prod

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.blocks import coordinates, inside
from dnnc.backends.c.kernels.elementwise import Walk, emit_walk
from dnnc.backends.c.text import c_type, index, kind_of, numpy_type, strides_to
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.types import shape_of


def _sum_type(kernel: Kernel) -> str:
    """The type sums are kept in: the result's on floats, an unsigned one of 64 bits, which may wrap, on integers."""
    y = kernel.unit.outputs[0]
    return c_type(y) if kind_of(numpy_type(y)) != "int" else "uint64_t"


def emit_plain_matmul(kernel: Kernel, op: MatmulOp) -> None:
    """Y[i][j] = bias[i][j] + sum over k of A[i][k] * B[k][j]."""
    (*batch_a, m, k), (*batch_b, _, n) = op.operand_shapes()
    y_shape = shape_of(op.result.type)
    batch = y_shape[: len(y_shape) - (len(op.shape(0)) > 1) - (len(op.shape(1)) > 1)]
    full, code, sums = (*batch, m, n), kernel.code, _sum_type(kernel)
    a_step = (1, m) if op.trans_a else (k, 1)
    b_step = (1, k) if op.trans_b else (n, 1)
    a, b = kernel.x(op.a), kernel.x(op.b)
    with code.nest(batch, "b") as at, code.loop("i", m), code.loop("j", n):
        a_at = index([*at, "i", "k"], [*(s * m * k for s in strides_to(batch_a, batch)), *a_step])
        b_at = index([*at, "k", "j"], [*(s * k * n for s in strides_to(batch_b, batch)), *b_step])
        code.add(f"{sums} sum = {_start(kernel, op, [*at, 'i', 'j'], full)};")
        with code.loop("k", k):
            code.add(f"sum += ({sums}){a}[{a_at}] * ({sums}){b}[{b_at}];")
        y_at = index([*at, "i", "j"], _rows(full))
        code.add(f"{kernel.y()}[{y_at}] = ({c_type(op.result)})sum;")


def _start(kernel: Kernel, op: MatmulOp, variables: list[str], full: tuple[int, ...]) -> str:
    if op.bias is None:
        return "0"
    y_shape = shape_of(op.result.type)
    # a vector operand drops its dimension from the result
    kept = (
        [v for v, d in zip(variables, full)]
        if len(full) == len(y_shape)
        else variables[: len(variables) - 2] + ([variables[-1]] if len(op.shape(0)) == 1 else [variables[-2]])
    )
    at = index(kept, strides_to(shape_of(op.bias.type), y_shape))
    return f"({_sum_type(kernel)}){kernel.x(op.bias)}[{at}]"


def emit_plain_conv(kernel: Kernel, op: ConvOp) -> None:
    """O[n][m] = bias[m] + sum over channels and the taps inside the input, or its block; then what follows in the unit."""
    d, win, code, sums = op.dims(), op.window.data, kernel.code, _sum_type(kernel)
    rank, c, m = win.rank, d.C // d.groups, d.M // d.groups
    x, w = kernel.x(op.x), kernel.x(op.w)
    with code.nest((d.N, d.groups, m, *d.EF), "o") as out:
        n, g, f, *at = out
        start = f"({sums}){kernel.x(op.bias)}[{index([g, f], [m, 1])}]" if op.bias is not None else "0"
        code.add(f"{sums} sum = {start};")
        with code.nest((c, *d.RS), "k") as inner:
            k, *tap = inner
            coordinates(code, win, at, tap)
            condition = inside(code, win, d.HW, d.EF, at)
            x_at = index([n, g, k, *(f"h{a}" for a in range(rank))], _rows((d.N, d.groups, c, *d.HW)))
            w_at = index([g, f, k, *tap], _rows((d.groups, m, c, *d.RS)))
            with code.block(f"if ({condition})"):
                code.add(f"sum += ({sums}){x}[{x_at}] * ({sums}){w}[{w_at}];")
        code.add(f"{kernel.y()}[{index(out, _rows((d.N, d.groups, m, *d.EF)))}] = ({c_type(op.result)})sum;")
    if kernel.unit.tail:
        shape = shape_of(op.result.type)
        walk = Walk(shape, (0,) * len(shape), shape)
        y = walk.array(kernel.y(), strides_to(shape, shape))
        emit_walk(kernel, walk, y, kernel.unit.tail, {op.result: (y,)})


def _rows(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))
