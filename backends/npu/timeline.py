"""A trace as a picture: when each layer runs, and how busy each engine is over time."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import floor, log10
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.npu.isa import QUEUES, Engine

_LEFT, _WIDE, _RIGHT = 64, 840, 48
_TOP, _LANE, _GAP, _BAR = 52, 34, 10, 18
_TICKS = 6
_LETTER = 7.2  # the widest an average letter of a name is
_SOME = 6  # as many letters of a name say something

_STYLE = """<style>
.dnnc-timeline { font: 12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; }
.dnnc-timeline .paper { fill: #ffffff; }
.dnnc-timeline text { fill: #1c2530; }
.dnnc-timeline .grid { stroke: #d3d9e0; }
.dnnc-timeline .lane { fill: #eef2f7; }
.dnnc-timeline .layer { fill: #c9dcf2; stroke: #1d5fa8; }
.dnnc-timeline .stack { fill: #f4ead2; stroke: #8a6d1f; }
.dnnc-timeline .ld { fill: #5a6472; }
.dnnc-timeline .mm { fill: #1d5fa8; }
.dnnc-timeline .ppu { fill: #a63c1e; }
.dnnc-timeline .st { fill: #1c7347; }
@media (prefers-color-scheme: dark) {
  .dnnc-timeline .paper { fill: #14181e; }
  .dnnc-timeline text { fill: #e8ecf1; }
  .dnnc-timeline .grid { stroke: #36404c; }
  .dnnc-timeline .lane { fill: #1f262e; }
  .dnnc-timeline .layer { fill: #1c3a5c; stroke: #6ea8e6; }
  .dnnc-timeline .stack { fill: #3a321c; stroke: #d8b65a; }
  .dnnc-timeline .ld { fill: #98a4b3; }
  .dnnc-timeline .mm { fill: #6ea8e6; }
  .dnnc-timeline .ppu { fill: #f0906f; }
  .dnnc-timeline .st { fill: #58c48d; }
}
</style>"""


class Run(Protocol):
    """What the picture needs of a trace."""

    @property
    def target(self) -> str:
        """The accelerator's name."""
        ...

    @property
    def clock_mhz(self) -> int:
        """Its clock."""
        ...

    @property
    def cycles(self) -> int:
        """Its length."""
        ...

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column."""
        ...

    def summary(self, level: str = "layer") -> list[dict[str, Any]]:
        """A row a layer, or a stack."""
        ...


def picture(trace: Run) -> str:
    """An SVG document: layers from their first to their last cycle, those that run together on a band, and below the part
    of each moment an engine is busy.
    """
    rows, stacks = _packed(trace.summary()), [r for r in trace.summary("stack") if r["stack"] is not None]
    top = _TOP + (_BAR if stacks else 0)
    below = top + rows_height(rows) + _GAP
    height = below + len(QUEUES) * (_LANE + _GAP) + 26
    parts = [*_grid(trace, height - 22), *_stacks(trace, stacks, below - 6), *_layers(trace, rows, top)]
    for i, engine in enumerate(QUEUES):
        parts += _lane(trace, engine, below + i * (_LANE + _GAP))
    width = _LEFT + _WIDE + _RIGHT
    label = f"Timeline of {trace.cycles:,} cycles"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dnnc-timeline" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{label}">\n{_STYLE}\n'
        f'<rect class="paper" width="{width}" height="{height}"/>\n'
        f'<text x="{_LEFT}" y="22" font-size="14" font-weight="600">{escape(_title(trace))}</text>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _title(trace: Run) -> str:
    where = f" on {trace.target}" if trace.target else ""
    return f"{trace.cycles:,} cycles{where}: {trace.cycles / trace.clock_mhz:,.1f} µs at {trace.clock_mhz} MHz"


def _at(trace: Run, cycle: float) -> float:
    return round(_LEFT + _WIDE * cycle / max(1, trace.cycles), 1)


def _grid(trace: Run, bottom: int) -> Iterator[str]:
    step = _step(trace.cycles)
    for cycle in range(0, trace.cycles + 1, step):
        x = _at(trace, cycle)
        yield f'<path class="grid" d="M{x:g} {_TOP - 8}V{bottom}"/>'
        yield f'<text x="{x:g}" y="{bottom + 14}" text-anchor="middle">{cycle:,}</text>'


def _step(cycles: int) -> int:
    """The round number of cycles between two lines of the grid."""
    rough = max(1.0, cycles / _TICKS)
    power = 10 ** floor(log10(rough))
    return max(1, int(next(m * power for m in (1, 2, 5, 10) if m * power >= rough)))


def _packed(layers: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Layers with the row each is drawn in: the first whose layers have all ended."""
    free: list[int] = []
    placed = []
    for layer in layers:
        row = next((i for i, end in enumerate(free) if end <= layer["start"]), len(free))
        free[row : row + 1] = [layer["end"]]
        placed.append((row, layer))
    return placed


def rows_height(rows: list[tuple[int, dict[str, Any]]]) -> int:
    """The height of the layers' rows."""
    return (max((row for row, _ in rows), default=-1) + 1) * (_BAR + 2)


def _stacks(trace: Run, stacks: list[dict[str, Any]], bottom: int) -> Iterator[str]:
    for stack in stacks:
        name = f"stack {stack['stack']}"
        yield from _bar(trace, stack, "stack", name, f"{name}: {stack['layers']}", _TOP, bottom - _TOP)


def _layers(trace: Run, rows: list[tuple[int, dict[str, Any]]], top: int) -> Iterator[str]:
    for row, layer in rows:
        yield from _bar(trace, layer, "layer", layer["layer"], layer["layer"], top + row * (_BAR + 2), _BAR)


def _bar(trace: Run, of: dict[str, Any], kind: str, label: str, what: str, y: int, height: int) -> Iterator[str]:
    """A rectangle from the first to the last cycle, with a hint, and a label when there is room."""
    x = _at(trace, of["start"])
    wide = max(1.0, round(_at(trace, of["end"]) - x, 1))
    hint = f"{what}: cycles {of['start']:,} to {of['end']:,}, {of['macs']:,} MACs, {of['bytes']:,} DRAM bytes"
    yield f"<g><title>{escape(hint)}</title>"
    yield f'<rect class="{kind}" x="{x:g}" y="{y}" width="{wide:g}" height="{height}" rx="3"/>'
    room = int((wide - 8) // _LETTER)
    if len(label) <= room or room >= _SOME:
        shown = label if len(label) <= room else f"{label[: room - 1]}…"
        yield f'<text x="{x + 5:g}" y="{y + 13}">{escape(shown)}</text>'
    yield "</g>"


def _lane(trace: Run, engine: Engine, y: int) -> Iterator[str]:
    """One engine: its busy part of each pixel's cycles as the height of a bar."""
    mine = trace["engine"] == engine
    busy = busy_parts(trace["start"][mine], trace["end"][mine], trace.cycles, _WIDE)
    name, share = engine.name.lower(), busy.mean() if len(busy) else 0.0
    yield f"<g><title>{name}: busy {share:.1%} of the time</title>"
    yield f'<rect class="lane" x="{_LEFT}" y="{y}" width="{_WIDE}" height="{_LANE}"/>'
    yield f'<path class="{name}" d="{_bars(busy, y + _LANE)}"/>'
    yield f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{name}</text>'
    yield f'<text x="{_LEFT - 8}" y="{y + 29}" text-anchor="end">{share:.0%}</text></g>'


def busy_parts(start: NDArray[np.int64], end: NDArray[np.int64], cycles: int, parts: int) -> NDArray[np.float64]:
    """The part of each of `parts` equal stretches of [0, cycles) that the intervals cover, which do not overlap."""
    if not cycles:
        return np.zeros(parts)
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    before = np.concatenate([[0], np.cumsum(end - start)])
    borders = np.linspace(0, cycles, parts + 1)
    last = np.searchsorted(start, borders, "right")
    running = np.where(last > 0, np.maximum(end[last - 1] - borders, 0) if len(end) else 0, 0)
    return np.clip(np.diff(before[last] - running) * parts / cycles, 0, 1)


def _bars(busy: NDArray[np.float64], foot: int) -> str:
    """Path of the bars, one where neighbours are alike."""
    tops = np.round(foot - busy * _LANE, 1)
    first = np.flatnonzero(np.diff(tops, prepend=np.nan) != 0)
    path = [f"M{_LEFT} {foot}"]
    for i in first.tolist():
        path.append(f"H{_LEFT + i}V{tops[i]:g}")
    return "".join([*path, f"H{_LEFT + len(tops)}V{foot}Z"])
