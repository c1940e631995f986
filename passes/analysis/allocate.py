"""Allocation of buffers into a capacity, or into as little as can be found: heuristics first, then an exact search.

The search runs in several orders of the buffers in turn, each with a limit of nodes that doubles from round to round,
so that results repeat on every machine. A search that ends within its limit without a packing proves that none exists.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dnnc.passes.analysis.allocation import HEURISTICS, Buffer, MemPlan, Table, lower_bound, overlaps, peak, table
from dnnc.passes.analysis.canonical import Items, LimitReached, Search

Ints = NDArray[np.int64]
Status = Literal["optimal", "feasible", "infeasible-proved", "limit"]

ORDERS = ("TWA", "TAW", "WAT", "TCW", "TNA", "NCA", "LWA")
"""Orders tried in turn: letters of `canonical.KEYS`, the most important first."""
NODES = 1_000_000
"""Nodes all orders together may try when a capacity is asked for."""
EFFORT = 300
"""Nodes all orders together may try at each capacity when the least is looked for; at least two for each buffer."""
PROBES = 5
BISECTION = 4_000
"""Nodes all orders together may try at each capacity when a bisection goes on to the end."""


@dataclass(frozen=True)
class Packing:
    """What became of an allocation: `offsets` of every buffer unless it failed; `limit` proves nothing."""

    status: Status
    offsets: dict[Hashable, int] | None
    peak: int
    lower_bound: int
    nodes: int


def allocate(
    sizes: ArrayLike, starts: ArrayLike, ends: ArrayLike, capacity: int, align: ArrayLike = 1
) -> list[int] | None:
    """Offsets of buffers live on [start, end), each range of bytes within [0, capacity); None when none was found."""
    columns = np.broadcast_arrays(*(np.asarray(c, dtype=np.int64).reshape(-1) for c in (sizes, starts, ends, align)))
    buffers = [Buffer(i, *map(int, row)) for i, row in enumerate(zip(*columns))]
    found = pack(buffers, capacity).offsets
    return None if found is None else [found[i] for i in range(len(buffers))]


def pack(buffers: Sequence[Buffer], capacity: int, nodes: int = NODES) -> Packing:
    """Offsets within a capacity, a proof that there are none, or the limit of `nodes`."""
    t, bound = table(buffers), lower_bound(buffers)
    if bound > capacity:
        return Packing("infeasible-proved", None, 0, bound, 0)
    best = _heuristic(t)
    if peak(t, best) <= capacity:
        return packed_at(buffers, best, bound, 0)
    offsets, used = _search(t, capacity, nodes)
    if offsets is None:
        return Packing("limit" if used >= nodes else "infeasible-proved", None, 0, bound, used)
    return packed_at(buffers, offsets, bound, used)


def plan(buffers: Sequence[Buffer]) -> MemPlan:
    """The plan with the least peak found: the liveness bound, a proved minimum, or the best of the probes.

    A buffer with no bytes or no lifetime gets offset 0 and conflicts with nothing.
    """
    t, bound = table(buffers), lower_bound(buffers)
    offsets, least = _heuristic(t), bound
    most, effort = peak(t, offsets), max(EFFORT, 2 * len(buffers))
    for probe in range(PROBES):
        if most <= least:
            break
        capacity = least if probe == 0 else (least + most) // 2
        better, used = _search(t, capacity, effort)
        if better is not None:
            offsets, most = better, peak(t, better)
        elif used < effort:
            least = capacity + 1
        elif probe:
            break
    packing = packed_at(buffers, offsets, bound, 0)
    return MemPlan(packing.offsets or {}, most, bound, least)


def smallest(buffers: Sequence[Buffer], nodes: int = BISECTION) -> MemPlan:
    """The least capacity found by bisection between the liveness bound and what the heuristics need.

    A capacity at which the search met its limit counts as too small without being proved so.
    """
    t, proved = table(buffers), lower_bound(buffers)
    offsets, low = _heuristic(t), proved
    most = peak(t, offsets)
    while low < most:
        capacity = (low + most) // 2
        better, used = _search(t, capacity, nodes)
        if better is not None:
            offsets, most = better, peak(t, better)
            continue
        low = capacity + 1
        proved = low if used < nodes else proved
    packing = packed_at(buffers, offsets, lower_bound(buffers), 0)
    return MemPlan(packing.offsets or {}, most, packing.lower_bound, proved)


def _heuristic(t: Table) -> Ints:
    return min((heuristic(t) for heuristic in HEURISTICS), key=lambda o: peak(t, o))


def packed_at(buffers: Sequence[Buffer], offsets: Ints, bound: int, nodes: int) -> Packing:
    """A packing all pairs of which were compared."""
    found = MemPlan({b.id: int(o) for b, o in zip(buffers, offsets)}, peak(table(buffers), offsets), bound)
    if clash := overlaps(buffers, found):
        raise AssertionError(f"allocation bug: buffers {clash[0][0]!r} and {clash[0][1]!r} overlap")
    return Packing("optimal" if found.optimal else "feasible", found.offsets, found.peak, bound, nodes)


def _search(t: Table, capacity: int, nodes: int) -> tuple[Ints | None, int]:
    """(offsets or None, nodes tried) of the exact search; fewer nodes than given and no offsets are a proof."""
    live = np.flatnonzero((t.size > 0) & (t.start < t.end))
    items = Items.of(t.size[live], t.align[live], t.start[live], t.end[live])
    used = 0
    for order, limit in _rounds(len(live)):
        search = Search(items, order, capacity, min(limit, nodes - used))
        given = search.nodes
        try:
            found = search.run()
        except LimitReached:
            used += given
            if used >= nodes:
                return None, nodes
            continue
        offsets = np.zeros(len(t.size), dtype=np.int64)
        offsets[live] = search.offsets
        return (None if found is None else offsets), min(used + given - search.nodes, nodes - 1)
    raise AssertionError("rounds never end")


def _rounds(buffers: int) -> Iterator[tuple[str, int]]:
    """Every order with a limit of twice the buffers, then all again with twice the limit, without end."""
    limit = 2 * buffers
    while True:
        for order in ORDERS:
            yield order, limit
        limit *= 2
