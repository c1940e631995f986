"""Contractions of packed binary and ternary values: the channels of a pixel as 64-bit words, then tiles of bit counts.

A strip of output rows is gathered tap by tap into lines of words, one a word of channels; what lies outside of the input is
0 bits there. Of binary values that is -1, and the sums of the positions at the border are put right after.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.bit_tiles import PAD
from dnnc.backends.c.kernels.chain import Chain
from dnnc.backends.c.kernels.convolution import two_dimensional
from dnnc.backends.c.kernels.elementwise import Walk
from dnnc.backends.c.text import Bound, index, shifted, table
from dnnc.ir.dnn.attributes import Window, normal_axis
from dnnc.ir.dnn.bitwise import BitContraction, BitConvOp, BitMatmulOp, PackOp, products
from dnnc.ir.packed import IN_A_BYTE, PackedType, unpack
from dnnc.ir.types import shape_of

RUN = 96
"""Positions of a strip, as a rule: their words stay in the first cache for all filters."""

ROWS = 32
"""Filters whose sums are in scratch memory at once."""

_WORD = 64


@dataclass(frozen=True)
class _Form:
    """What differs between binary and ternary: names of functions, and lines of words a word of channels takes."""

    kind: str
    lines: int

    @staticmethod
    def of(op: BitContraction) -> _Form:
        return _Form("bit", 1) if op.levels() == "binary" else _Form("trit", 2)

    def words(self, channels: int) -> int:
        """Words of the channels of a pixel."""
        return -(-channels // _WORD)


def emit_pack(kernel: Kernel, op: PackOp) -> None:
    """Bytes of neighbouring channels, line by line."""
    assert isinstance(op.to, PackedType)
    shape, axis = op.shape(), normal_axis(op.axis.data, len(op.shape()))
    outer, channels, inner = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    n, function = op.to.count, "dnnc_pack_bits" if op.to.levels == "binary" else "dnnc_pack_trits"
    x, y = f"(const int8_t *){kernel.x(op.x)}", kernel.y()
    if inner == 1:
        kernel.code.add(f"{function}({x}, 1, {n}, {y}, {outer * channels // n});")
        return
    with kernel.code.loop("i", outer * channels // n):
        source, target = shifted(x, index(["i"], [n * inner])), shifted(y, index(["i"], [inner]))
        kernel.code.add(f"{function}({source}, {inner}, 1, {target}, {inner});")


def emit_bit_conv(kernel: Kernel, op: BitConvOp) -> None:
    """O[n][m] = bias[m] + sum over words and taps of products of bits, then the operations of the unit."""
    _Writer(kernel, op).emit()


def emit_bit_matmul(kernel: Kernel, op: BitMatmulOp) -> None:
    """Y[i][j]: the weights of all columns j are the positions, row i of A the filter."""
    (*stack, k), (n, _) = op.shape(0), op.shape(1)
    form, code = _Form.of(op), kernel.code
    count = IN_A_BYTE[op.levels()]
    words, full = form.words(k * count), n + -n % PAD
    chain = _chain(kernel, op, n)
    a, row = kernel.x(op.a), kernel.scratch(form.lines * words, np.uint64)
    lines = np.pad(_packed_words(unpack(_constant(kernel, op.b), op.levels(), 1), form), ((0, full - n), (0, 0)))
    weights = kernel.constant(lines.T)
    sums, zero = kernel.scratch(full, np.int32), kernel.constant(np.zeros(1, np.int32))
    bias = kernel.constant(_start(kernel, op, n))
    rows = prod(stack)
    with code.nest_named([("i", rows)] if rows > 1 else []):
        i: Bound = "i" if rows > 1 else 0
        source = shifted(f"(const uint8_t *){a}", index([i], [k]))
        code.add(f"dnnc_{form.kind}_words({source}, 1, {k}, {row}, 1);")
        code.add(f"dnnc_{form.kind}_contract({weights}, {full}, {row}, {words}, {zero}, {sums}, 0, 1, {full});")
        with code.loop("j", n):
            code.add(f"{sums}[j] += {bias}[j];")
        code.add(chain.store_each(shifted(kernel.y(), index([i], [n])), sums, str(n)))
    shape = shape_of(op.result.type)
    chain.emit_rest(lambda: Walk(shape, (0,) * len(shape), shape))


def _constant(kernel: Kernel, value: object) -> np.ndarray:
    array = kernel.value(value)  # pyright: ignore[reportArgumentType]
    assert array is not None
    return array


def _chain(kernel: Kernel, op: BitContraction, channels: int) -> Chain:
    """What follows; sums of n products are at most n, and the bias."""
    largest = int(np.abs(_bias(kernel, op, channels)).max(initial=0))
    return Chain.after(kernel, op, channels, products(op) + largest)


def _bias(kernel: Kernel, op: BitContraction, channels: int) -> np.ndarray:
    bias = op.operands[2] if len(op.operands) > 2 else None
    given = np.zeros(1, np.int64) if bias is None else _constant(kernel, bias).reshape(-1).astype(np.int64)
    return np.broadcast_to(given, (channels,))


def _start(kernel: Kernel, op: BitContraction, channels: int) -> np.ndarray:
    """What counts are taken from: the bias, and with binary values one for each product."""
    return (_bias(kernel, op, channels) + products(op) * (op.levels() == "binary")).astype(np.int32)


def _packed_words(v: np.ndarray, form: _Form) -> np.ndarray:
    """Values [M, C] as words [M, words], or [M, words * 2]: a word of masks, a word of signs."""
    m, c = v.shape
    v = np.pad(v, ((0, 0), (0, -c % _WORD)), constant_values=0 if form.lines == 2 else -1)
    planes = [v > 0] if form.lines == 1 else [v != 0, v < 0]
    words = [np.packbits(p, axis=1, bitorder="little").view("<u8") for p in planes]
    return np.ascontiguousarray(np.stack(words, -1).reshape(m, -1).astype(np.uint64))


class _Writer:
    """Writes the loops over batch, groups, strips of output rows and blocks of filters."""

    def __init__(self, kernel: Kernel, op: BitConvOp) -> None:
        d = op.dims()
        self.kernel, self.op, self.d = kernel, op, d
        self.form, self.code = _Form.of(op), kernel.code
        self.window, self.bytes, self.hw, self.ef = two_dimensional(op.window.data, d.C // d.groups, d.HW, d.EF)
        self.m = d.M // d.groups
        self.channels = self.bytes * IN_A_BYTE[op.levels()]
        self.words = self.form.words(self.channels)
        self.rows = min(self.ef[0], max(1, RUN // self.ef[1]))
        self.line = -(-self.rows * self.ef[1] // PAD) * PAD
        self.taps = prod(self.window.kernel)
        same = self.window == Window.of((1, 1))
        self.direct = same and self.rows == self.ef[0]

    def emit(self) -> None:
        """The whole body."""
        kernel, d, code, form = self.kernel, self.d, self.code, self.form
        w = unpack(_constant(kernel, self.op.w), self.op.levels(), 1).reshape(d.M, self.channels, self.taps)
        self.chain = _chain(kernel, self.op, d.M)
        lines = [_packed_words(w[:, :, t], form) for t in range(self.taps)]
        self.w, self.bias = kernel.constant(np.stack(lines, 1)), kernel.constant(_start(kernel, self.op, d.M))
        x = f"(const uint8_t *){kernel.x(self.op.x)}"
        plane = self.line if self.direct else prod(self.hw)
        self.plane = kernel.scratch(form.lines * self.words * plane, np.uint64)
        self.columns = (
            self.plane if self.direct else kernel.scratch(form.lines * self.words * self.taps * self.line, np.uint64)
        )
        self.sums = kernel.scratch(min(ROWS, self.m) * self.line, np.int32)
        self._note_border(w)
        n: Bound = "n" if d.N > 1 else 0
        g: Bound = "g" if d.groups > 1 else 0
        groups = code.loop("g", d.groups) if d.groups > 1 else nullcontext()
        with code.nest_named([("n", d.N)] if d.N > 1 else []), groups:
            size = self.bytes * prod(self.hw)
            source = shifted(x, index([n, g], [d.groups * size, size]))
            code.add(f"dnnc_{form.kind}_words({source}, {prod(self.hw)}, {self.bytes}, {self.plane}, {plane});")
            with code.loop("e0", self.ef[0], step=self.rows):
                self._emit_strip(n, g)
        shape = shape_of(self.op.result.type)
        self.chain.emit_rest(lambda: Walk(shape, (0,) * len(shape), shape))

    def _note_border(self, w: np.ndarray) -> None:
        """Positions whose window sticks out and which taps do, with the sums of weights of each tap."""
        win = self.window
        inside = [
            np.isin(np.arange(o)[:, None] * u + np.arange(k) * dil - pads[0], np.arange(size))
            for o, u, k, dil, pads, size in zip(self.ef, win.stride, win.kernel, win.dilation, win.pads, self.hw)
        ]
        out = ~(inside[0][:, None, :, None] & inside[1][None, :, None, :]).reshape(*self.ef, -1)
        self.border = self.form.lines == 1 and bool(out.any())
        if not self.border:
            return
        places = np.flatnonzero(out.any(-1).reshape(-1))
        counts = out.reshape(-1, self.taps)[places].sum(1)
        starts = np.concatenate([[0], np.cumsum(counts)])
        per_strip = np.searchsorted(places, np.arange(0, self.ef[0] + self.rows, self.rows) * self.ef[1])
        self.tap_sums = self.kernel.constant(w.sum(1, dtype=np.int32))
        self.places, self.starts = (self.kernel.constant(v.astype(np.int32)) for v in (places, starts))
        self.outside = self.kernel.constant(np.nonzero(out.reshape(-1, self.taps)[places])[1].astype(np.int32))
        self.code.add(*table("strips", per_strip))

    def _emit_strip(self, n: Bound, g: Bound) -> None:
        code, form, (e, f) = self.code, self.form, self.ef
        left = f"{e} - e0 < {self.rows} ? {e} - e0 : {self.rows}" if e % self.rows else str(self.rows)
        code.add(f"const int32_t rows = {left};")
        code.add(f"const int32_t run = {index(['rows'], [f])}, full = (run + {PAD - 1}) / {PAD} * {PAD};")
        if not self.direct:
            self._emit_gather()
        block = min(ROWS, self.m)
        with code.loop("m0", self.m, step=block):
            code.add(f"const int32_t ms = {self.m} - m0 < {block} ? {self.m} - m0 : {block};")
            words = self.taps * self.words
            first = index([g, "m0"], [self.m, 1])
            weights = shifted(self.w, f"(ptrdiff_t)({first}) * {words * form.lines}")
            code.add(
                f"dnnc_{form.kind}_contract({self.columns}, {self.line}, {weights}, {words}, {shifted(self.bias, first)}, "
                f"{self.sums}, {self.line}, ms, full);"
            )
            if self.border:
                taps = shifted(self.tap_sums, f"({first}) * {self.taps}")
                code.add(
                    f"dnnc_bit_border({self.sums}, {self.line}, ms, {taps}, {self.taps}, {self.places}, {self.starts}, "
                    f"{self.outside}, strips[e0 / {self.rows}], strips[e0 / {self.rows} + 1], e0 * {f});"
                )
            with code.loop("m", "ms"):
                at = index([n, g, "m0", "m", "e0"], [self.d.M * e * f, self.m * e * f, e * f, e * f, f])
                channel = index([g, "m0", "m"], [self.m, 1, 1])
                y, sums = shifted(self.kernel.y(), at), f"{self.sums} + m * {self.line}"
                code.add(self.chain.store(y, sums, "run", channel))

    def _emit_gather(self) -> None:
        win, lines = self.window, self.form.lines * self.words
        with self.code.nest_named([("r", win.kernel[0]), ("s", win.kernel[1])]):
            top = index(["e0", "r"], [win.stride[0], win.dilation[0]], -win.pads[0][0])
            left = index(["s"], [win.dilation[1]], -win.pads[1][0])
            to = shifted(self.columns, index(["r", "s"], [win.kernel[1] * lines * self.line, lines * self.line]))
            self.code.add(
                f"dnnc_bit_gather({self.plane}, {prod(self.hw)}, {lines}, {self.hw[0]}, {self.hw[1]}, {top}, {win.stride[0]}, "
                f"{left}, {win.stride[1]}, rows, {self.ef[1]}, {to}, {self.line});"
            )
