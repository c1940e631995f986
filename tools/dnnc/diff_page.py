"""A comparison of layers as a page: bars of signal to noise, figures, and a histogram of the errors of each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

from dnnc.backends.html import Head, table
from dnnc.passes.analysis.errors import STEPS

_STYLE = """body { font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e6e6e6; } }"""
_ROW, _LEFT, _WIDTH, _FULL = 20, 310, 420, 60.0  # pixels, pixels, pixels, decibels
_CELL = 150, 64
LONG = 40  # characters of a name that are shown


def shortened(name: str) -> str:
    """A name of at most 41 characters: a longer one keeps its ends."""
    return name if len(name) < LONG else f"{name[: LONG // 2]}…{name[-LONG // 2 :]}"


class Compared(Protocol):
    """What a page shows: `dnnc.differences.Diff`."""

    @property
    def name(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def samples(self) -> int: ...
    @property
    def executors(self) -> tuple[str, ...]: ...
    @property
    def layers(self) -> tuple[Any, ...]: ...
    def verdict(self) -> str: ...
    def table(self) -> tuple[Any, Any]: ...


def page(diff: Compared) -> str:
    """The whole page."""
    title = f"{diff.name} on {diff.target}, layer by layer"
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    return f"{head}<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body(diff)}</body></html>\n"


def body(diff: Compared) -> str:
    """What stands in it."""
    layers = [layer.to_dict(diff.executors) for layer in diff.layers]
    told = f"<p>{diff.samples} sample{'s' if diff.samples != 1 else ''}; {escape(diff.verdict())}.</p>"
    steps = f"Errors in quantization steps, from &minus;{STEPS:g} to {STEPS:g}; what is outside stands in the outermost bar."
    drawn = "".join(_histogram(f) for f in layers if f["histogram"])
    return (
        f"{told}\n<h2>Signal to quantization noise</h2>\n{_bars(layers)}\n<h2>Figures</h2>\n{_figures(diff)}"
        f'<h2>Errors of each layer</h2>\n<p>{steps}</p>\n<div style="display:flex;flex-wrap:wrap;gap:12px">{drawn}</div>\n'
    )


def _figures(diff: Compared) -> str:
    heads, rows = diff.table()
    cells = [["-" if c is None else f"{c:,}" if isinstance(c, int) else str(c) for c in row] for row in rows]
    return table([Head(h, number=i > 0) for i, h in enumerate(heads)], cells)


def _bars(layers: Sequence[Mapping[str, Any]]) -> str:
    """A bar a layer, its length the SNR in decibels up to 60; none where there is no noise."""
    rows = "".join(_bar(i, f) for i, f in enumerate(layers))
    size = f"{_LEFT + _WIDTH + 90} {_ROW * len(layers)}"
    return f'<svg viewBox="0 0 {size}" width="{_LEFT + _WIDTH + 90}" font-size="12" fill="currentColor">{rows}</svg>'


def _bar(i: int, facts: Mapping[str, Any]) -> str:
    y, value = i * _ROW, facts["snr_db"]
    width = 0.0 if value is None else min(1.0, max(0.0, value / _FULL)) * _WIDTH
    differs = any(facts["differs"].values())
    name = shortened(facts["name"])
    told = "exact or silent" if value is None else f"{value:.1f} dB"
    return (
        f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end"><title>{escape(facts["name"])}</title>{escape(name)}</text>'
        f'<rect x="{_LEFT}" y="{y + 3}" width="{width:.1f}" height="{_ROW - 6}" fill="{"#d62728" if differs else "#4c78a8"}"/>'
        f'<text x="{_LEFT + width + 6:.1f}" y="{y + 14}">{told}</text>'
    )


def _histogram(facts: Mapping[str, Any]) -> str:
    """The errors of one layer, scaled to the highest bar."""
    counts, (w, h) = facts["histogram"], _CELL
    top, step = max(1, *counts), w / len(counts)
    bars = "".join(
        f'<rect x="{i * step:.2f}" y="{h * (1 - n / top):.2f}" width="{step:.2f}" height="{h * n / top:.2f}"/>'
        for i, n in enumerate(counts)
    )
    name = escape(facts["name"])
    axis = f'<line x1="0" y1="{h}" x2="{w}" y2="{h}" stroke="currentColor"/>'
    marks = "".join(
        f'<text x="{x}" y="{h + 14}" text-anchor="{a}">{t}</text>'
        for x, a, t in ((0, "start", f"−{STEPS:g}"), (w / 2, "middle", "0"), (w, "end", f"{STEPS:g}"))
    )
    drawing = f'<g fill="#4c78a8">{bars}</g>{axis}<g font-size="11" fill="currentColor">{marks}</g>'
    caption = (
        f'<figcaption style="max-width:{w}px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap" title="{name}">'
    )
    return (
        f'<figure style="margin:0">{caption}{name}</figcaption>'
        f'<svg viewBox="0 -2 {w} {h + 20}" width="{w}" height="{h + 20}">{drawing}</svg></figure>'
    )
