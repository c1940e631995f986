"""Convolution of 8-bit values: sums of a block of filters in scratch memory, then requantize and what follows, row by row."""

from __future__ import annotations

from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.chain import Chain, signed_bytes
from dnnc.backends.c.kernels.convolution import two_dimensional
from dnnc.backends.c.kernels.elementwise import Walk
from dnnc.backends.c.kernels.planes import MIN_RUN
from dnnc.backends.c.kernels.quad_tiles import ROWS
from dnnc.backends.c.kernels.quads import Quads
from dnnc.backends.c.text import Bound, c_type, index, numpy_type, shifted, table
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.types import shape_of


def quad_weights(kernel: Kernel, op: ConvOp) -> np.ndarray | None:
    """The weights w - z_w when quads of bytes can hold them and the input, else None."""
    return signed_bytes(kernel, op.w) if numpy_type(op.x).itemsize == 1 else None


def emit_quad_conv(kernel: Kernel, op: ConvOp) -> None:
    """O[n][m] = bias + sum over channels and taps of (x - z_x) * (w - z_w), then the operations of the unit."""
    _Writer(kernel, op).emit()


class _Writer:
    """Writes the loops over batch, groups, strips of output rows and blocks of filters around `dnnc_quad_contract`.

    The zero point of x goes into the bias: sum (x - z) w = sum x w - z sum w; the padding holds z.
    """

    def __init__(self, kernel: Kernel, op: ConvOp):
        d = op.dims()
        self.kernel, self.op, self.d = kernel, op, d
        self.m = d.M // d.groups
        window, channels, hw, ef = two_dimensional(op.window.data, d.C // d.groups, d.HW, d.EF)
        self.quads = Quads.of(window, channels, hw, ef)
        self.planes = self.quads.planes
        self.rows = self.quads.rows(self.m)
        self.lines = min(ROWS, self.m)
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
        self.memory = kernel.scratch(self.quads.size(self.rows), np.uint32)
        self.sums = kernel.scratch(self.lines * self.line, np.int32)
        padded = p.EF[1:] != p.Q and self.chain.rescale is not None
        self.bytes = kernel.scratch(self.line, self.chain.dtype) if padded else self.sums
        kernel.code.add(*table("taps", p.taps(self.rows)))
        # what the last vector of a run reads behind the planes
        kernel.code.add(f"memset({self.memory} + {p.C * p.plane(self.rows)}, 0, {MIN_RUN}u * sizeof(uint32_t));")
        loops = [("n", d.N), ("g", d.groups)]
        whole = self.rows == p.EF[0]
        strips = kernel.code.block("") if whole else kernel.code.loop("e0", p.EF[0], step=self.rows)
        with kernel.code.nest_named([(v, b) for v, b in loops if b > 1]), strips:
            self._emit_strip(whole)

    def _emit_strip(self, whole: bool) -> None:
        p, d, code = self.planes, self.d, self.kernel.code
        if whole:
            code.add("const int32_t e0 = 0;")
        ragged = p.EF[0] % self.rows != 0
        least = f"e0 + {self.rows} <= {p.EF[0]} ? {self.rows} : {p.EF[0]} - e0" if ragged else str(self.rows)
        code.add(f"const int32_t rows = {least};")
        channels = d.C // d.groups
        at = index([self.n, self.g], [d.C * prod(p.HW), channels * prod(p.HW)])
        source = shifted(f"(const uint8_t *){self.x}", at)
        self.quads.emit_load(self.kernel, self.rows, source, self.memory, self.chain.flip, self.chain.byte)
        with code.loop("m0", self.m, step=ROWS):
            code.add(
                f"const int32_t ms = {f'm0 + {ROWS} <= {self.m} ? {ROWS} : {self.m} - m0' if self.m % ROWS else ROWS};"
            )
            self._emit_block()
        self.chain.emit_rest(self._walk)

    def _emit_block(self) -> None:
        """Sums of a block of filters, each row of them stored in the result."""
        p, code = self.planes, self.kernel.code
        count = index(["rows"], [p.pitch[0]], p.inner_run - p.pitch[0])
        code.add(
            f"const int32_t run = {count};", f"const int32_t full = (run + {MIN_RUN - 1}) / {MIN_RUN} * {MIN_RUN};"
        )
        per_block = self.quads.taps * p.C
        weights = shifted(self.w, index([self.g, "m0"], [self.m * per_block, per_block]))
        first = index([self.g, "m0"], [self.m, 1])
        code.add(
            f"dnnc_quad_contract({self.memory}, {p.plane(self.rows)}, {p.C}, taps, {self.quads.taps}, {weights}, "
            f"{shifted(self.bias, first)}, {self.sums}, {self.line}, ms, full);"
        )
        with code.loop("m", "ms"):
            channel = index([self.g, "m0", "m"], [self.m, 1, 1])
            y = shifted(self.kernel.y(), index([self.n, self.g, "m0", "m", "e0"], self._strides()))
            sums = f"{self.sums} + m * {self.line}"
            if p.EF[1:] == p.Q:
                code.add(self.chain.store(y, sums, "run", channel))
            else:
                self._emit_lines(y, sums, channel)

    def _strides(self) -> list[int]:
        ef, m = self.planes.EF, self.m
        plane = prod(ef)
        return [self.d.groups * m * plane, m * plane, plane, plane, prod(ef[1:])]

    def _emit_lines(self, y: str, sums: str, channel: str) -> None:
        """Requantize the whole run, then keep of each line what is not padding."""
        p, code = self.planes, self.kernel.code
        if self.chain.rescale is not None:
            code.add(self.chain.store(self.bytes, sums, "full", channel))
        source = self.bytes if self.chain.rescale is not None else sums
        dims = list(zip([f"e{i + 1}" for i in range(len(p.EF) - 1)], ["rows", *p.EF[1:-1]]))
        with code.nest_named(dims):
            names = [name for name, _ in dims]
            out = index(names, [prod(p.EF[k + 1 :]) for k in range(len(names))])
            here = index(names, p.pitch[: len(names)])
            size = f"{p.EF[-1]}u * sizeof({c_type(self.chain.result)})"
            code.add(f"memcpy({shifted(y, out)}, {shifted(source, here)}, {size});")

    def _walk(self) -> Walk:
        """The part of the result a strip has made."""
        p = self.planes
        shape = shape_of(self.op.result.type)
        bounds: list[Bound] = [1, self.m, "rows", *p.EF[1:]]
        origin: list[Bound] = [self.n, f"g * {self.m}" if self.g else 0, "e0", *(0 for _ in p.EF[1:])]
        if len(shape) == 3:
            del bounds[2], origin[2]
        return Walk(bounds, origin, shape)
