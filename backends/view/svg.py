"""A graph as an SVG picture: boxes of layers, frames of groups, edges, a heading and a legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib.resources import files

from dnnc.backends.view.boxes import HEAD, PAD, ROW, SIZE
from dnnc.backends.view.graph import FAMILY, Graph, Node
from dnnc.backends.view.layout import Layout, Point, arrange
from dnnc.backends.view.measure import fitted, si, width

_MARGIN = 24.0
_LEAST = 560.0  # width of the smallest picture: room for the heading
_FAMILIES = tuple(dict.fromkeys(FAMILY.values()))


@cache
def style() -> str:
    """The style sheet of every picture, in light and dark; it touches nothing outside of them."""
    return (files("dnnc.backends.view") / "style.css").read_text("utf-8")


def document(label: str, size: tuple[float, float], parts: Iterator[str] | Sequence[str], more: str = "") -> str:
    """A self-contained SVG document of a size, with the style, `more` of it, and a background of its own."""
    w, h = (f"{round(x)}" for x in size)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dnnc-view" viewBox="0 0 {w} {h}" width="{w}" height="{h}" '
        f'role="img" aria-label="{escape(label)}">\n<style>\n{style()}{more}</style>\n'
        f'<rect class="paper" width="{w}" height="{h}"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def picture(graph: Graph, title: str) -> str:
    """The graph as an SVG document."""
    layout = arrange(graph)
    wide = max(layout.width, _LEAST)
    families = [f for f in _FAMILIES if any(n.family == f for n in graph.nodes)]
    head, top = heading(title, summary(graph), families, wide)
    left = _MARGIN + (wide - layout.width) / 2
    size = wide + 2 * _MARGIN, layout.height + top + _MARGIN
    scene = f'<g class="scene" transform="translate({left:g} {top:g})">'
    return document(title, size, [*head, scene, *_scene(graph, layout), "</g>"])


def summary(graph: Graph) -> str:
    """The sums of a graph in a line."""
    layers = graph.layers
    weights = {c.key or (n.id, c.role): c.bytes for n in layers for c in n.constants}
    parts = [
        f"{len(layers)} layers",
        si(sum(n.macs for n in layers), "MACs"),
        f"{si(sum(weights.values()), 'B')} of constants",
    ]
    if graph.groups:
        parts.insert(1, f"{len(graph.groups)} groups")
    if graph.hidden:
        parts.append(f"{graph.hidden} more layers are not shown")
    return ", ".join(parts)


def heading(title: str, line: str, families: Sequence[str], wide: float) -> tuple[list[str], float]:
    """Title, a line of sums, and the legend in as many lines as it takes; with the height of all."""
    out = [
        text("heading", _MARGIN, 34, fitted(title, wide, 15, bold=True)),
        text("muted", _MARGIN, 54, fitted(line, wide, SIZE)),
    ]
    x, y = _MARGIN, 66.0
    for family in families:
        step = 18 + width(family, SIZE) + 16
        if x + step > wide + _MARGIN:
            x, y = _MARGIN, y + 18
        out.append(f'<rect class="{family}" x="{x:g}" y="{y:g}" width="12" height="12" rx="2"/>')
        out.append(text("muted", x + 18, y + 10.5, family))
        x = round(x + step)
    return out, y + 34


def text(kind: str, x: float, y: float, content: str) -> str:
    """A line of text."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(content, quote=False)}</text>'


def _scene(graph: Graph, layout: Layout) -> Iterator[str]:
    for group in graph.groups:
        r = layout.frames[group.id]
        yield f'<g class="group" data-id="{group.id}"><title>{escape(group.name)}</title>'
        yield f'<rect class="frame" x="{r.x:g}" y="{r.y:g}" width="{r.width:g}" height="{r.height:g}" rx="9"/></g>'
    names = {n.id: n.name for n in graph.nodes}
    for edge, points in layout.paths:
        hint = f"{names[edge.source]} to {names[edge.target]}: {edge.shape} {edge.type}"
        yield f'<g data-from="{edge.source}" data-to="{edge.target}"><title>{escape(hint)}</title>'
        yield f'<path class="edge" d="{curve(points)}"/><path class="tip" d="{_tip(*points[-1])}"/></g>'
    for node in graph.nodes:
        yield from _node(node, layout)


def curve(points: Sequence[Point]) -> str:
    """Path data: straight down, or an S from one vertical to another."""
    (x, y), *rest = points
    out = [f"M{x:g} {y:g}"]
    for nx, ny in rest:
        middle = (y + ny) / 2
        out.append(f"V{ny:g}" if nx == x else f"C{x:g} {middle:g} {nx:g} {middle:g} {nx:g} {ny:g}")
        x, y = nx, ny
    return "".join(out)


def _tip(x: float, y: float) -> str:
    return f"M{x - 4:g} {y - 8:g}H{x + 4:g}L{x:g} {y:g}Z"


def _node(node: Node, layout: Layout) -> Iterator[str]:
    r, box = layout.nodes[node.id], layout.boxes[node.id]
    yield f'<g class="node" data-id="{node.id}" transform="translate({r.x:g} {r.y:g})"><title>{escape(node.name)}</title>'
    yield f'<rect class="box" width="{r.width:g}" height="{r.height:g}" rx="6"/>'
    yield f'<path class="{node.family}" d="M0 {HEAD:g}V6Q0 0 6 0H{r.width - 6:g}Q{r.width:g} 0 {r.width:g} 6V{HEAD:g}Z"/>'
    yield text("op", PAD, 15.5, box.title)
    for i, (kind, content) in enumerate(box.rows):
        yield text(kind, PAD, HEAD + ROW * i + 15, content)
    yield "</g>"
