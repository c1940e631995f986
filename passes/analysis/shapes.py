"""Operations as layers: which dimensions of a tensor become the images, channels, rows and columns of the machine."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from dnnc.ir.dnn.attributes import Window, WindowAttr
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.bitwise import BitContraction, BitConvOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.layer import Layer

MAX_KERNEL, MAX_STRIDE, MAX_EPSILON, MAX_LEVELS = 256, 64, 1 << 48, 255
"""Reach of a window in one instruction; a test compares them with the field widths of the instruction set."""

LONGEST = 4095
"""Rows, columns and channels of one instruction stay below 4096."""


class Refusal(Exception):
    """Why a group cannot run on the accelerator."""


def check_window(window: Window) -> None:
    """One instruction can say it, and every window meets the input."""
    if any(pad >= extent for pads, extent in zip(window.pads, window.extent) for pad in pads):
        raise Refusal(f"a window of extent {list(window.extent)} padded by {list(window.pad)}, more than it reaches")
    if max(window.kernel) > MAX_KERNEL or max(*window.stride, *window.dilation) > MAX_STRIDE:
        text = WindowAttr(window).text()
        raise Refusal(f"a window {text}, more than {MAX_KERNEL} long or in steps of more than {MAX_STRIDE}")


def factors(size: int) -> tuple[int, int]:
    """(channels, columns) of a run of elements, as many channels as one instruction takes."""
    channels = max((d for d in range(1, min(size, 2048) + 1) if size % d == 0), default=1)
    return channels, size // channels


def flat(head: DnnOp, name: str) -> Layer:
    """A tensor of which only the elements matter."""
    c, w = factors(prod(head.shape()))
    return Layer(name, "none", 1, 1, c, c, *((1, w) if w <= LONGEST else (w, 1)))


def beside(op: DnnOp, i: int, name: str) -> Layer:
    """Two tensors, the second of which may repeat: neighbouring dimensions that behave alike are one."""
    whole, other = op.shape(i), op.shape(1 - i)
    if whole != shape_of(op.results[0].type):
        raise Refusal(f"'{op.name}' of operands that both repeat")
    other = (1,) * (len(whole) - len(other)) + other
    runs: list[tuple[int, bool]] = []
    for n, m in zip(whole, other):
        if n == 1:
            continue
        if runs and runs[-1][1] == (m == n):
            runs[-1] = runs[-1][0] * n, m == n
        else:
            runs.append((n, m == n))
    sizes, varies = [n for n, _ in runs], tuple(v for _, v in runs)
    match varies:
        case () | (True,):
            c, w = factors(prod(sizes))
            h, w = (1, w) if w <= LONGEST else (w, 1)
            return Layer(name, "none", 1, 1, c, c, h, w, second="cyx")
        case (False,):
            c, h = factors(prod(sizes))
            return Layer(name, "none", 1, 1, c, c, h, 1, second="")
        case (True, False):
            return Layer(name, "none", 1, 1, sizes[0], sizes[0], sizes[1], 1, second="c")
        case (False, True):
            return Layer(name, "none", 1, 1, sizes[1], sizes[1], sizes[0], 1, matrix=True, second="c")
        case (True, False, True):
            return Layer(name, "none", 1, 1, sizes[0], sizes[0], sizes[1], sizes[2], second="cx")
        case (False, True, False):
            return Layer(name, "none", sizes[0], 1, sizes[1], sizes[1], sizes[2], 1, second="c")
    raise Refusal(f"'{op.name}' of an operand {list(op.shape(1 - i))} that repeats along dimensions apart")


def meeting(layer: Layer, op: DnnOp, i: int, name: str) -> Layer:
    """A layer whose result meets operand 1 - i; one of which only the elements matter takes the form that this asks for."""
    elementwise = layer.kind == "none" and not (layer.pooled or layer.vector) and layer.records <= 1
    if not elementwise or op.shape(1 - i) == shape_of(op.results[0].type):
        return replace(layer, second=_varies(layer, op, op.shape(1 - i)))
    form = beside(op, i, name)
    sizes = {key: getattr(form, key) for key in ("N", "groups", "M", "C", "H", "W", "matrix", "second")}
    return replace(layer, **sizes)


def _varies(layer: Layer, op: DnnOp, other: tuple[int, ...]) -> str:
    """The letters along which another operand varies beside the result of a layer."""
    whole = shape_of(op.results[0].type)
    other = (1,) * (len(whole) - len(other)) + other
    if other == whole:
        return "ngcyx"
    if layer.matrix and layer.M == other[-1] == whole[-1] and set(other[:-1]) <= {1} and layer.groups == 1:
        return "c"
    made = (layer.N, layer.M, *layer.beside)
    if (
        not layer.matrix
        and layer.groups == 1
        and other[-1] == whole[-1]
        and made in (whole, (*whole[:2], 1, *whole[2:]))
    ):
        names = ("n", "c", "x") if len(whole) == 3 else ("n", "c", "y", "x")
        return "".join(letter for letter, n, m in zip(names, whole, other) if n == m)
    raise Refusal(f"'{op.name}' of an operand {list(other)} that repeats along rows")


def lines(op: DnnOp, axes: tuple[int, ...], name: str, vector: str, affine: int = 0) -> Layer:
    """An operation along neighbouring axes, as one over the plane of each channel: [outer, along, inner]."""
    shape = op.shape()
    if not axes or axes != tuple(range(axes[0], axes[-1] + 1)):
        raise Refusal(f"'{op.name}' over axes {list(axes)}, which are not neighbours")
    outer, size, inner = prod(shape[: axes[0]]), prod(shape[a] for a in axes), prod(shape[axes[-1] + 1 :])
    if inner > 1:
        return Layer(name, "none", outer, 1, inner, inner, size, 1, matrix=True, vector=vector, affine=affine)
    w = max(d for d in range(1, min(size, LONGEST) + 1) if size % d == 0)
    return Layer(name, "none", 1, 1, outer, outer, size // w, w, vector=vector, affine=affine)


def block(op: DnnOp, axes: tuple[int, ...], name: str) -> Layer:
    """A reduction over neighbouring axes, as one window over planes: [outer, reduced, inner]."""
    shape = op.shape()
    if not axes or axes != tuple(range(axes[0], axes[-1] + 1)):
        raise Refusal(f"'{op.name}' over axes {list(axes)}, which are not neighbours")
    outer, size, inner = prod(shape[: axes[0]]), prod(shape[a] for a in axes), prod(shape[axes[-1] + 1 :])
    h, w = size, inner
    kernel = (size, 1)
    if inner == 1:
        h = max((d for d in range(1, min(size, MAX_KERNEL) + 1) if size % d == 0), default=1)
        kernel = h, w = h, size // h
    pool = Window.of(kernel)
    check_window(pool)
    return Layer(name, "none", 1, 1, outer, outer, h, w, pool=pool)


def planes(head: DnnOp, name: str) -> Layer:
    """A tensor of planes, as pools see it."""
    n, c, *hw = head.shape()
    h, w = two_sizes(hw)
    return Layer(name, "none", n, 1, c, c, h, w)


def two_sizes(values: tuple[int, ...] | list[int]) -> tuple[int, int]:
    """Rows and columns of one or two spatial dimensions."""
    if len(values) not in (1, 2):
        raise Refusal(f"{len(values)} spatial dimensions in place of 1 or 2")
    h, w = (1, *values) if len(values) == 1 else values
    return h, w


def planar(window: Window) -> Window:
    """A window of one dimension as one over a single row."""
    if window.rank == 2:
        return window
    if window.rank != 1:
        raise Refusal(f"{window.rank} spatial dimensions in place of 1 or 2")
    (a, b) = window.pad
    block = (1, *window.block) if window.block else ()
    return Window((1, *window.kernel), (1, *window.stride), (1, *window.dilation), (0, a, 0, b), window.ceil, block)


def conv(head: ConvOp, name: str) -> Layer:
    """A convolution; one with a filter for each channel is depthwise."""
    d = head.dims()
    h, w = two_sizes(d.HW)
    window = planar(head.window.data)
    if d.depthwise:
        return Layer(name, "depthwise", d.N, 1, d.M, d.C, h, w, window)
    return Layer(name, "dense", d.N, d.groups, d.M // d.groups, d.C // d.groups, h, w, window)


def bitwise(head: BitContraction, name: str) -> Layer:
    """A convolution or matrix product of packed values, its input channels counted in bytes."""
    values = head.packed().count
    if isinstance(head, BitConvOp):
        d, window = head.dims(), planar(head.window.data)
        check_window(window)
        h, w = two_sizes(d.HW)
        return Layer(
            name, "dense", d.N, d.groups, d.M // d.groups, d.C // d.groups, h, w, window, values=values
        )  # fmt: skip
    (*rows, k), (n, _) = head.shape(0), head.shape(1)
    return Layer(name, "dense", 1, 1, n, k, prod(rows), 1, matrix=True, values=values)


def channelwise(op: DnnOp, axis: int, name: str) -> Layer:
    """A tensor whose channels are along an axis, the last or the second of planes."""
    shape = op.shape()
    if axis == len(shape) - 1:
        return Layer(name, "none", 1, 1, shape[-1], shape[-1], prod(shape[:-1]), 1, matrix=True)
    return planes(op, name)


def matmul(head: MatmulOp, name: str) -> Layer:
    """A matrix product; second operands of a batch of their own are the groups."""
    a, b = head.operand_shapes()
    batch = prod(b[:-2])
    if head.trans_a is not None or (batch != 1 and a[:-2] != b[:-2]):
        raise Refusal("a matrix product with a transposed first operand or with batches that repeat")
    rows = prod(a[:-1]) // batch
    return Layer(name, "dense", 1, batch, b[-1], b[-2], rows, 1, matrix=True, in_major=head.trans_b is None)
