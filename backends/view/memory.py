"""Memory spaces as pictures: offset over the steps of a program, the capacity, and who is alive at the peak."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from dnnc.backends.html import Head, table
from dnnc.backends.view.measure import fitted, si, width
from dnnc.backends.view.svg import document, text
from dnnc.ir.diagnostics import DnncError, Finding, short
from dnnc.ir.weights import atomic_file
from dnnc.passes.analysis.savings import Orders, Saving, savings
from dnnc.passes.analysis.spaces import Occupant, Space

SCHEMA = "dnnc.memory/1"
"""Raised when a key goes or changes its meaning; new keys leave it alone."""

_LEFT, _WIDE, _RIGHT, _TOP = 88.0, 880.0, 24.0, 72.0
_HEAD, _TALL, _FOOT = 46.0, 240.0, 44.0
_LEAST = 48.0
"""A box as wide as this has at least a part of its label."""
_HUES = 6
_TICKS = 4


@dataclass(frozen=True)
class MemoryMap:
    """The spaces of a compiled network, each with what would lower its peak."""

    title: str
    spaces: tuple[tuple[Space, tuple[Saving, ...]], ...]

    def to_dict(self) -> dict[str, Any]:
        """The data as JSON has it."""
        return {"schema": SCHEMA, "title": self.title, "spaces": [_data(s, found) for s, found in self.spaces]}

    def json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def svg(self) -> str:
        """A self-contained picture of all spaces, one below the other, in light and dark."""
        height = _HEAD + _TALL + _FOOT
        parts = [text("heading", 24, 34, self.title), text("muted", 24, 54, LEGEND)]
        for i, (space, _) in enumerate(self.spaces):
            parts += [f'<g class="space" data-space="{i}" transform="translate(0 {_TOP + i * height:g})">']
            parts += [*_panel(space), "</g>"]
        style = (files("dnnc.backends.view") / "memory.css").read_text("utf-8")
        return document(self.title, (_LEFT + _WIDE + _RIGHT, _TOP + len(self.spaces) * height), parts, style)

    def html(self) -> str:
        """A self-contained page: the picture, who is alive at the step pointed at, and what would lower each peak."""
        page = Template((files("dnnc.backends.view") / "memory.html").read_text("utf-8"))
        data = json.dumps(self.to_dict(), ensure_ascii=False).replace("<", "\\u003c")
        plot = json.dumps({"left": _LEFT, "wide": _WIDE})
        tables = "\n".join(_tables(s, found) for s, found in self.spaces)
        return page.substitute(title=escape(self.title), picture=self.svg(), tables=tables, data=data, plot=plot)

    def save(self, path: str | Path) -> None:
        """Write a picture (.svg), a page (.html) or the data (.json)."""
        makers = {".svg": self.svg, ".html": self.html, ".json": self.json}
        ending = Path(path).suffix
        if ending not in makers:
            message = f"expected a file to draw memory in as .svg, .html or .json, not '{ending}'. Name one of these."
            raise DnncError(Finding(str(path), message, "E0906"))
        with atomic_file(path) as f:
            f.write(makers[ending]().encode())

    def _repr_html_(self) -> str:
        return f'<div style="max-height:640px;overflow:auto">{self.svg()}</div>'


LEGEND = (
    "Upwards: offset in bytes. Across: the steps of the program. Shaded: the step at the peak. Dashed: the capacity."
)


def memory_map(title: str, spaces: Sequence[Space], order: Orders | None = None) -> MemoryMap:
    """The map of spaces; `order` says for the arena what other orders of the layers would do."""
    return MemoryMap(
        title, tuple((s, tuple(savings(s, order if s.name == "arena" else None))) for s in spaces if s.occupants)
    )


def _data(space: Space, found: Sequence[Saving]) -> dict[str, Any]:
    return {
        "name": space.name,
        "on_chip": space.on_chip,
        "capacity": space.capacity,
        "bytes": space.bytes,
        "lower_bound": space.lower_bound,
        "proved": space.proved,
        "status": space.status,
        "peak_step": space.peak_step,
        "live_at_peak": [o.label for o in space.live(space.peak_step)],
        "savings": [asdict(s) for s in found],
        "steps": list(space.steps),
        "live_bytes": space.live_bytes,
        "buffers": [asdict(o) for o in space.occupants],
    }


def headline(space: Space) -> str:
    """Bytes, capacity and what is proved, in a line."""
    of = f" of {space.capacity:,}" if space.capacity is not None else ""
    proof = "proved least" if space.status == "optimal" else f"at least {space.proved:,} needed"
    return f"{space.name}: {space.bytes:,}{of} bytes, {proof}; fullest at {space.peak}"


@dataclass(frozen=True)
class _Plot:
    """From steps and bytes to places in a panel."""

    steps: int
    top: int

    def x(self, step: int) -> float:
        return round(_LEFT + _WIDE * step / self.steps, 2)

    def y(self, offset: int) -> float:
        return round(_HEAD + _TALL * (1 - offset / self.top), 2)


def _panel(space: Space) -> Iterator[str]:
    highest = max(space.bytes, 1)
    shown = space.capacity is not None and space.capacity <= 4 * highest
    plot = _Plot(len(space.steps), max(highest, space.capacity or 0) if shown else highest)
    beyond = "" if shown or space.capacity is None else f" (the capacity, {space.capacity:,}, is far above)"
    yield text("strong", 24, 22, fitted(headline(space) + beyond, _LEFT + _WIDE - 24, 12, bold=True))
    if not space.kept:
        x, end = plot.x(space.peak_step), plot.x(space.peak_step + 1)
        yield f'<rect class="peak" x="{x:g}" y="{_HEAD:g}" width="{max(end - x, 1):g}" height="{_TALL:g}"/>'
    yield from _grid(plot)
    for i, occupant in enumerate(space.occupants):
        yield from _box(plot, i, occupant, space.steps)
    yield f'<path class="live" d="{_outline(plot, space.live_bytes)}"/>'
    if shown and space.capacity is not None:
        yield f'<path class="limit" d="M{_LEFT:g} {plot.y(space.capacity):g}h{_WIDE:g}"/>'
    yield from _axis(plot, space.steps)


def _grid(plot: _Plot) -> Iterator[str]:
    for i in range(_TICKS + 1):
        offset = plot.top * i // _TICKS
        yield f'<path class="grid" d="M{_LEFT:g} {plot.y(offset):g}h{_WIDE:g}"/>'
        yield f'<text class="muted" x="{_LEFT - 8:g}" y="{plot.y(offset) + 4:g}" text-anchor="end">{si(offset, "B")}</text>'


def _box(plot: _Plot, i: int, o: Occupant, steps: Sequence[str]) -> Iterator[str]:
    x, wide = plot.x(o.start), plot.x(o.end) - plot.x(o.start)
    y, tall = plot.y(o.offset + o.size), plot.y(o.offset) - plot.y(o.offset + o.size)
    during = steps[o.start] if o.end == o.start + 1 else f"{steps[o.start]} to {steps[o.end - 1]}"
    over = f", written over {o.over}" if o.over else ""
    hint = f"{o.label}: {o.size:,} bytes at {o.offset:,}, during {during}{over}"
    yield f'<g><title>{escape(hint)}</title><rect class="hue{i % _HUES}" x="{x:g}" y="{y:g}" width="{wide:g}" height="{tall:g}"/>'
    if tall >= 11 and wide >= min(_LEAST, width(o.label, 11) + 6):
        label = escape(fitted(o.label, wide - 6, 11))
        yield f'<text class="label" x="{x + 3:g}" y="{y + min(tall - 2, 13):g}">{label}</text>'
    yield "</g>"


def _outline(plot: _Plot, live: Sequence[int]) -> str:
    """Bytes alive over the steps, as stairs."""
    points = [f"V{plot.y(b):g}H{plot.x(i + 1):g}" for i, b in enumerate(live)]
    return f"M{_LEFT:g} {plot.y(live[0]):g}{''.join(points)}"


def _axis(plot: _Plot, steps: Sequence[str]) -> Iterator[str]:
    """Names of as many steps as there is room for."""
    bottom, free = _HEAD + _TALL + 16, 0.0
    for i, name in enumerate(steps):
        x = plot.x(i)
        label = fitted(name, 150, 11)
        if x >= free and x + width(label, 11) <= _LEFT + _WIDE + _RIGHT:
            yield f'<path class="grid" d="M{x:g} {_HEAD + _TALL:g}v5"/>' + text("muted", x, bottom, label)
            free = x + width(label, 11) + 12


def _tables(space: Space, found: Sequence[Saving]) -> str:
    heads = [
        Head("alive at the peak"),
        Head("bytes", number=True),
        Head("offset", number=True),
        Head("from"),
        Head("to"),
    ]
    rows = [
        [short(o.label), f"{o.size:,}", f"{o.offset:,}", *(short(space.steps[i]) for i in (o.start, o.end - 1))]
        for o in space.live(space.peak_step)
    ]
    placed = [[short(o.label), short(o.over), f"{o.size:,}", f"{o.offset:,}"] for o in space.occupants if o.over]
    over = [Head("written over another"), Head("that"), Head("bytes", number=True), Head("offset", number=True)]
    advice = [[s.what, "?" if s.bytes is None else f"{s.bytes:,}", s.text] for s in found]
    ways = [Head("what would lower it"), Head("bytes at most", number=True), Head("how")]
    return f"<h2>{escape(headline(space))}</h2>\n{table(ways, advice)}{table(heads, rows)}{table(over, placed) if placed else ''}"
