"""Layers of a directed graph: every arc points down, and one that spans several layers passes a bend in each between."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Item:
    """Something to place: how far it reaches left and right of its axis, and its height."""

    left: float
    right: float
    height: float


class Arc(NamedTuple):
    """An arc from the port `port` of `tail`, `out` right of its axis, to `head`, `into` right of its axis (None: anywhere).

    Arcs from the same port are the same value and share one trunk.
    """

    tail: int
    head: int
    port: int = 0
    out: float = 0.0
    into: float | None = None


class Segment(NamedTuple):
    """Part of an arc between two vertices of adjacent layers, with the places of its ends relative to their axes."""

    upper: int
    lower: int
    out: float
    into: float


@dataclass(frozen=True)
class Layered:
    """Vertices by layer from the top: items first, then bends; `chains` are the vertices of each arc."""

    items: list[Item]
    real: int
    layers: list[list[int]]
    segments: list[Segment]
    chains: list[list[int]]

    def bend(self, vertex: int) -> bool:
        """Whether a vertex only lets an arc pass."""
        return vertex >= self.real


def layered(
    items: Sequence[Item], arcs: Sequence[Arc], top: Collection[int] = (), bottom: Collection[int] = ()
) -> Layered:
    """Put items on layers by longest path from the top; those of `top` and `bottom` alone on the first and last.

    The tail of every arc comes before its head in the order of items.
    """
    ranks = _ranks(len(items), arcs, top, bottom)
    graph = Layered(list(items), len(items), [[] for _ in range(max(ranks, default=-1) + 1)], [], [])
    for vertex, rank in enumerate(ranks):
        graph.layers[rank].append(vertex)
    trunks: dict[tuple[int, int], list[int]] = {}
    for arc in arcs:
        trunk = trunks.setdefault((arc.tail, arc.port), [])
        graph.chains.append(_chain(graph, arc, ranks, trunk))
    return graph


def _ranks(count: int, arcs: Sequence[Arc], top: Collection[int], bottom: Collection[int]) -> list[int]:
    ranks = [1 if top and v not in top else 0 for v in range(count)]
    for arc in sorted(arcs, key=lambda a: a.tail):
        ranks[arc.head] = max(ranks[arc.head], ranks[arc.tail] + 1)
    last = max((r for v, r in enumerate(ranks) if v not in bottom), default=0) + 1
    ranks = [last if v in bottom else r for v, r in enumerate(ranks)]
    return _lowered(ranks, arcs, top)


def _lowered(ranks: list[int], arcs: Sequence[Arc], top: Collection[int]) -> list[int]:
    """Ranks with what nothing feeds moved down to just above its first user."""
    fed = {a.head for a in arcs}
    users: dict[int, list[int]] = {}
    for a in arcs:
        users.setdefault(a.tail, []).append(ranks[a.head])
    return [min(users[v]) - 1 if v in users and v not in fed and v not in top else r for v, r in enumerate(ranks)]


def _chain(graph: Layered, arc: Arc, ranks: list[int], trunk: list[int]) -> list[int]:
    """The vertices of an arc; the trunk of its port grows by the bends it still lacks."""
    between = ranks[arc.head] - ranks[arc.tail] - 1
    while len(trunk) < between:
        bend = len(graph.items)
        above = trunk[-1] if trunk else arc.tail
        graph.items.append(Item(0.0, 0.0, 0.0))
        graph.layers[ranks[arc.tail] + len(trunk) + 1].append(bend)
        graph.segments.append(Segment(above, bend, 0.0 if trunk else arc.out, 0.0))
        trunk.append(bend)
    chain = [arc.tail, *trunk[:between], arc.head]
    graph.segments.append(Segment(chain[-2], arc.head, 0.0 if between else arc.out, arc.into or 0.0))
    return chain
