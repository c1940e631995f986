"""Races: two instructions of different queues touch the same bytes, one of them writes, and no token path orders them.

Each instruction gets a vector clock: how many instructions of every queue are certainly complete when it starts, by
queue order, by the tokens it takes and by fences. On chip intervals are bounding ones, so strided accesses may be
over-counted; in DRAM two transfers are compared byte by byte, since a tile may be stored amid what is loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.npu.footprint import Accesses
from dnnc.backends.npu.isa import QUEUES, Engine
from dnnc.backends.npu.queues import Event, Load

_N = len(QUEUES)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Clocks:
    """Per instruction of the stream: place in its queue, vector clock at its start, and rank of execution."""

    place: NDArray[np.int64]
    start: NDArray[np.int64]
    executed: NDArray[np.int64]


def clocks(events: Sequence[Event], work: Load) -> Clocks:
    """Vector clocks of an execution; `executed[i, q]` counts the instructions of queue q that ran before i."""
    n = len(work.engine)
    place, start, executed = np.full(n, -1, np.int64), np.zeros((n, _N), np.int64), np.zeros((n, _N), np.int64)
    fenced = _fenced(work)
    done = [0] * _N
    last: list[list[int]] = [[0] * _N for _ in QUEUES]
    tokens: list[list[list[list[int]]]] = [[[] for _ in QUEUES] for _ in QUEUES]
    taken = [[0] * _N for _ in QUEUES]
    for event in events:
        i, q = event.index, event.engine
        if q == Engine.CTRL:
            continue
        now = [max(a, b) for a, b in zip(last[q], fenced[i])]
        for p in range(_N):
            if work.wait[i] >> p & 1:
                now = [max(a, b) for a, b in zip(now, tokens[p][q][taken[p][q]])]
                taken[p][q] += 1
        place[i], start[i], executed[i] = done[q], now, done
        done[q] += 1
        end = [*now]
        end[q] = done[q]
        last[q] = end
        for r in range(_N):
            if work.signal[i] >> r & 1:
                tokens[q][r].append(end)
    return Clocks(place, start, executed)


def _fenced(work: Load) -> list[list[int]]:
    """Per instruction, how many of each queue the fences before it have drained."""
    seen, base, out = [0] * _N, [0] * _N, []
    for i, q in enumerate(work.engine):
        out.append(base)
        if q < _N:
            seen[q] += 1
        elif mask := work.barrier.get(i, 0):
            base = [seen[p] if mask >> p & 1 else base[p] for p in range(_N)]
    return out


def races(a: Accesses, c: Clocks, work: Load) -> list[tuple[int, int, int, int]]:
    """(earlier instruction, later instruction, rows of `a` for each) of every unordered conflict, first per pair."""
    engine = np.array(work.engine)[a.index]
    ran = (c.place[a.index] >= 0) & (engine < _N)
    found: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    for q in range(_N):
        rows = np.flatnonzero(ran & (engine == q))
        places = c.place[a.index[rows]]
        others = np.flatnonzero(ran & (engine != q))
        # accesses of queue q that ran before each other access but are not ordered before it
        first = np.searchsorted(places, c.start[a.index[others], q])
        count = np.maximum(np.searchsorted(places, c.executed[a.index[others], q]) - first, 0)
        for x, y in _pairs(rows, others, first, count):
            clash = (a.memory[x] == a.memory[y]) & (a.low[x] < a.high[y]) & (a.low[y] < a.high[x])
            clash &= (a.write[x] | a.write[y]) == 1
            for i, j in zip(x[clash].tolist(), y[clash].tolist()):
                pair = (int(a.index[i]), int(a.index[j]))
                if pair not in found and a.overlap(i, j):
                    found[pair] = (*pair, i, j)
    return [found[pair] for pair in sorted(found)]


def _pairs(rows: NDArray[np.int64], others: NDArray[np.int64], first: NDArray[np.int64], count: NDArray[np.int64]):
    """Chunks of (row of queue q, other row) for every candidate."""
    ends = np.cumsum(count)
    begin = 0
    while begin < len(others):
        base = ends[begin - 1] if begin else 0
        stop = max(begin + 1, int(np.searchsorted(ends, base + _CHUNK, "right")))
        n = count[begin:stop]
        inner = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        yield rows[np.repeat(first[begin:stop], n) + inner], np.repeat(others[begin:stop], n)
        begin = stop
