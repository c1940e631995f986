"""Tokens for a stream of instructions: every hazard between queues gets an order, with as few tokens as clocks allow.

Each instruction lists the intervals it reads and writes. A hazard (read after write, write after read, write after write)
between two queues needs the first to be complete before the second starts; it is skipped when queue order and the
tokens already there imply it. A token goes from the latest instruction needed to the one that needs it. Where a buffer is
written over another, behind the loads of that, a load names the buffer whose stores touch other bytes: these are no hazard.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from dnnc.backends.npu.isa import QUEUES, Engine, Instruction

_N = len(QUEUES)

Interval = tuple[int, int, int]
"""(memory, first byte, end): memories are numbered by the caller."""

Key = tuple[int, int, int]
"""(first byte, end, buffer) of an interval that somebody touched."""


@dataclass(eq=False)
class Row:
    """One instruction to be encoded, with what it touches; tokens are filled in by `synchronise`.

    A transfer's `buffer` is the one off chip, by number; a load needs no order with stores to the buffer `apart`.
    """

    instruction: Instruction
    engine: Engine
    tag: int
    fields: dict[str, int]
    reads: tuple[Interval, ...] = ()
    writes: tuple[Interval, ...] = ()
    wait: int = 0
    signal: int = 0
    buffer: int = 0
    apart: int = -1


_Touched = dict[Key, list[int]]
"""Who last touched each interval of a buffer, by queue: places in the queue, -1 for nobody."""


class _Tracker:
    """The intervals in use, by memory: those read and those written."""

    def __init__(self) -> None:
        self.read: dict[int, _Touched] = defaultdict(dict)
        self.written: dict[int, _Touched] = defaultdict(dict)

    def access(self, interval: Interval, row: Row, place: int, write: bool) -> list[int]:
        """Note an access; the place in each queue that must be complete before it, -1 for none."""
        memory, low, high = interval
        need = [-1] * _N
        if write:
            for touched in (self.written[memory], self.read[memory]):
                over = [key for key in touched if key[0] < high and low < key[1]]
                need = list(map(max, zip(need, *(touched[key] for key in over))))
                # what a write replaces is ordered before it, and so before all that comes after
                for key in over:
                    if low <= key[0] and key[1] <= high:
                        del touched[key]
        else:
            for key, places in self.written[memory].items():
                if key[0] < high and low < key[1] and key[2] != row.apart:
                    need = list(map(max, need, places))
        places = (self.written if write else self.read)[memory].setdefault((low, high, row.buffer), [-1] * _N)
        places[row.engine] = place
        return need


class _Tokens:
    """The tokens of each ordered pair of queues: at no point of the program are more than `depth` of a pair on the way.

    The program in its own order is then a run of the machine, and no other one ends in a deadlock.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.queued: list[list[Row]] = [[] for _ in QUEUES]
        self.order: list[list[int]] = [[] for _ in QUEUES]
        self.signals: list[list[list[int]]] = [[[] for _ in QUEUES] for _ in QUEUES]
        self.waits: list[list[list[int]]] = [[[] for _ in QUEUES] for _ in QUEUES]

    def enter(self, row: Row, number: int) -> int:
        """Put the instruction of this number in the program into its queue; its place there."""
        self.queued[row.engine].append(row)
        self.order[row.engine].append(number)
        return len(self.queued[row.engine]) - 1

    def order_after(self, p: int, place: int, row: Row, number: int) -> int:
        """Let an instruction start after that of queue p at a place, or at a later one, which is returned.

        Where `depth` tokens are on the way, the next one leaves after the first of them is taken; where queue p has
        nothing after that, the last of them leaves later.
        """
        q, signals, waits = row.engine, self.signals[p][row.engine], self.waits[p][row.engine]
        if len(waits) >= self.depth:
            free = bisect_right(self.order[p], waits[-self.depth])
            if free == len(self.order[p]):
                self.queued[p][signals[-1]].signal &= ~(1 << q)
                self.queued[p][place].signal |= 1 << q
                signals[-1] = place
                return place
            place = max(place, free)
        self.queued[p][place].signal |= 1 << q
        row.wait |= 1 << p
        signals.append(place)
        waits.append(number)
        return place


def synchronise(rows: Sequence[Row], depth: int) -> None:
    """Set `wait` and `signal` of every row so that all hazards between queues are ordered, by pairs of queues that hold
    `depth` tokens.
    """
    tracker, tokens = _Tracker(), _Tokens(depth)
    ends: list[list[list[int]]] = [[] for _ in QUEUES]
    clock = [[-1] * _N for _ in QUEUES]
    for number, row in enumerate(rows):
        q = row.engine
        if q >= _N:
            continue
        place = tokens.enter(row, number)
        need = [-1] * _N
        accesses = [(i, False) for i in row.reads] + [(i, True) for i in row.writes]
        for interval, write in accesses:
            need = list(map(max, need, tracker.access(interval, row, place, write)))
        # the latest first: what comes before it is often implied
        for p in sorted(range(_N), key=lambda p: -tokens.order[p][need[p]] if need[p] >= 0 else 1):
            if p != q and need[p] > clock[q][p]:
                done = tokens.order_after(p, need[p], row, number)
                clock[q] = list(map(max, clock[q], ends[p][done]))
        clock[q][q] = place
        ends[q].append(list(clock[q]))
