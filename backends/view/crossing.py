"""The order within each layer: barycentres swept up and down, then neighbours exchanged while that saves crossings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.view.layering import Layered

_SWEEPS = 12
_EXCHANGES = 8

Ends = Sequence[tuple[int, float, float]]
"""The segments of a vertex on one side: the vertex at the other end, the place on it, the place on this one."""


def order(graph: Layered) -> None:
    """Reorder the layers of a graph in place so that few segments cross; the same graph gives the same order."""
    above, below = _sides(graph)
    best, fewest = [list(layer) for layer in graph.layers], crossings(graph)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        _sweep(graph.layers, (above, below)[sweep % 2], sweep % 2 == 1)
        _exchange(graph.layers, above, below)
        if (now := crossings(graph)) < fewest:
            best, fewest = [list(layer) for layer in graph.layers], now
    graph.layers[:] = best


def _sides(graph: Layered) -> tuple[list[Ends], list[Ends]]:
    above: list[list[tuple[int, float, float]]] = [[] for _ in graph.items]
    below: list[list[tuple[int, float, float]]] = [[] for _ in graph.items]
    for s in graph.segments:
        out, into = _share(graph, s.upper, s.out), _share(graph, s.lower, s.into)
        above[s.lower].append((s.upper, out, into))
        below[s.upper].append((s.lower, into, out))
    return above, below  # pyright: ignore[reportReturnType]


def _share(graph: Layered, vertex: int, offset: float) -> float:
    """A place on a vertex as part of its width, so that it stays between the neighbours' places in the order."""
    item = graph.items[vertex]
    width = item.left + item.right
    return 0.8 * offset / width if width else 0.0


def crossings(graph: Layered) -> int:
    """How many pairs of segments cross."""
    place = {v: float(i) for layer in graph.layers for i, v in enumerate(layer)}
    rank = {v: i for i, layer in enumerate(graph.layers) for v in layer}
    by_layer: dict[int, list[tuple[float, float]]] = {}
    for s in graph.segments:
        ends = place[s.upper] + _share(graph, s.upper, s.out), place[s.lower] + _share(graph, s.lower, s.into)
        by_layer.setdefault(rank[s.upper], []).append(ends)
    return sum(_inversions(np.array(ends)) for ends in by_layer.values())


def _inversions(ends: NDArray[np.float64]) -> int:
    upper, lower = ends[:, None] - ends[None], ends.shape[0]
    return int(((upper[..., 0] < 0) & (upper[..., 1] > 0)).sum()) if lower > 1 else 0


def _sweep(layers: list[list[int]], ends: list[Ends], upwards: bool) -> None:
    """Sort each layer by the mean place of its neighbours in the layer before; what has none keeps its place."""
    for i in range(len(layers) - 2, -1, -1) if upwards else range(1, len(layers)):
        fixed = layers[i + 1 if upwards else i - 1]
        place = {v: float(k) for k, v in enumerate(fixed)}
        wish = {
            v: sum(place[u] + there - here for u, there, here in ends[v]) / len(ends[v]) for v in layers[i] if ends[v]
        }
        moved = iter(sorted((v for v in layers[i] if v in wish), key=lambda v: wish[v]))
        layers[i] = [next(moved) if v in wish else v for v in layers[i]]


def _exchange(layers: list[list[int]], above: list[Ends], below: list[Ends]) -> None:
    """Exchange neighbours in each layer while that lowers the number of crossings."""
    place = {v: float(k) for layer in layers for k, v in enumerate(layer)}
    for layer in layers:
        for _ in range(_EXCHANGES):
            if not _exchanged(layer, place, above, below):
                break


def _exchanged(layer: list[int], place: dict[int, float], above: list[Ends], below: list[Ends]) -> bool:
    changed = False
    for i in range(len(layer) - 1):
        v, w = layer[i], layer[i + 1]
        if _gain(place, above[v], above[w]) + _gain(place, below[v], below[w]) > 0:
            layer[i], layer[i + 1] = w, v
            place[v], place[w] = place[w], place[v]
            changed = True
    return changed


def _gain(place: dict[int, float], left: Ends, right: Ends) -> int:
    """Crossings saved on one side when the left of two neighbours goes right."""
    a = [place[u] + share for u, share, _ in left]
    b = [place[u] + share for u, share, _ in right]
    return sum((x > y) - (x < y) for x in a for y in b)
