"""Tokens for a stream of instructions: every hazard between queues gets an order, with as few tokens as clocks allow.

Each instruction lists the intervals it reads and writes. A hazard (read after write, write after read, write after write)
between two queues needs the first to be complete before the second starts; it is skipped when queue order and the
tokens already there imply it. A token goes from the latest instruction needed to the one that needs it. Where a buffer is
written over another, behind the loads of that, a load names the buffer whose stores touch other bytes: these are no hazard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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


@dataclass
class _Record:
    """Who last touched an interval of a buffer, by queue: places in the queue, -1 for nobody."""

    low: int
    high: int
    buffer: int
    readers: list[int] = field(default_factory=lambda: [-1] * _N)
    writers: list[int] = field(default_factory=lambda: [-1] * _N)


class _Tracker:
    """The intervals in use, by memory."""

    def __init__(self) -> None:
        self.memories: dict[int, dict[Key, _Record]] = {}

    def access(self, interval: Interval, row: Row, place: int, write: bool) -> list[int]:
        """Note an access; the place in each queue that must be complete before it, -1 for none."""
        memory, low, high = interval
        records = self.memories.setdefault(memory, {})
        need = [-1] * _N
        gone = []
        for key, record in records.items():
            if record.low < high and low < record.high and (write or record.buffer != row.apart):
                need = list(map(max, need, record.writers))
                if write:
                    need = list(map(max, need, record.readers))
                    if low <= record.low and record.high <= high:
                        gone.append(key)
        # what a write replaces is ordered before it, and so before all that comes after
        for key in gone:
            del records[key]
        record = records.setdefault((low, high, row.buffer), _Record(low, high, row.buffer))
        (record.writers if write else record.readers)[row.engine] = place
        return need


def synchronise(rows: Sequence[Row]) -> None:
    """Set `wait` and `signal` of every row so that all hazards between queues are ordered."""
    tracker = _Tracker()
    queued: list[list[Row]] = [[] for _ in QUEUES]
    order: list[list[int]] = [[] for _ in QUEUES]
    ends: list[list[list[int]]] = [[] for _ in QUEUES]
    clock = [[-1] * _N for _ in QUEUES]
    for number, row in enumerate(rows):
        q = row.engine
        if q >= _N:
            continue
        place = len(queued[q])
        queued[q].append(row)
        order[q].append(number)
        need = [-1] * _N
        accesses = [(i, False) for i in row.reads] + [(i, True) for i in row.writes]
        for interval, write in accesses:
            need = list(map(max, need, tracker.access(interval, row, place, write)))
        # the latest first: what comes before it is often implied
        for p in sorted(range(_N), key=lambda p: -order[p][need[p]] if need[p] >= 0 else 1):
            if p != q and need[p] > clock[q][p]:
                queued[p][need[p]].signal |= 1 << q
                row.wait |= 1 << p
                clock[q] = list(map(max, clock[q], ends[p][need[p]]))
        clock[q][q] = place
        ends[q].append(list(clock[q]))
