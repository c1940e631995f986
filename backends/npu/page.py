"""A trace as one self-contained HTML page: picture, a timeline to zoom and drag, layers, critical path, stalls."""

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from dnnc.backends.html import Head, table
from dnnc.backends.npu.isa import Engine
from dnnc.backends.npu.path import by_level, critical_path
from dnnc.backends.npu.trace import KINDS, Trace

_STYLE = """body { font: 14px/1.45 system-ui, sans-serif; max-width: 1000px; margin: 24px auto; padding: 0 16px;
  background: #ffffff; color: #1c2530; }
h1 { font-size: 20px; } h2 { font-size: 16px; margin-top: 28px; }
canvas { --band: #f4ead2; width: 100%; height: 232px; border: 1px solid #d3d9e0; cursor: grab; touch-action: none; }
#what { min-height: 1.5em; font-variant-numeric: tabular-nums; }
@media (prefers-color-scheme: dark) {
  body { background: #14181e; color: #e8ecf1; } canvas { --band: #3a321c; border-color: #36404c; }
}"""

_SCRIPT = """const data = JSON.parse(document.getElementById('rows').textContent);
const canvas = document.getElementById('zoom'), what = document.getElementById('what');
const paper = canvas.getContext('2d'), left = 48, lane = 36, top_ = 26;
let from = 0, to = Math.max(1, data.cycles), held = null;
const colour = i => `hsl(${i * 137 % 360} 55% 55%)`;
function draw() {
  const scale = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  canvas.width = w * scale; canvas.height = h * scale; paper.scale(scale, scale);
  const ink = getComputedStyle(document.body).color, at = c => left + (w - left) * (c - from) / (to - from);
  paper.font = '12px system-ui, sans-serif'; paper.fillStyle = ink;
  const band = getComputedStyle(canvas).getPropertyValue('--band');
  for (const s of data.stacks) {
    const x = Math.max(left, at(s.start)), r = Math.min(w, at(s.end));
    if (r <= x) continue;
    paper.fillStyle = band; paper.fillRect(x, 2, r - x, h - 22);
    const name = [`${s.name}: ${s.layers}`, s.name].find(t => paper.measureText(t).width + 6 < r - x);
    paper.fillStyle = ink; paper.fillText(name || '', x + 3, 16);
  }
  paper.fillStyle = ink;
  data.engines.forEach((name, e) => paper.fillText(name, 6, top_ + e * lane + 20));
  const filled = data.engines.map(() => -1);
  for (let i = 0; i < data.start.length; i++) {
    if (data.end[i] < from || data.start[i] > to) continue;
    const e = data.engine[i], x = Math.max(left, at(data.start[i])), r = Math.min(w, at(data.end[i]));
    if (r <= filled[e]) continue;
    filled[e] = Math.max(r, x + 0.5);
    paper.fillStyle = colour(data.layer[i]);
    paper.fillRect(x, top_ + e * lane, Math.max(0.5, r - x), lane - 8);
  }
  paper.fillStyle = ink;
  const last = `${Math.round(to).toLocaleString()} cycles`;
  paper.fillText(Math.round(from).toLocaleString(), left, h - 6);
  paper.fillText(last, w - paper.measureText(last).width - 4, h - 6);
}
const cycle = x => from + (to - from) * (x - left) / (canvas.clientWidth - left);
function show(a, b) {
  const wide = Math.min(Math.max(b - a, 20), Math.max(20, data.cycles));
  from = Math.min(Math.max(0, a), Math.max(0, data.cycles - wide)); to = from + wide; draw();
}
canvas.addEventListener('wheel', event => {
  event.preventDefault();
  const middle = cycle(event.offsetX), f = event.deltaY > 0 ? 1.25 : 0.8;
  show(middle - (middle - from) * f, middle + (to - middle) * f);
}, { passive: false });
canvas.addEventListener('pointerdown', event => { held = event.offsetX; canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener('pointerup', () => { held = null; });
canvas.addEventListener('dblclick', () => show(0, data.cycles));
canvas.addEventListener('pointermove', event => {
  if (held !== null) {
    const moved = cycle(held) - cycle(event.offsetX);
    held = event.offsetX; show(from + moved, to + moved); return;
  }
  const e = Math.floor((event.offsetY - top_) / lane), c = cycle(event.offsetX);
  const i = data.start.findIndex((s, k) => data.engine[k] === e && s <= c && c < data.end[k]);
  what.textContent = i < 0 ? '' : `${data.kinds[data.kind[i]]} ${data.tags[data.tag[i]]}, instruction ` +
    `${data.index[i]}: cycles ${data.start[i].toLocaleString()} to ${data.end[i].toLocaleString()}`;
});
window.addEventListener('resize', draw);
draw();"""


def page(trace: Trace, title: str = "Trace") -> str:
    """The page of a whole trace; DnncError when it is a slice."""
    path, stalls = critical_path(trace), trace.stalls()
    stacks = f"<h2>The same by stack</h2>\n{_shown(by_level(trace, path, 'stack'))}\n" if trace.stacks() else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<h2>Every instruction</h2>
<p>Wheel: zoom. Drag: move. Double click: all of it. A colour is a layer; layers of a stack run together.</p>
<canvas id="zoom" role="img" aria-label="Instructions of each engine over time"></canvas>
<p id="what"></p>
<h2>Layers</h2>
{trace._repr_html_()}
<h2>What sets the length: the critical path</h2>
{_shown(by_level(trace, path))}
{stacks}<h2>Cycles lost</h2>
{_shown(stalls)}
<script type="application/json" id="rows">{_data(trace)}</script>
<script>{_SCRIPT}</script>
</body></html>
"""


def _shown(rows: Sequence[dict[str, Any]]) -> str:
    keys = [k for k in (rows[0] if rows else ()) if any(row[k] is not None for row in rows)]
    heads = [Head(k, number=not isinstance(rows[0][k], str)) for k in keys]
    return table(heads, [[_cell(row[k]) for k in keys] for row in rows]) if rows else "<p>None.</p>"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.1%}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _data(trace: Trace) -> str:
    names, layer = trace.layer_of_tag()
    columns = {name: trace[name].tolist() for name in ("start", "end", "engine", "kind", "index")}
    columns |= {"layer": layer.tolist(), "tag": np.minimum(trace["tag"], len(trace.tags)).tolist()}
    stacks = [
        {"name": f"stack {r['stack']}", "layers": r["layers"], "start": r["start"], "end": r["end"]}
        for r in trace.summary("stack")
        if r["stack"] is not None
    ]
    about = {"cycles": trace.cycles, "engines": [e.name.lower() for e in Engine], "kinds": KINDS, "stacks": stacks}
    about["tags"] = [*map(str, trace.tags), names[-1]]
    # `<` would end the script element inside a name
    return json.dumps({**about, **columns}, separators=(",", ":")).replace("<", "\\u003c")
