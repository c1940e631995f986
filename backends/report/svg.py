"""The roofline as a picture: attainable MAC/s over arithmetic intensity, both logarithmic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from dnnc.backends.report.column import si
from dnnc.backends.report.columns import Row
from dnnc.backends.report.roofline import Roof
from dnnc.ir.diagnostics import DnncError, Finding

_WIDTH, _HEIGHT = 760, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 24, 64, 52
_COLOURS = {"compute": "#c2410c", "memory": "#1d4ed8"}


@dataclass(frozen=True)
class _Axis:
    """A logarithmic axis over whole decades, from a value to a place in the picture."""

    low: int
    high: int
    begin: float
    end: float

    @staticmethod
    def over(values: Sequence[float], begin: float, end: float) -> _Axis:
        low, high = floor(log10(min(values))), ceil(log10(max(values)))
        return _Axis(low, max(high, low + 1), begin, end)

    def at(self, value: float) -> float:
        return self.begin + (log10(value) - self.low) / (self.high - self.low) * (self.end - self.begin)

    def decades(self) -> list[float]:
        return [10.0**k for k in range(self.low, self.high + 1)]


def roofline(name: str, rows: Sequence[Row], roof: Roof | None) -> str:
    """An SVG document; the area of a dot grows with the layer's MACs, its colour says what binds.

    DnncError without a target.
    """
    if roof is None:
        raise DnncError(Finding("roofline", "a target was expected, not none. Give one with -t NAME.", "E0108"))
    points = [
        (r, r.layer.macs / r.layer.traffic.total, roof.attainable(r.layer) or 0)
        for r in rows
        if r.roof and r.layer.macs
    ]
    peak = roof.macs_per_cycle * roof.hertz
    ridge = roof.macs_per_cycle / roof.bytes_per_cycle
    x = _Axis.over([*(p[1] for p in points), ridge / 10, ridge * 10], _LEFT, _WIDTH - _RIGHT)
    y = _Axis.over([*(p[2] for p in points), peak / 100, peak * 1.5], _HEIGHT - _BOTTOM, _TOP)
    parts = [*_grid(x, y), *_roof(roof, x, y), *_dots(points, x, y), *_words(f"{name} on {roof.name}")]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#1f2937">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _grid(x: _Axis, y: _Axis) -> list[str]:
    out = []
    for v in x.decades():
        at = x.at(v)
        out.append(f'<path d="M{at:.1f} {y.begin}V{y.end}" stroke="#e5e7eb"/>')
        out.append(f'<text x="{at:.1f}" y="{y.begin + 18}" text-anchor="middle">{v:g}</text>')
    for v in y.decades():
        at = y.at(v)
        out.append(f'<path d="M{x.begin} {at:.1f}H{x.end}" stroke="#e5e7eb"/>')
        out.append(f'<text x="{x.begin - 8}" y="{at + 4:.1f}" text-anchor="end">{si(v)}</text>')
    return out


def _roof(roof: Roof, x: _Axis, y: _Axis) -> list[str]:
    """The slope of DRAM bandwidth up to the ridge point, then the flat peak."""
    peak = roof.macs_per_cycle * roof.hertz
    bandwidth = roof.bytes_per_cycle * roof.hertz
    left = max(10.0**x.low, 10.0**y.low / bandwidth)
    ridge = peak / bandwidth
    path = f"M{x.at(left):.1f} {y.at(left * bandwidth):.1f}L{x.at(ridge):.1f} {y.at(peak):.1f}H{x.end}"
    return [
        *_depthwise(roof, x, y),
        f'<path d="{path}" fill="none" stroke="#111827" stroke-width="2"/>',
        f'<text x="{x.end - 4}" y="{y.at(peak) - 8:.1f}" text-anchor="end">peak {si(peak)}MAC/s</text>',
        f'<text x="{x.at(ridge):.1f}" y="{y.at(peak) - 8:.1f}" text-anchor="end">'
        f"ridge {ridge:.3g} MAC/B, DRAM {si(bandwidth)}B/s</text>",
    ]


def _depthwise(roof: Roof, x: _Axis, y: _Axis) -> list[str]:
    """The lower peak of depthwise convolutions, dashed, where a target has one."""
    if roof.depthwise_macs_per_cycle >= roof.macs_per_cycle:
        return []
    peak = roof.depthwise_macs_per_cycle * roof.hertz
    ridge = roof.depthwise_macs_per_cycle / roof.bytes_per_cycle
    return [
        f'<path d="M{x.at(ridge):.1f} {y.at(peak):.1f}H{x.end}" stroke="#111827" stroke-dasharray="6 4"/>',
        f'<text x="{x.end - 4}" y="{y.at(peak) - 8:.1f}" text-anchor="end">depthwise {si(peak)}MAC/s</text>',
    ]


def _dots(points: Sequence[tuple[Row, float, int]], x: _Axis, y: _Axis) -> list[str]:
    most = max((p[0].layer.macs for p in points), default=1)
    out = []
    for row, intensity, attainable in sorted(points, key=lambda p: -p[0].layer.macs):
        assert row.roof is not None
        layer, side = row.layer, row.roof.bound(row.layer)
        radius = 3 + 9 * (layer.macs / most) ** 0.5
        hint = f"{layer.name}: {layer.macs:,} MACs, {intensity:.3g} MAC/B, {si(attainable)}MAC/s, {side}-bound"
        out.append(
            f'<circle cx="{x.at(intensity):.1f}" cy="{y.at(attainable):.1f}" r="{radius:.1f}" '
            f'fill="{_COLOURS[side]}" fill-opacity="0.45" stroke="{_COLOURS[side]}"><title>{escape(hint)}</title></circle>'
        )
    return out


def _words(title: str) -> list[str]:
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    up = (_TOP + _HEIGHT - _BOTTOM) / 2
    legend = "".join(
        f'<circle cx="{_LEFT + 6 + 130 * i}" cy="42" r="5" fill="{c}" fill-opacity="0.6"/>'
        f'<text x="{_LEFT + 16 + 130 * i}" y="46">{side}-bound</text>'
        for i, (side, c) in enumerate(_COLOURS.items())
    )
    return [
        f'<text x="{_LEFT}" y="24" font-size="14" font-weight="600">{escape(title)}</text>',
        f'<text x="{middle}" y="{_HEIGHT - 10}" text-anchor="middle">arithmetic intensity [MAC / compulsory byte]</text>',
        f'<text transform="translate(16 {up}) rotate(-90)" text-anchor="middle">attainable MAC/s</text>',
        f'{legend}<text x="{_LEFT + 266}" y="46">area of a dot: MACs of the layer</text>',
    ]
