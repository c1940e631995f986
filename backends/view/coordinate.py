"""Places across the layers, after Brandes and Koepf (2001): four alignments, each pushed to one side, and their middle.

Two vertices are aligned when each is a median neighbour of the other, so long arcs and chains run straight, and branches
spread evenly from a straight trunk. Bends of a shortcut do not count where one item leads on.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from dnnc.backends.view.layering import Item, Layered

Gap = Callable[[int, int], float]


def places(graph: Layered, gap: Gap) -> list[float]:
    """The axis of every vertex, so that neighbours in a layer are at least `gap(left, right)` apart."""
    found = []
    for downwards in (True, False):
        for leftwards in (True, False):
            run = _Run(graph, gap, downwards, leftwards)
            xs = run.compacted(run.roots())
            found.append((xs if leftwards else [-x for x in xs], leftwards))
    return _balanced(graph, found)


def _balanced(graph: Layered, found: list[tuple[list[float], bool]]) -> list[float]:
    """Means of the middle two of the four, each moved to the borders of the narrowest."""
    spans = [_span(graph.items, xs) for xs, _ in found]
    low, high = min(spans, key=lambda s: s[1] - s[0])
    moved = [
        [x + (low - span[0] if leftwards else high - span[1]) for x in xs]
        for (xs, leftwards), span in zip(found, spans)
    ]
    return [sum(sorted(four)[1:3]) / 2 for four in zip(*moved)]


def _span(items: list[Item], xs: list[float]) -> tuple[float, float]:
    return min(x - i.left for x, i in zip(xs, items)), max(x + i.right for x, i in zip(xs, items))


class _Run:
    """One of the four alignments: layers and neighbours turned so that it always goes down and to the left."""

    def __init__(self, graph: Layered, gap: Gap, downwards: bool, leftwards: bool):
        self.graph, self.gap, self.leftwards = graph, gap, leftwards
        layers = graph.layers if downwards else graph.layers[::-1]
        self.layers = [layer if leftwards else layer[::-1] for layer in layers]
        self.place = {v: i for layer in self.layers for i, v in enumerate(layer)}
        before: list[list[int]] = [[] for _ in graph.items]
        after: list[list[int]] = [[] for _ in graph.items]
        for upper, lower in dict.fromkeys((s.upper, s.lower) for s in graph.segments):
            first, second = (upper, lower) if downwards else (lower, upper)
            after[first].append(second)
            before[second].append(first)
        self.before = [self._medians(v, near) for v, near in enumerate(before)]
        self.after = [self._medians(v, near) for v, near in enumerate(after)]
        self.inner = [[u for u in near if graph.bend(u)] if graph.bend(v) else [] for v, near in enumerate(before)]

    def _medians(self, v: int, near: list[int]) -> list[int]:
        """The one or two neighbours in the middle: of a bend's among bends; a single item comes before any bends."""
        bends = [u for u in near if self.graph.bend(u)]
        if self.graph.bend(v):
            near = bends or near
        elif len(near) == len(bends) + 1:
            near = [u for u in near if u not in bends]
        near = sorted(near, key=self.place.__getitem__)
        return near[(len(near) - 1) // 2 : len(near) // 2 + 1]

    def roots(self) -> list[int]:
        """For each vertex the first of the straight block it is in."""
        root = list(range(len(self.graph.items)))
        taken: set[int] = set()
        for layer in self.layers[1:]:
            barriers = self._barriers(layer)
            last = -1
            for v in layer:
                for u in self.before[v]:
                    at = self.place[u]
                    if (
                        root[v] == v
                        and v in self.after[u]
                        and u not in taken
                        and at > last
                        and self._free(barriers, u, v)
                    ):
                        root[v], last = root[u], at
                        taken.add(u)
        return root

    def _barriers(self, layer: list[int]) -> list[tuple[int, int]]:
        """Inner segments, from bend to bend, as places above and below: nothing may be aligned across one."""
        return [(self.place[u], self.place[v]) for v in layer for u in self.inner[v]]

    def _free(self, barriers: list[tuple[int, int]], u: int, v: int) -> bool:
        if self.graph.bend(u) and self.graph.bend(v):
            return True
        a, b = self.place[u], self.place[v]
        return not any((a - c) * (b - d) < 0 for c, d in barriers)

    def compacted(self, root: list[int]) -> list[float]:
        """Blocks pushed left as far as the gaps let them, then right as far as that costs no width."""
        after: dict[int, list[tuple[int, float]]] = {v: [] for v in root}
        feeding = dict.fromkeys(after, 0)
        for layer in self.layers:
            for v, w in pairwise(layer):
                after[root[v]].append((root[w], self._distance(v, w)))
                feeding[root[w]] += 1
        xs = dict.fromkeys(after, 0.0)
        sequence = [v for v in after if not feeding[v]]
        for v in sequence:
            for w, distance in after[v]:
                xs[w] = max(xs[w], xs[v] + distance)
                feeding[w] -= 1
                if not feeding[w]:
                    sequence.append(w)
        for v in reversed(sequence):
            xs[v] = min((xs[w] - distance for w, distance in after[v]), default=xs[v])
        return [xs[r] for r in root]

    def _distance(self, v: int, w: int) -> float:
        a, b = (v, w) if self.leftwards else (w, v)
        items = self.graph.items
        return items[a].right + self.gap(a, b) + items[b].left
