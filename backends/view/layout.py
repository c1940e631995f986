"""Where every box, frame and edge of a graph goes: groups are laid out inside first, then placed as one box each.

Layers run downwards. Between two layers is a gap that holds no box: an edge bends only there, and passes a layer on a
straight line that has a place of its own in it. So no edge meets a box but at its ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dnnc.backends.view.boxes import Box, box_of
from dnnc.backends.view.coordinate import places
from dnnc.backends.view.crossing import order
from dnnc.backends.view.graph import Edge, Graph, Node
from dnnc.backends.view.layering import Arc, Item, Layered, layered

Point = tuple[float, float]
Value = tuple[str, int]

_BESIDE, _BEND = 26.0, 16.0  # between boxes of a layer; beside a line
_BELOW, _INSIDE = 34.0, 22.0  # between layers; between layers of a group
_FRAME = 12.0  # around what a group encloses
_PORT = 14.0  # between the ends of two edges at a box, and from its corner


@dataclass(frozen=True)
class Rect:
    """A rectangle: its top left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass
class Layout:
    """Boxes by node, frames by group, and edges as points between which they run straight down or swing over a gap."""

    width: float
    height: float
    boxes: dict[str, Box] = field(default_factory=dict)
    nodes: dict[str, Rect] = field(default_factory=dict)
    frames: dict[str, Rect] = field(default_factory=dict)
    paths: list[tuple[Edge, list[Point]]] = field(default_factory=list)


def arrange(graph: Graph) -> Layout:
    """The layout of a graph."""
    return _Arrangement(graph).layout()


def _item(box: Box) -> Item:
    return Item(box.width / 2, box.width / 2, box.height)


class _Sheet:
    """One level of the layout: parts in layers, and the routes of the values between them."""

    def __init__(
        self, parts: Sequence[object], items: Mapping[object, Item], ends: tuple[set[int], set[int]] = (set(), set())
    ):
        self.index = {p: i for i, p in enumerate(parts)}
        self.items = [items[p] for p in parts]
        self.ends = ends
        self.arcs: dict[tuple[object, object], Arc] = {}
        self.values: dict[Value, int] = {}
        self.at: dict[object, Point] = {}
        self.routes: dict[tuple[object, object], list[Point]] = {}
        self.width = self.height = 0.0

    def connect(self, tail: object, head: object, value: Value, out: float = 0.0, into: float | None = None) -> None:
        """A value goes from one part to another."""
        port = self.values.setdefault(value, len(self.values))
        self.arcs[value, head] = Arc(self.index[tail], self.index[head], port, out, into)

    def place(self, below: float) -> None:
        """Layers, order, axes, heights, routes."""
        arcs = list(self.arcs.values())
        graph = layered(self.items, arcs, *self.ends)
        order(graph)
        xs = places(graph, lambda a, b: _BEND if graph.bend(a) or graph.bend(b) else _BESIDE)
        left = min((x - i.left for x, i in zip(xs, graph.items)), default=0.0)
        xs = [round(x - left, 1) for x in xs]
        ports = _ports(graph, arcs, xs)
        bands = _bands(graph, xs, below)
        rank = {v: bands[i] for i, layer in enumerate(graph.layers) for v in layer}
        self.at = {p: (xs[i], rank[i][0]) for p, i in self.index.items()}
        self.width = max((x + i.right for x, i in zip(xs, graph.items)), default=0.0)
        self.height = bands[-1][1] if bands else 0.0
        for k, key in enumerate(self.arcs):
            self.routes[key] = _route(graph, arcs[k], graph.chains[k], xs, rank, ports[k])


def _bands(graph: Layered, xs: Sequence[float], below: float) -> list[tuple[float, float]]:
    """Top and bottom of each layer; the gap below one grows with the widest swing over it."""
    swing = [0.0] * len(graph.layers)
    rank = {v: i for i, layer in enumerate(graph.layers) for v in layer}
    for s in graph.segments:
        i = rank[s.upper]
        swing[i] = max(swing[i], abs(xs[s.upper] + s.out - xs[s.lower] - s.into))
    bands, y = [], 0.0
    for layer, reach in zip(graph.layers, swing):
        bottom = y + max(graph.items[v].height for v in layer)
        bands.append((y, bottom))
        y = bottom + below + min(60.0, round(reach / 9))
    return bands


def _ports(graph: Layered, arcs: Sequence[Arc], xs: Sequence[float]) -> list[float]:
    """Where each arc meets its head, right of the axis: as straight below where it comes from as the others let it."""
    found = [arc.into or 0.0 for arc in arcs]
    loose: dict[int, list[int]] = {}
    for k, arc in enumerate(arcs):
        if arc.into is None:
            loose.setdefault(arc.head, []).append(k)
    for head, ks in loose.items():
        wishes = [_before(arcs[k], graph.chains[k], xs) - xs[head] for k in ks]
        reach = min(graph.items[head].left, graph.items[head].right) - _PORT
        for k, place in zip(ks, _entries(wishes, reach)):
            found[k] = place
    return found


def _before(arc: Arc, chain: Sequence[int], xs: Sequence[float]) -> float:
    """Where an arc comes from, above its head."""
    return xs[chain[-2]] + (arc.out if len(chain) == 2 else 0.0)


def _entries(wishes: Sequence[float], reach: float) -> list[float]:
    """Places in [-reach, reach] near the wishes and in their order; one alone that cannot be straight takes the middle."""
    if len(wishes) == 1:
        return [wishes[0] if abs(wishes[0]) < reach else 0.0]
    gap = min(_PORT, 2 * reach / (len(wishes) - 1))
    ranked = sorted(range(len(wishes)), key=lambda k: (wishes[k], k))
    free = _rising([wishes[k] - gap * i for i, k in enumerate(ranked)])
    top = reach - gap * (len(wishes) - 1)
    places = [0.0] * len(wishes)
    for i, (k, x) in enumerate(zip(ranked, free)):
        places[k] = min(max(x, -reach), top) + gap * i
    return places


def _rising(values: Iterable[float]) -> list[float]:
    """The nearest sequence, in least squares, that never falls: pooled means of adjacent violators."""
    pools: list[tuple[float, int]] = []
    for value in values:
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return [mean for mean, n in pools for _ in range(n)]


def _route(
    graph: Layered,
    arc: Arc,
    chain: Sequence[int],
    xs: Sequence[float],
    rank: Mapping[int, tuple[float, float]],
    into: float,
) -> list[Point]:
    """From the foot of the tail to the top of the head."""
    tail, head = chain[0], chain[-1]
    top, bottom = rank[tail]
    points = [(xs[tail] + arc.out, top + graph.items[tail].height), (xs[tail] + arc.out, bottom)]
    for bend in chain[1:-1]:
        points += [(xs[bend], y) for y in rank[bend]]
    points.append((xs[head] + into, rank[head][0]))
    return [p for i, p in enumerate(points) if i == 0 or p != points[i - 1]]


class _Inside:
    """A group: its nodes, and the places where values enter at the top of its frame and leave at the bottom."""

    def __init__(
        self, nodes: Sequence[str], edges: Sequence[Edge], items: Mapping[str, Item], outs: Mapping[Value, float]
    ):
        ids = set(nodes)
        entering = dict.fromkeys(("in", e.value) for e in edges if e.source not in ids)
        leaving = dict.fromkeys(("out", e.value) for e in edges if e.target not in ids)
        parts: list[object] = [*entering, *nodes, *leaving]
        point = Item(0.0, 0.0, 0.0)
        ends = set(range(len(entering))), set(range(len(parts) - len(leaving), len(parts)))
        self.sheet = _Sheet(parts, {p: items.get(p, point) if isinstance(p, str) else point for p in parts}, ends)
        for e in edges:
            tail = e.source if e.source in ids else ("in", e.value)
            head = e.target if e.target in ids else ("out", e.value)
            self.sheet.connect(tail, head, e.value, outs[e.value] if e.source in ids else 0.0)
        self.sheet.place(_INSIDE)
        self.top = 0.0 if entering else _FRAME
        self.axis = self.sheet.at[next(iter(leaving or entering), parts[0])][0] + _FRAME
        width, height = self.sheet.width + 2 * _FRAME, self.sheet.height + self.top + (0.0 if leaving else _FRAME)
        self.item = Item(self.axis, width - self.axis, height)
        self.ports: dict[object, float] = {p: self.sheet.at[p][0] + _FRAME - self.axis for p in (*entering, *leaving)}


class _Arrangement:
    """The two levels of a graph, and what they give together."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.boxes = {n.id: box_of(n) for n in graph.nodes}
        self.part = {n.id: n.group or n.id for n in graph.nodes}
        self.outs = _outs(graph.edges, self.boxes)
        items = {n: _item(b) for n, b in self.boxes.items()}
        self.inner = self._insides(items)
        parts = dict.fromkeys(self.part.values())
        self.outer = _Sheet(list(parts), {p: self.inner[p].item if p in self.inner else items[p] for p in parts})
        for e in graph.edges:
            if self.part[e.source] != self.part[e.target]:
                self._connect(e)
        self.outer.place(_BELOW)

    def _insides(self, items: Mapping[str, Item]) -> dict[str, _Inside]:
        nodes: dict[str, list[str]] = {g.id: [] for g in self.graph.groups}
        edges: dict[str, list[Edge]] = {g.id: [] for g in self.graph.groups}
        for n in self.graph.nodes:
            if n.group is not None:
                nodes[n.group].append(n.id)
        for e in self.graph.edges:
            for group in {self.part[e.source], self.part[e.target]} & set(edges):
                edges[group].append(e)
        return {g: _Inside(nodes[g], edges[g], items, self.outs) for g in nodes}

    def _connect(self, e: Edge) -> None:
        tail, head = self.part[e.source], self.part[e.target]
        out = self.inner[tail].ports["out", e.value] if tail in self.inner else self.outs[e.value]
        into = self.inner[head].ports["in", e.value] if head in self.inner else None
        self.outer.connect(tail, head, e.value, out, into)

    def layout(self) -> Layout:
        found = Layout(self.outer.width, self.outer.height, self.boxes)
        for part, (axis, y) in self.outer.at.items():
            if isinstance(part, str) and part in self.inner:
                item = self.inner[part].item
                found.frames[part] = Rect(_r(axis - item.left), _r(y), _r(item.left + item.right), _r(item.height))
        for n in self.graph.nodes:
            (x, y), box = self._axis(n), self.boxes[n.id]
            found.nodes[n.id] = Rect(_r(x - box.width / 2), _r(y), box.width, box.height)
        found.paths = [(e, self._path(e)) for e in self.graph.edges]
        return found

    def _axis(self, n: Node) -> Point:
        if n.group is None:
            return self.outer.at[n.id]
        return self._moved(n.group, [self.inner[n.group].sheet.at[n.id]])[0]

    def _moved(self, group: str, points: Sequence[Point]) -> list[Point]:
        """Points of a group's inside in the whole picture."""
        (axis, y), inside = self.outer.at[group], self.inner[group]
        return [(px + axis - inside.axis + _FRAME, py + y + inside.top) for px, py in points]

    def _path(self, e: Edge) -> list[Point]:
        tail, head, points = self.part[e.source], self.part[e.target], []
        if tail in self.inner:
            end = e.target if tail == head else ("out", e.value)
            points += self._moved(tail, self.inner[tail].sheet.routes[e.value, end])
        if tail != head:
            points += self.outer.routes[e.value, head]
            if head in self.inner:
                points += self._moved(head, self.inner[head].sheet.routes[e.value, e.target])
        rounded = [(_r(x), _r(y)) for x, y in points]
        return [p for i, p in enumerate(rounded) if i == 0 or p != rounded[i - 1]]


def _r(x: float) -> float:
    return round(x, 1)


def _outs(edges: Sequence[Edge], boxes: Mapping[str, Box]) -> dict[Value, float]:
    """Where each value leaves its box, right of the middle: one result in the middle, several spread."""
    last: dict[str, int] = {}
    for e in edges:
        last[e.source] = max(last.get(e.source, 0), e.result)
    return {
        e.value: boxes[e.source].width * ((e.result + 1) / (last[e.source] + 2) - 0.5) if last[e.source] else 0.0
        for e in edges
    }
