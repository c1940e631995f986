"""Contractions of quantized values of any width, weights and zero points as they are: loops that follow the formula.

Sums wrap at 32 bits, as those of the interpreter. Layers of 8-bit values with constant weights have faster forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.blocks import coordinates, inside
from dnnc.backends.c.kernels.chain import Chain
from dnnc.backends.c.kernels.elementwise import Walk
from dnnc.backends.c.text import index, shifted, strides_to
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.movement import row_strides
from dnnc.ir.types import QuantType, shape_of

_SUM_BOUND = 1 << 31


def emit_integer_conv(kernel: Kernel, op: ConvOp) -> None:
    """O[n][m] = bias[m] + sum over channels and the taps inside the input, or its block, of (x - z_x) * (w - z_w)."""
    d, win, code = op.dims(), op.window.data, kernel.code
    c, m, rank = d.C // d.groups, d.M // d.groups, win.rank
    chain, sums = Chain.after(kernel, op, d.M, _SUM_BOUND), kernel.scratch(prod(d.EF), np.int32)
    x, w = _centered(kernel, op.x), _centered(kernel, op.w)
    with code.nest((d.N, d.groups, m), "o") as (n, g, f):
        channel = index([g, f], [m, 1])
        with code.nest(d.EF, "e") as at:
            code.add(f"uint32_t sum = {_bias(kernel, op, channel)};")
            with code.nest((c, *d.RS), "w") as (k, *tap):
                coordinates(code, win, at, tap)
                x_at = index([n, g, k, *(f"h{a}" for a in range(rank))], row_strides((d.N, d.groups, c, *d.HW)))
                w_at = index([g, f, k, *tap], row_strides((d.groups, m, c, *d.RS)))
                with code.block(f"if ({inside(code, win, d.HW, d.EF, at)})"):
                    code.add(f"sum += {x(x_at, channel)} * {w(w_at, channel)};")
            code.add(f"{sums}[{index(at, row_strides(d.EF))}] = (int32_t)sum;")
        y = shifted(kernel.y(), index([n, g, f], row_strides((d.N, d.groups, m, prod(d.EF)))[:3]))
        code.add(chain.store(y, sums, str(prod(d.EF)), channel))
    chain.emit_rest(lambda: _whole(op.result))


def emit_integer_conv_transpose(kernel: Kernel, op: ConvTransposeOp) -> None:
    """Every element of the input adds its products to the outputs that its window covers."""
    win, code, groups = op.window.data, kernel.code, op.groups.data
    n_size, channels, *hw = op.shape()
    c, m, ef = channels // groups, op.shape(1)[1], shape_of(op.result.type)[2:]
    chain, sums = Chain.after(kernel, op, m * groups, _SUM_BOUND), kernel.scratch(prod(ef), np.int32)
    x, w = _centered(kernel, op.x), _centered(kernel, op.w)
    with code.nest((n_size, groups, m), "o") as (n, g, f):
        channel = index([g, f], [m, 1])
        with code.loop("i", prod(ef)):
            code.add(f"{sums}[i] = (int32_t)({_bias(kernel, op, channel)});")
        with code.nest((c, *hw, *win.kernel), "w") as (k, *both):
            at, tap = both[: win.rank], both[win.rank :]
            for a in range(win.rank):
                place = index([at[a], tap[a]], [win.stride[a], win.dilation[a]], -win.pad[a])
                code.add(f"const int32_t h{a} = {place};")
            x_at = index([n, g, k, *at], row_strides((n_size, groups, c, *hw)))
            w_at = index([g, k, f, *tap], row_strides((groups, c, m, *win.kernel)))
            y_at = index([f"h{a}" for a in range(win.rank)], row_strides(ef))
            with code.block(f"if ({_inside(ef)})"):
                product = f"{x(x_at, channel)} * {w(w_at, channel)}"
                code.add(f"{sums}[{y_at}] = (int32_t)((uint32_t){sums}[{y_at}] + {product});")
        y = shifted(kernel.y(), index([n, g, f], row_strides((n_size, groups, m, prod(ef)))[:3]))
        code.add(chain.store(y, sums, str(prod(ef)), channel))
    chain.emit_rest(lambda: _whole(op.result))


def emit_integer_matmul(kernel: Kernel, op: MatmulOp) -> None:
    """Y[i][j] = bias[j] + sum over k of (A[i][k] - z_a) * (B[k][j] - z_b), a row of sums at a time."""
    (*batch_a, m, k), (*batch_b, _, n) = op.operand_shapes()
    batch = np.broadcast_shapes(tuple(batch_a), tuple(batch_b))
    code, chain, sums = kernel.code, Chain.after(kernel, op, n, _SUM_BOUND), kernel.scratch(n, np.int32)
    a_step, b_step = ((1, m) if op.trans_a else (k, 1)), ((1, k) if op.trans_b else (n, 1))
    a, b = _centered(kernel, op.a), _centered(kernel, op.b)
    bias = strides_to(shape_of(op.bias.type), (*batch, m, n)) if op.bias is not None else ()
    with code.nest(batch, "b") as at, code.loop("i", m):
        with code.loop("j", n):
            start = f"(uint32_t){kernel.x(op.bias)}[{index([*at, 'i', 'j'], bias)}]" if op.bias is not None else "0"
            code.add(f"uint32_t sum = {start};")
            with code.loop("k", k):
                a_at = index([*at, "i", "k"], [*(s * m * k for s in strides_to(batch_a, batch)), *a_step])
                b_at = index([*at, "k", "j"], [*(s * k * n for s in strides_to(batch_b, batch)), *b_step])
                code.add(f"sum += {a(a_at, 'j')} * {b(b_at, 'j')};")
            code.add(f"{sums}[j] = (int32_t)sum;")
        code.add(
            chain.store_each(
                shifted(kernel.y(), index([*at, "i"], [*(s * m * n for s in strides_to(batch, batch)), n])),
                sums,
                str(n),
            )
        )
    chain.emit_rest(lambda: _whole(op.result))


def _whole(result: SSAValue) -> Walk:
    shape = shape_of(result.type)
    return Walk(shape, (0,) * len(shape), shape)


def _inside(size: Sequence[int]) -> str:
    return " && ".join(f"h{a} >= 0 && h{a} < {h}" for a, h in enumerate(size))


def _bias(kernel: Kernel, op: ConvOp | ConvTransposeOp, channel: str) -> str:
    return f"(uint32_t){kernel.x(op.bias)}[{channel}]" if op.bias is not None else "0"


def _centered(kernel: Kernel, value: SSAValue):
    """The text of an element less its zero point, given its place and its channel, as an unsigned word."""
    element, pointer = value.type.element_type, kernel.x(value)  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(element, QuantType)
    if not np.any(element.zero):
        return lambda at, _: f"(uint32_t){pointer}[{at}]"
    if element.axis is None:
        return lambda at, _: f"((uint32_t){pointer}[{at}] - (uint32_t){int(element.zero)})"
    zeros = kernel.constant(element.zero.astype(np.int32))
    return lambda at, channel: f"((uint32_t){pointer}[{at}] - (uint32_t){zeros}[{channel}])"
