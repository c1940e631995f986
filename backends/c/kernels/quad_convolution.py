"""Convolution of 8-bit values: sums of a block of filters in scratch memory, then requantize and what follows, row by row."""

from __future__ import annotations

from contextlib import nullcontext
from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.blocks import cuts, spread
from dnnc.backends.c.kernels.chain import Chain, signed_bytes
from dnnc.backends.c.kernels.convolution import two_dimensional
from dnnc.backends.c.kernels.elementwise import Walk
from dnnc.backends.c.kernels.planes import MIN_RUN
from dnnc.backends.c.kernels.quad_tiles import ROWS
from dnnc.backends.c.kernels.quads import Load, Quads
from dnnc.backends.c.text import Bound, c_type, index, numpy_type, shifted, table
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.types import shape_of


def quad_weights(kernel: Kernel, op: ConvOp) -> np.ndarray | None:
    """The weights w - z_w when quads of bytes can hold them and the input, and blocks divide it evenly, else None."""
    d = op.dims()
    if spread(op.window.data, d.HW, d.EF) is None:
        return None
    return signed_bytes(kernel, op.w) if numpy_type(op.x).itemsize == 1 else None


def emit_quad_conv(kernel: Kernel, op: ConvOp) -> None:
    """O[n][m] = bias + sum over channels and taps of (x - z_x) * (w - z_w), then the operations of the unit."""
    _Writer(kernel, op).emit()


class _Writer:
    """Writes the loops over batch, groups, strips of output rows and blocks of filters around `dnnc_quad_contract`.

    The zero point of x goes into the bias: sum (x - z) w = sum x w - z sum w; the padding holds z. Of a depthwise layer
    a block is `batch` groups, loaded and summed together.
    """

    def __init__(self, kernel: Kernel, op: ConvOp):
        d = op.dims()
        self.kernel, self.op, self.d = kernel, op, d
        self.m = d.M // d.groups
        window, channels, hw, ef = two_dimensional(op.window.data, d.C // d.groups, d.HW, d.EF)
        self.cut = cuts(window, ef)
        cut = spread(window, hw, ef)
        assert cut is not None
        window, hw, ef = cut
        self.quads = Quads.of(window, channels, hw, ef)
        self.planes = self.quads.planes
        self.rows = self.quads.rows(self.m)
        self.depthwise = self.quads.depthwise and self.m == 1
        self.batch = self.quads.batch(self.rows, d.groups) if self.depthwise else 1
        self.lines = self.batch if self.depthwise else min(ROWS, self.m)
        p = self.planes
        self.line = -(-max(MIN_RUN, p.run(self.rows)) // MIN_RUN) * MIN_RUN
        self.n: Bound = "n" if d.N > 1 else 0
        self.g: Bound = "g" if d.groups > 1 else 0

    def emit(self) -> None:
        """The whole body."""
        kernel, op, d, p = self.kernel, self.op, self.d, self.planes
        w = quad_weights(kernel, op)
        assert w is not None
        self.chain = Chain.of(kernel, op, w.reshape(d.M, -1))
        self.x = kernel.x(op.x)
        self.w = kernel.constant(
            self.quads.packed(w.reshape(d.groups, self.m, self.quads.channels, *self.quads.window.kernel))
        )
        self.bias = kernel.constant(self.chain.bias)
        planes = self.batch if self.depthwise else p.C
        self.memory = kernel.scratch(planes * p.plane(self.rows) + MIN_RUN, np.uint32)
        self.load = Load(self.memory, self.chain.byte, self.chain.flip, "gs" if self.depthwise else p.C, planes)
        self.sums = kernel.scratch(self.lines * self.line, np.int32)
        padded = p.EF[1:] != p.Q and self.chain.narrow
        self.bytes = kernel.scratch(self.line, self.chain.dtype) if padded else self.sums
        kernel.code.add(*table("taps", p.taps(self.rows)))
        # what the last vector of a run reads behind the planes
        kernel.code.add(f"memset({self.memory} + {planes * p.plane(self.rows)}, 0, {MIN_RUN}u * sizeof(uint32_t));")
        groups = kernel.code.loop("g", d.groups, step=self.batch) if d.groups > 1 else nullcontext()
        with kernel.code.nest_named([("n", d.N)] if d.N > 1 else []), groups:
            if self.depthwise:
                kernel.code.add(f"const int32_t gs = {_part('g', self.batch, d.groups)};")
            strips = kernel.code.loop("e0", p.EF[0], step=self.rows) if self.rows < p.EF[0] else kernel.code.block("")
            with strips:
                self._emit_strip()

    def _emit_strip(self) -> None:
        p, d, code = self.planes, self.d, self.kernel.code
        if self.rows == p.EF[0]:
            code.add("const int32_t e0 = 0;")
        count = index(["rows"], [p.pitch[0]], p.inner_run - p.pitch[0])
        code.add(f"const int32_t rows = {_part('e0', self.rows, p.EF[0])};", f"const int32_t run = {count};")
        code.add(f"const int32_t full = (run + {MIN_RUN - 1}) / {MIN_RUN} * {MIN_RUN};")
        channels = d.C // d.groups
        at = index([self.n, self.g], [d.C * prod(p.HW), channels * prod(p.HW)])
        source = shifted(f"(const uint8_t *){self.x}", at)
        self.quads.emit_load(self.kernel, self.rows, source, self.load)
        if self.depthwise:
            self._emit_channels()
        else:
            with code.loop("m0", self.m, step=ROWS):
                code.add(f"const int32_t ms = {_part('m0', ROWS, self.m)};")
                self._emit_block()
        self.chain.emit_rest(self._walk)

    def _emit_channels(self) -> None:
        """Sums of the channels of a depthwise batch."""
        taps, plane = self.quads.taps, self.planes.plane(self.rows)
        weights = shifted(self.w, index([self.g], [taps]))
        self.kernel.code.add(
            f"dnnc_quad_depthwise({self.memory}, {plane}, gs, taps, {taps}, {weights}, "
            f"{shifted(self.bias, index([self.g], [1]))}, {self.sums}, {self.line}, full);"
        )
        with self.kernel.code.loop("m", "gs"):
            at = index([self.n, self.g, "m", "e0"], self._strides()[:3] + self._strides()[4:])
            self._emit_store(index([self.g, "m"], [1, 1]), at)

    def _emit_block(self) -> None:
        """Sums of a block of filters, each row of them stored in the result."""
        p, code = self.planes, self.kernel.code
        per_block = self.quads.taps * p.C
        weights = shifted(self.w, index([self.g, "m0"], [self.m * per_block, per_block]))
        first = index([self.g, "m0"], [self.m, 1])
        code.add(
            f"dnnc_quad_contract({self.memory}, {p.plane(self.rows)}, {p.C}, taps, {self.quads.taps}, {weights}, "
            f"{shifted(self.bias, first)}, {self.sums}, {self.line}, ms, full);"
        )
        with code.loop("m", "ms"):
            channel = index([self.g, "m0", "m"], [self.m, 1, 1])
            self._emit_store(channel, index([self.n, self.g, "m0", "m", "e0"], self._strides()))

    def _emit_store(self, channel: str, at: str) -> None:
        """Store row m of the sums."""
        y, sums = shifted(self.kernel.y(), at), f"{self.sums} + m * {self.line}"
        if self.planes.EF[1:] == self.planes.Q:
            self.kernel.code.add(self.chain.store(y, sums, "run", channel))
        else:
            self._emit_lines(y, sums, channel)

    def _strides(self) -> list[int]:
        ef, m = self.planes.EF, self.m
        plane = prod(ef)
        return [self.d.groups * m * plane, m * plane, plane, plane, prod(ef[1:])]

    def _emit_lines(self, y: str, sums: str, channel: str) -> None:
        """Requantize the whole run, then keep of each line what is not padding."""
        p, code = self.planes, self.kernel.code
        if self.chain.narrow:
            code.add(self.chain.store(self.bytes, sums, "full", channel))
        source = self.bytes if self.chain.narrow else sums
        dims = list(zip([f"e{i + 1}" for i in range(len(p.EF) - 1)], ["rows", *p.EF[1:-1]]))
        with code.nest_named(dims):
            names = [name for name, _ in dims]
            out = index(names, [prod(p.EF[k + 1 :]) for k in range(len(names))])
            here = index(names, p.pitch[: len(names)])
            size = f"{p.EF[-1]}u * sizeof({c_type(self.chain.result)})"
            code.add(f"memcpy({shifted(y, out)}, {shifted(source, here)}, {size});")

    def _walk(self) -> Walk:
        """The part of the result a strip has made."""
        shape, block = shape_of(self.op.result.type), self.cut[0]
        rows, e0 = ("rows", "e0") if block is None else (f"rows * {block}", f"e0 * {block}")
        inner = two_dimensional(self.op.window.data, 1, self.d.HW, self.d.EF)[3][1:]
        bounds: list[Bound] = [1, "gs" if self.depthwise else self.m, rows, *inner]
        origin: list[Bound] = [self.n, f"g * {self.m}" if self.g else 0, e0, *(0 for _ in inner)]
        if len(shape) == 3:
            del bounds[2], origin[2]
        return Walk(bounds, origin, shape)


def _part(start: str, step: int, size: int) -> str:
    """How many of `step` are left at a place of a loop."""
    return f"{start} + {step} <= {size} ? {step} : {size} - {start}" if size % step else str(step)
