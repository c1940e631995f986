"""Planes whose elements are quads of bytes, for convolutions of 8-bit values.

Either the four bytes of a quad are four channels of one pixel, or, where a group has few channels, four taps of one row of
the window: then the stride along the row is gone, and a depthwise layer fills its quads too. The planes are those of
`planes.py` on either. Bytes are unsigned: those of a signed type have their highest bit flipped, which adds 128.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.planes import Planes, coordinate
from dnnc.backends.c.kernels.quad_tiles import ROWS
from dnnc.backends.c.text import Bound, Code, index, shifted
from dnnc.ir.dnn.attributes import Window

_WORDS = 1 << 13  # quads of a strip: half of a first-level cache
_SUMS = 1 << 12  # sums of a block of rows, 16 KB
_BATCH = 1 << 11  # quads of channels of their own prepared at once, 8 KB


@dataclass(frozen=True)
class Quads:
    """Planes of quads of one group; `byte_row` is the length of a padded row of bytes, 0 when quads hold channels."""

    planes: Planes
    channels: int
    window: Window
    byte_row: int = 0

    @staticmethod
    def of(window: Window, channels: int, hw: Sequence[int], ef: Sequence[int]) -> Quads:
        """The form that needs fewer quads for a pixel of the result."""
        by_channel = replace(Planes.of(window, -(-channels // 4), hw, ef), direct=False)
        s, u, d = window.kernel[-1], window.stride[-1], window.dilation[-1]
        along = -(-s // 4)
        reaches = along == 1 or 4 * d % u == 0
        if not reaches or channels * along >= by_channel.C * s:
            return Quads(by_channel, channels, window)
        steps = tuple(4 * k * d // u for k in range(along))
        extent = (s - 1) * d + 1
        pitch = ef[-1] + extent - 1 if u == 1 else ef[-1] + steps[-1]
        planes = replace(
            by_channel,
            C=channels,
            U=(*window.stride[:-1], 1),
            reach=(*by_channel.reach[:-1], steps[-1]),
            phases=(*by_channel.phases[:-1], 1),
            steps=(*by_channel.steps[:-1], steps),
            phase=(*by_channel.phase[:-1], (0,) * along),
            Q=(*by_channel.Q[:-1], pitch),
        )
        return Quads(planes, channels, window, pitch if u == 1 else (ef[-1] - 1) * u + extent)

    def packed(self, w: np.ndarray) -> np.ndarray:
        """Weights [groups, M, C, taps...] as [groups, blocks of up to 8 filters, quads, taps, filters], quads of bytes."""
        g, m, c, *rs = w.shape
        if self.byte_row:
            s = 4 * len(self.planes.steps[-1])
            w = np.pad(w, [(0, 0)] * (w.ndim - 1) + [(0, s - rs[-1])])
            w = w.reshape(g, m, c, -1, 4)
        else:
            w = np.pad(w, [(0, 0), (0, 0), (0, 4 * self.planes.C - c), *((0, 0) for _ in rs)])
            w = w.reshape(g, m, self.planes.C, 4, prod(rs)).swapaxes(3, 4)
        blocks = [w[:, i : i + ROWS].transpose(0, 2, 3, 1, 4).reshape(g, -1) for i in range(0, m, ROWS)]
        return np.ascontiguousarray(np.concatenate(blocks, 1)).view(np.uint32)

    @property
    def taps(self) -> int:
        """Quads of a filter in each plane."""
        return prod(len(s) for s in self.planes.steps)

    def rows(self, filters: int) -> int:
        """Output rows prepared and computed at a time."""
        p, e = self.planes, self.planes.EF[0]
        lines = min(ROWS, filters)
        fits = [r for r in range(1, e + 1) if p.C * p.plane(r) <= _WORDS and lines * p.run(r) <= _SUMS]
        count = -(-e // max(fits, default=1))
        return -(-e // count)

    @property
    def depthwise(self) -> bool:
        """Whether a group has one channel whose quads are taps of a row: many groups are then prepared at once."""
        return self.channels == 1 and self.byte_row > 0

    def batch(self, rows: int, groups: int) -> int:
        """Groups of one channel prepared at once."""
        return max(1, min(groups, _BATCH // max(self.planes.plane(rows), self.planes.run(rows))))

    def emit_load(self, kernel: Kernel, rows: int, source: str, load: Load) -> None:
        """Fill the planes of a strip that starts at output row `e0` from bytes."""
        (_emit_rows if self.byte_row else _emit_channels)(kernel, self, rows, source, load)


@dataclass(frozen=True)
class Load:
    """Where planes go; the byte of the padding; whether the highest bit of bytes is flipped; planes (at most `most`)."""

    target: str
    fill: int
    flip: bool
    planes: Bound
    most: int

    @property
    def mask(self) -> int:
        """What is flipped in a byte."""
        return 128 if self.flip else 0


def _lines(p: Planes, rows: int) -> tuple[list[tuple[str, int]], list[str | int], list[tuple[str, int]]]:
    """Loops over the phases of all dimensions, the phase of each, and loops over the lines of a plane."""
    n = len(p.EF)
    phases = [(f"r{d}", p.phases[d]) for d in range(n) if p.phases[d] > 1]
    phase = [f"r{d}" if p.phases[d] > 1 else 0 for d in range(n)]
    return phases, phase, [("q0", rows + p.reach[0]), *((f"q{d}", p.Q[d - 1]) for d in range(1, n - 1))]


def _inside(code: Code, p: Planes, phase: list[str | int]) -> str:
    n = len(p.EF)
    starts = ["(e0 + q0)", *(f"q{d}" for d in range(1, n - 1))]
    return " && ".join(coordinate(code, p, d, start, phase[d]) for d, start in enumerate(starts))


def _emit_channels(kernel: Kernel, quads: Quads, rows: int, source: str, load: Load) -> None:
    p, code = quads.planes, kernel.code
    phases, phase, lines = _lines(p, rows)
    hw = prod(p.HW)
    with code.nest_named([("c", p.C), *phases, *lines]):
        inside = _inside(code, p, phase)
        at = index(["c", *phase, *(name for name, _ in lines)], _rows((p.C, *p.phases, rows + p.reach[0], *p.Q)))
        origin = index(["c", *_coordinates(p)], [4 * hw, *_rows(p.HW)])
        code.add(f"const uint8_t *row = {inside} ? {shifted(source, origin)} : NULL;")
        whole = quads.channels % 4 == 0
        count = "4" if whole else f"c < {p.C - 1} ? 4 : {quads.channels - 4 * (p.C - 1)}"
        first = index([phase[-1]], [1], -p.before[-1])
        code.add(
            f"dnnc_quad_row({shifted(load.target, at)}, {p.Q[-1]}, row, {hw}, {count}, {p.HW[-1]}, {first}, {p.U[-1]}, "
            f"{_word(load.mask)}, {_word(load.fill)});"
        )


def _emit_rows(kernel: Kernel, quads: Quads, rows: int, source: str, load: Load) -> None:
    """Rows are padded as bytes first; then every quad takes its four, all rows as one line if there is no stride."""
    p, code = quads.planes, kernel.code
    phases, phase, lines = _lines(p, rows)
    shape = (*p.phases[:-1], rows + p.reach[0], *p.Q[:-1])
    plane, (u, d) = prod(shape) * quads.byte_row, (quads.window.stride[-1], quads.window.dilation[-1])
    memory = kernel.scratch(load.most * plane + 4 * d, np.uint8)  # the last quad reads behind the rows
    start, stop = p.before[-1], min(quads.byte_row, p.before[-1] + p.HW[-1])
    code.add(f"memset({memory}, {load.fill ^ load.mask}, (size_t)({index([load.planes], [plane], 4 * d)}));")
    if start < stop:
        with code.nest_named([("c", load.planes), *phases, *lines]):
            inside = _inside(code, p, phase)
            strides = [plane, *(s * quads.byte_row for s in _rows(shape))]
            at = index(["c", *phase[:-1], *(name for name, _ in lines)], strides, start)
            origin = index(["c", *_coordinates(p)], [prod(p.HW), *_rows(p.HW)])
            with code.block(f"if ({inside})"):
                code.add(f"memcpy({memory} + {at}, {shifted(source, origin)}, {stop - start}u);")
    one = index([load.planes], [plane])
    walk = f"1, {one}, {memory}, 0" if u == 1 else None
    walk = walk or f"{index([load.planes], [prod(shape)])}, {p.Q[-1]}, {memory}, {quads.byte_row}"
    code.add(f"dnnc_quad_slide({load.target}, {walk}, {u}, {d}, {_word(load.mask)});")


def _coordinates(p: Planes) -> list[str]:
    return [f"h{d}" for d in range(len(p.EF) - 1)]


def _word(byte: int) -> str:
    return f"0x{byte * 0x01010101:08x}u"


def _rows(shape: Sequence[int]) -> list[int]:
    return [prod(shape[d + 1 :]) for d in range(len(shape))]
