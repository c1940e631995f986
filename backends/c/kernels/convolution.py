"""Convolution and transposed convolution on float32: any rank, stride, dilation, padding and groups."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.blocks import cuts, spread, spread_shape
from dnnc.backends.c.kernels.elementwise import Walk, emit_walk
from dnnc.backends.c.kernels.plain import emit_plain_conv
from dnnc.backends.c.kernels.planes import MIN_RUN, Planes, emit_load
from dnnc.backends.c.kernels.tiles import ROWS, packed
from dnnc.backends.c.text import Bound, Code, index, shifted, table
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp
from dnnc.ir.types import shape_of


@dataclass(frozen=True)
class Layer:
    """A convolution reduced to planes and weight strides: M filters a group, weight (m, c, t) at m * wm + c * wc + t.

    `weights` are the constant weights as [groups, M, C, taps], None when they are computed.
    """

    planes: Planes
    N: int
    groups: int
    M: int
    wm: int
    wc: int
    weights: np.ndarray | None

    @property
    def taps(self) -> int:
        """Taps of the window."""
        return prod(len(s) for s in self.planes.steps)

    @property
    def group_weights(self) -> int:
        """Weights of one group."""
        return self.M * self.planes.C * self.taps


def emit_conv(kernel: Kernel, op: ConvOp) -> None:
    """O[n][m] = bias + sum over channels and taps, then the elementwise operations of the unit."""
    d = op.dims()
    window, channels, hw, ef = two_dimensional(op.window.data, d.C // d.groups, d.HW, d.EF)
    cut = spread(window, hw, ef)
    if cut is None:
        return emit_plain_conv(kernel, op)
    window, hw, ef = cut
    planes = Planes.of(window, channels, hw, ef)
    m, taps = d.M // d.groups, prod(d.RS)
    w = kernel.value(op.w)
    w = w if w is None else w.reshape(d.groups, m, planes.C, taps)
    return _Writer(kernel, op, Layer(planes, d.N, d.groups, m, planes.C * taps, taps, w)).emit()


def emit_conv_transpose(kernel: Kernel, op: ConvTransposeOp) -> None:
    """The convolution of the input spread by zeros with the kernel reversed, which is the transposed convolution."""
    n, c, *hw = op.shape(0)
    m, taps, groups = op.shape(1)[1], prod(op.window.data.kernel), op.groups.data
    ef = shape_of(op.result.type)[2:]
    planes = Planes.transposed(*two_dimensional(op.window.data, c // groups, tuple(hw), ef))
    w = kernel.value(op.w)
    w = w if w is None else w.reshape(groups, c // groups, m, taps).swapaxes(1, 2)
    _Writer(kernel, op, Layer(planes, n, groups, m, taps, m * taps, w)).emit()


def two_dimensional(
    window: Window, channels: int, hw: tuple[int, ...], ef: tuple[int, ...]
) -> tuple[Window, int, tuple[int, ...], tuple[int, ...]]:
    """A 1-D window as a 2-D one of height 1, with its channels, input and output size; others unchanged."""
    if window.rank > 1:
        return window, channels, hw, ef
    begin, end = window.pad
    block = (1, *window.block) if window.block else ()
    kernel, stride, dilation = ((1, *values) for values in (window.kernel, window.stride, window.dilation))
    flat = Window(kernel, stride, dilation, (0, begin, 0, end), block=block)
    return flat, channels, (1, *hw), (1, *ef)


class _Writer:
    """Writes the loops over batch, groups, strips of output rows and blocks of filters around `dnnc_contract`."""

    def __init__(self, kernel: Kernel, op: ConvOp | ConvTransposeOp, layer: Layer):
        p = layer.planes
        self.kernel, self.op, self.layer, self.planes = kernel, op, layer, p
        self.lines = min(ROWS, layer.M)
        self.rows = p.strip(layer.group_weights, self.lines)
        self.shortest = p.run(p.EF[0] - (p.EF[0] - 1) // self.rows * self.rows)
        self.stored = p.dense and self.shortest >= MIN_RUN
        self.n: Bound = "n" if layer.N > 1 else 0
        self.g: Bound = "g" if layer.groups > 1 else 0

    @property
    def code(self) -> Code:
        return self.kernel.code

    def emit(self) -> None:
        """The whole body."""
        layer, p = self.layer, self.planes
        self.x = self.kernel.x(self.op.x)
        w = layer.weights
        self.w = self.kernel.x(self.op.w) if w is None else self.kernel.constant(packed(w))
        self.bias = self.kernel.x(self.op.bias) if self.op.bias is not None else None
        self.line = max(MIN_RUN, p.run(self.rows))
        self.tile = "" if self.stored else self.kernel.scratch(self.lines * self.line)
        self.code.add(*table("taps", p.taps(self.rows)))
        source = self._planes_memory()
        loops = [("n", layer.N), ("g", layer.groups)]
        strips = self.code.loop("e0", p.EF[0], step=self.rows) if self.rows < p.EF[0] else self.code.block("")
        with self.code.nest_named([(v, b) for v, b in loops if b > 1]), strips:
            self._emit_strip(source)

    def _planes_memory(self) -> str:
        if self.planes.direct:
            return ""
        size = self.planes.C * self.planes.plane(self.rows)
        if self.shortest >= MIN_RUN:
            return self.kernel.scratch(size)
        memory = self.kernel.scratch(size + MIN_RUN)
        # the last vector of a short run reads past the planes
        self.code.add(f"memset({memory} + {size}, 0, {MIN_RUN}u * sizeof(float));")
        return memory

    def _emit_strip(self, memory: str) -> None:
        p, code = self.planes, self.code
        if self.rows == p.EF[0]:
            code.add("const int32_t e0 = 0;")
        ragged = p.EF[0] % self.rows != 0
        least = f"e0 + {self.rows} <= {p.EF[0]} ? {self.rows} : {p.EF[0]} - e0" if ragged else str(self.rows)
        code.add(f"const int32_t rows = {least};")
        shape = (self.layer.N, self.layer.groups, p.C, *p.HW)
        at = index([self.n, self.g], [prod(shape[1:]), prod(shape[2:])])
        if p.direct:
            source = shifted(self.x, index([self.n, self.g, "e0"], [prod(shape[1:]), prod(shape[2:]), p.pitch[0]]))
        else:
            emit_load(code, p, self.rows, shifted(self.x, at), memory)
            source = memory
        with code.loop("m0", self.layer.M, step=ROWS):
            m = self.layer.M
            code.add(f"const int32_t ms = {f'm0 + {ROWS} <= {m} ? {ROWS} : {m} - m0' if m % ROWS else ROWS};")
            self._emit_block(source)

    def _emit_block(self, source: str) -> None:
        layer, p = self.layer, self.planes
        tail = self.kernel.unit.tail
        relu = self.stored and len(tail) == 1 and isinstance(tail[0], ReluOp)
        block = layer.wm if layer.weights is None else layer.taps * p.C
        weights = shifted(self.w, index([self.g, "m0"], [layer.group_weights, block]))
        strides = f"{layer.wm}, {layer.wc}, 1" if layer.weights is None else f"1, {layer.taps} * ms, ms"
        bias = shifted(self.bias, index([self.g, "m0"], [layer.M, 1])) if self.bias else "NULL"
        target, line = (shifted(self.kernel.y(), self._y_at()), prod(p.EF)) if self.stored else (self.tile, self.line)
        self.code.add(
            f"dnnc_contract({source}, {p.plane(self.rows)}, {p.C}, taps, {layer.taps}, {weights}, "
            f"{strides}, {bias}, {target}, {line}, ms, {self._count()}, {int(relu)});"
        )
        if not self.stored or (tail and not relu):
            self._emit_tail()

    def _count(self) -> str:
        p = self.planes
        count = index(["rows"], [p.pitch[0]], p.inner_run - p.pitch[0])
        if self.shortest >= MIN_RUN:
            return count
        self.code.add(f"const int32_t run = {count};")
        return f"run < {MIN_RUN} ? {MIN_RUN} : run"

    def _origin(self) -> list[Bound]:
        filters = f"m0 + g * {self.layer.M}" if self.g else "m0"
        return [self.n, filters, "e0", *(0 for _ in self.planes.EF[1:])]

    def _y_at(self) -> str:
        shape = (self.layer.N, self.layer.groups * self.layer.M, *self.planes.EF)
        return index(self._origin(), _row_major(shape))

    def _emit_tail(self) -> None:
        """Store the tile in the result, through the elementwise operations that follow."""
        p, kernel, result = self.planes, self.kernel, self.op.result
        shape = shape_of(result.type)
        bounds: list[Bound] = [1, "ms", "rows", *p.EF[1:]]
        origin = self._origin()
        tile: list[int] = [0, self.line, *p.pitch]
        cut = cuts(self.op.window.data, shape[2:]) if isinstance(self.op, ConvOp) else []
        if len(shape) == 3:  # the dimension that was added to a 1-D convolution
            del bounds[2], origin[2], tile[2]
        if any(cut):
            shape = spread_shape(shape, cut)
        walk = Walk(bounds, origin, shape, cut=cut)
        strides = _row_major(shape)
        y = walk.array(kernel.y(), strides, index(origin, strides))
        known = y if self.stored else walk.array(self.tile, tile)
        emit_walk(kernel, walk, y, kernel.unit.tail, {result: (known,)})


def _row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[k + 1 :]) for k in range(len(shape)))
