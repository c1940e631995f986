"""How a convolution walks its input: as flat planes in which every tap is a constant offset.

An output position (e, f) of a padded plane with rows of Q elements lies at e * Q + f, and tap (i, j) of its window at a
further i * Q + j. So a run of consecutive positions is a run of consecutive elements for every tap, and a row tile of any
length needs no bounds test; the positions between rows are computed and not kept. With stride U the plane is first split
into U x U planes of every U-th row and column, in which the taps are constant offsets again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as cartesian
from math import prod

from dnnc.backends.c.text import Code, index, shifted
from dnnc.ir.dnn.attributes import Window

MIN_RUN = 16
"""Elements in the widest vector: no run is shorter."""

_STRIP = 1 << 16  # floats of an input strip, 256 KB: stays in a second-level cache while all filters pass over it
_RUN = 1 << 10  # columns of a strip that goes through the scratch tile
_LIGHT = 1 << 18  # floats of weights up to which reading them once a strip costs less than reading the input again


@dataclass(frozen=True)
class Planes:
    """Geometry of one group of a convolution with C channels; spatial tuples have at least two entries.

    `Q` is the row length of each dimension after the first, `reach` the rows a window spans beyond its first, `steps`
    and `phase` where each tap of each dimension lies. `direct`: the input itself is such a plane, not padded. `inserted`: the input
    is spread out with U - 1 zeros between its elements (transposed convolution).
    """

    C: int
    HW: tuple[int, ...]
    EF: tuple[int, ...]
    U: tuple[int, ...]
    before: tuple[int, ...]
    reach: tuple[int, ...]
    phases: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    phase: tuple[tuple[int, ...], ...]
    Q: tuple[int, ...]
    direct: bool = False
    inserted: bool = False

    @staticmethod
    def of(window: Window, channels: int, hw: Sequence[int], ef: Sequence[int]) -> Planes:
        """The planes of a convolution: tap i of a dimension lies i * dilation // U further in phase i * dilation % U."""
        at = [[k * d for k in range(r)] for r, d in zip(window.kernel, window.dilation)]
        steps = tuple(tuple(a // u for a in row) for row, u in zip(at, window.stride))
        phase = tuple(tuple(a % u for a in row) for row, u in zip(at, window.stride))
        planes = _planes(window, channels, hw, ef, window.pad[: window.rank], steps, phase, False)
        if any(window.pad) or set(planes.U) != {1}:
            return planes
        direct = Planes(**{**vars(planes), "Q": tuple(hw[1:]), "direct": True})
        return direct if direct.run(ef[0]) >= MIN_RUN else planes

    @staticmethod
    def transposed(window: Window, channels: int, hw: Sequence[int], ef: Sequence[int]) -> Planes:
        """The planes of a transposed convolution: the input with U - 1 zeros between elements, taps in reverse."""
        steps = tuple(tuple((r - 1 - k) * d for k in range(r)) for r, d in zip(window.kernel, window.dilation))
        phase = tuple((0,) * r for r in window.kernel)
        before = tuple(e - 1 - p for e, p in zip(window.extent, window.pad))
        return _planes(window, channels, hw, ef, before, steps, phase, True)

    @property
    def pitch(self) -> tuple[int, ...]:
        """Elements from one output position to the next in each dimension."""
        return tuple(prod(self.Q[k:]) for k in range(len(self.EF)))

    def run(self, rows: int) -> int:
        """Consecutive elements from the first to the last output position of `rows` rows of dimension 0."""
        return (rows - 1) * self.pitch[0] + self.inner_run

    @property
    def inner_run(self) -> int:
        """The same within one row of dimension 0."""
        return sum((e - 1) * p for e, p in zip(self.EF[1:], self.pitch[1:])) + 1

    @property
    def dense(self) -> bool:
        """Whether the run has no positions to drop, so that it can be stored in the result at once."""
        return self.EF[1:] == self.Q

    def plane(self, rows: int) -> int:
        """Elements from one channel to the next, when `rows` output rows are prepared at a time."""
        return prod(self.HW) if self.direct else prod(self.phases) * (rows + self.reach[0]) * self.pitch[0]

    def taps(self, rows: int) -> list[int]:
        """Offset of each tap, in the order of the weights."""
        shape = (*self.phases, rows + self.reach[0], *self.Q)
        strides = [prod(shape[k + 1 :]) for k in range(len(shape))]
        n = len(self.EF)
        return [
            sum(c * s for c, s in zip((*(self.phase[d][i] for d, i in enumerate(tap)), *self._step(tap)), strides))
            if not self.direct
            else sum(a * p for a, p in zip(self._step(tap), self.pitch))
            for tap in cartesian(*(range(len(self.steps[d])) for d in range(n)))
        ]

    def _step(self, tap: tuple[int, ...]) -> list[int]:
        return [self.steps[d][i] for d, i in enumerate(tap)]

    def strip(self, weights: int, lines: int) -> int:
        """Output rows prepared and computed at a time, for a group of so many weights and `lines` rows of scratch tile.

        Strips keep the input in cache when it is large and the weights are not; they also bound the scratch memory.
        """
        e = self.EF[0]
        fits = [r for r in range(1, e + 1) if self._small(r, weights, lines)]
        rows = max(fits, default=1)
        rows = -(-e // -(-e // rows))  # even strips
        last = e - (e - 1) // rows * rows
        return rows if min(self.run(rows), self.run(last)) >= MIN_RUN else e

    def _small(self, rows: int, weights: int, lines: int) -> bool:
        per_channel = prod(self.phases) * (rows + self.reach[0]) * self.pitch[0]
        cached = weights > _LIGHT or self.C * per_channel <= _STRIP
        return cached and (self.dense or weights > _LIGHT or lines * self.run(rows) <= 8 * _RUN)


def _planes(
    window: Window,
    channels: int,
    hw: Sequence[int],
    ef: Sequence[int],
    before: Sequence[int],
    steps: tuple[tuple[int, ...], ...],
    phase: tuple[tuple[int, ...], ...],
    inserted: bool,
) -> Planes:
    reach = tuple(max(s) for s in steps)
    return Planes(
        channels,
        tuple(hw),
        tuple(ef),
        window.stride,
        tuple(before),
        reach,
        tuple(max(p) + 1 for p in phase),
        steps,
        phase,
        tuple(e + r for e, r in zip(ef[1:], reach[1:])),
        inserted=inserted,
    )


def emit_load(code: Code, p: Planes, rows: int, source: str, target: str) -> None:
    """Fill the planes of a strip that starts at output row `e0`: C channels of `source` copied with zeros around."""
    lines = rows + p.reach[0]
    n = len(p.EF)
    dims = [f"r{d}" for d in range(n) if p.phases[d] > 1]
    with code.nest_named([("c", p.C), *((f"r{d}", p.phases[d]) for d in range(n) if p.phases[d] > 1)]):
        phase = [f"r{d}" if f"r{d}" in dims else 0 for d in range(n)]
        bounds = [("q0", lines), *((f"q{d}", p.Q[d - 1]) for d in range(1, n - 1))]
        with code.nest_named(bounds):
            inside = []
            for d in range(n - 1):
                start = "(e0 + q0)" if d == 0 else f"q{d}"
                inside.append(coordinate(code, p, d, start, phase[d]))
            shape = (p.C, *p.phases, lines, *p.Q)
            strides = [prod(shape[k + 1 :]) for k in range(len(shape))]
            at = index(["c", *phase, *(name for name, _ in bounds)], strides)
            rows_of = [prod(p.HW[d:]) for d in range(n)]
            origin = index(["c", *(f"h{d}" for d in range(n - 1))], rows_of)
            row = f"{' && '.join(inside)} ? {shifted(source, origin)} : NULL"
            code.add(f"const float *row = {row};")
            _emit_row(code, p, shifted(target, at), phase[n - 1])


def coordinate(code: Code, p: Planes, d: int, start: str, phase: str | int) -> str:
    """Declare h<d>, the input coordinate of a plane's coordinate, and give the condition that it exists."""
    if not p.inserted:
        code.add(f"const int32_t h{d} = {index([start, phase], [p.U[d], 1], -p.before[d])};")
        return f"h{d} >= 0 && h{d} < {p.HW[d]}"
    code.add(f"const int32_t s{d} = {index([start], [1], -p.before[d])};", f"const int32_t h{d} = s{d} / {p.U[d]};")
    return f"s{d} >= 0 && s{d} % {p.U[d]} == 0 && h{d} < {p.HW[d]}"


def _emit_row(code: Code, p: Planes, target: str, phase: str | int) -> None:
    before, u, q, w = p.before[-1], p.U[-1], p.Q[-1], p.HW[-1]
    if p.inserted:
        code.add(f"dnnc_put_row({target}, {q}, row, {w}, {before}, {u});")
    else:
        code.add(f"dnnc_take_row({target}, {q}, row, {w}, {index([phase], [1], -before)}, {u});")
