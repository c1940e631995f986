"""The critical path of a trace: the chain of instructions, through queues, tokens, dispatch and DMA, that sets its length.

Walked back from the instruction that ends last; each step goes to what the start waited for, so the cycles of the
steps add up to those of the run.
"""

from bisect import bisect_left
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnnc.backends.npu.isa import LD, QUEUES, ST, Engine
from dnnc.backends.npu.trace import KINDS, STALLS, Trace

_DISPATCH, _TOKEN, _BANDWIDTH = (STALLS.index(why) for why in ("dispatch", "token", "bandwidth"))
_TRANSFERS = (KINDS.index(LD.name), KINDS.index(ST.name))


@dataclass(frozen=True)
class Step:
    """Cycles [begin, end) that an instruction takes of the path: by its work, or by `dispatch` before it could start."""

    row: int
    part: str
    begin: int
    end: int


def critical_path(trace: Trace) -> list[Step]:
    """Its steps from the first cycle to the last."""
    trace.require_whole()
    return list(_Walk(trace).steps())[::-1]


def within(whole: Trace, part: Trace) -> list[Step]:
    """The steps of the critical path that the instructions of a slice take."""
    kept = np.isin(whole["place"], part["place"])
    return [step for step in critical_path(whole) if kept[step.row]]


def by_level(trace: Trace, path: list[Step], level: str = "layer") -> list[dict[str, Any]]:
    """Cycles of the path at a level of `levels.LEVELS`, or by instruction, and by what takes them: an engine, or dispatch.

    Tiles and instructions come with the most cycles first.
    """
    labels, of_row = trace.grouped("tile" if level == "instruction" else level)
    if level == "instruction":
        of_row, each = np.arange(len(trace)), of_row
        labels = [labels[each[i]] | row for i, row in enumerate(_instructions(trace))]
    parts = [e.name.lower() for e in Engine] + ["dispatch"]
    cycles = np.zeros((len(labels), len(parts)), np.int64)
    for step in path:
        cycles[of_row[step.row], parts.index(step.part)] += step.end - step.begin
    total = max(1, trace.cycles)
    rows = zip(labels, cycles.sum(1).tolist(), cycles.tolist())
    found = [{**label, "cycles": n, "share": n / total, **dict(zip(parts, each))} for label, n, each in rows if n]
    return sorted(found, key=lambda r: -r["cycles"]) if level in ("tile", "instruction") else found


def _instructions(trace: Trace) -> Iterator[dict[str, Any]]:
    for index, kind in zip(trace["index"].tolist(), trace["kind"].tolist()):
        yield {"index": index, "kind": KINDS[kind]}


class _Walk:
    """A trace in the order of its stream, with the instructions at both ends of every token."""

    def __init__(self, trace: Trace) -> None:
        self.order = np.argsort(trace["place"], kind="stable")
        column = {name: trace[name][self.order].tolist() for name in ("start", "end", "engine", "stall", "kind")}
        self.start, self.end, self.engine = column["start"], column["end"], column["engine"]
        self.stall, self.transfer = column["stall"], [k in _TRANSFERS for k in column["kind"]]
        self.wait, self.signal = (trace[n][self.order].astype(int).tolist() for n in ("wait", "signal"))
        self.bounds = trace.limits
        self._index()
        self._dispatch()

    def _index(self) -> None:
        n = len(Engine)
        self.queue: list[list[int]] = [[] for _ in range(n)]
        self.givers: list[list[list[int]]] = [[[] for _ in QUEUES] for _ in QUEUES]
        self.takers: list[list[list[int]]] = [[[] for _ in QUEUES] for _ in QUEUES]
        for i, q in enumerate(self.engine):
            self.queue[q].append(i)
            for other in QUEUES if q != Engine.CTRL else ():
                if self.signal[i] >> other & 1:
                    self.givers[q][other].append(i)
                if self.wait[i] >> other & 1:
                    self.takers[other][q].append(i)
        self.done = sorted((self.end[i], i) for i, moves in enumerate(self.transfer) if moves)

    def _dispatch(self) -> None:
        """When each instruction is dispatched, and the instruction whose start made room for it, if it waited."""
        self.dispatched, self.room = [0] * len(self.engine), [-1] * len(self.engine)
        clock, seen = 0, [0] * len(Engine)
        for i, q in enumerate(self.engine):
            if q == Engine.CTRL:
                self.dispatched[i], clock = self.start[i], self.end[i]
                continue
            before = seen[q] - self.bounds.entries
            if before >= 0 and self.start[self.queue[q][before]] > clock:
                self.room[i] = self.queue[q][before]
                clock = self.start[self.room[i]]
            self.dispatched[i], clock = clock, clock + self.bounds.dispatch_cycles
            seen[q] += 1

    def steps(self) -> Iterator[Step]:
        """The path, last step first."""
        i, until = max(range(len(self.end)), key=self.end.__getitem__), max(self.end)
        while True:
            if until > self.start[i]:
                yield Step(int(self.order[i]), Engine(self.engine[i]).name.lower(), self.start[i], until)
            if self.start[i] == 0:
                return
            cause, until = self._cause(i), self.start[i]
            if cause is None:
                i, until = yield from self._fetch(i)
            else:
                i = cause

    def _fetch(self, i: int) -> Generator[Step, None, tuple[int, int]]:
        """Back through the dispatch of the instructions before, to one that held it up: (it, when it let go)."""
        last, end = i, self.dispatched[i]
        while self.room[i] < 0 and i > 0 and self.engine[i - 1] != Engine.CTRL:
            i -= 1
        begin = self.dispatched[i]
        if end > begin:
            yield Step(int(self.order[last]), "dispatch", begin, end)
        return (self.room[i] if self.room[i] >= 0 else max(i - 1, 0)), begin

    def _cause(self, i: int) -> int | None:
        """The instruction whose end, or whose taking of a token, is the moment this one starts; None for dispatch."""
        q, at = self.engine[i], self.start[i]
        if q == Engine.CTRL:
            return self._before_control(i)
        if self.stall[i] == _DISPATCH:
            return None
        if self.stall[i] == _TOKEN:
            return next(j for j, time in self._tokens(i) if time == at)
        if self.stall[i] == _BANDWIDTH:
            return self.done[bisect_left(self.done, (at, -1))][1]
        return self.queue[q][bisect_left(self.queue[q], i) - 1]

    def _before_control(self, i: int) -> int | None:
        waits = [self.queue[p] for p in QUEUES if self.wait[i] >> p & 1]
        ends = [queue[at - 1] for queue in waits if (at := bisect_left(queue, i))]
        return next((j for j in ends if self.end[j] == self.start[i]), None)

    def _tokens(self, i: int) -> Iterator[tuple[int, int]]:
        q = self.engine[i]
        for p in QUEUES:
            if self.wait[i] >> p & 1:
                giver = self.givers[p][q][bisect_left(self.takers[p][q], i)]
                yield giver, self.end[giver]
            if self.signal[i] >> p & 1 and (k := bisect_left(self.givers[q][p], i) - self.bounds.token_depth) >= 0:
                taker = self.takers[q][p][k]
                yield taker, self.start[taker]
