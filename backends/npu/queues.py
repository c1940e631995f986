"""Four in-order queues with counting tokens: which instruction starts when, event by event and deterministic.

An instruction starts when it is dispatched, its queue is free, one token from each queue it waits for is there, there
is room for the tokens it will give, and, for a transfer, the DMA engine is free. The earliest start goes first; ties go
to the lower queue number. A seed picks among all that could start instead: any order the ISA leaves open.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import numpy as np

from dnnc.backends.npu.encoding import Column, Decoded, Words, header
from dnnc.backends.npu.isa import FENCE, HALT, IRQ, LD, QUEUES, ST, Engine
from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import DnncError, Finding

ALL = (1 << len(QUEUES)) - 1
NONE, DISPATCH, TOKEN, BANDWIDTH = range(4)
_BITS = tuple(tuple(q for q in range(len(QUEUES)) if mask >> q & 1) for mask in range(1 << len(QUEUES)))


class DeadlockError(DnncError):
    """No queue can move; the findings say who waits for whom."""


@dataclass(frozen=True)
class Event:
    """One executed instruction: index in the stream, queue, start, end, and why and how long its queue stood idle."""

    index: int
    engine: int
    start: int
    end: int
    stall: int
    stall_cycles: int


@dataclass(frozen=True)
class Limits:
    """What bounds the queues of a machine: entries of each, tokens a pair holds, cycles of a dispatch, one DMA or two."""

    entries: int
    token_depth: int
    dispatch_cycles: int
    shared_dma: bool


def limits(arch: Accelerator) -> Limits:
    """Those of an accelerator."""
    q = arch.queues
    return Limits(q.entries, q.token_depth, q.dispatch_cycles, arch.dma.channels == 1)


@dataclass(frozen=True)
class Load:
    """What the queues need to know of a stream: per instruction its engine, tokens, cycles, and what it blocks on."""

    engine: list[int]
    wait: list[int]
    signal: list[int]
    cycles: list[int]
    transfer: list[bool]
    barrier: dict[int, int]
    halts: frozenset[int]


def load(words: Words, decoded: Mapping[str, Decoded], cycles: Column) -> Load:
    """The queue-level view of a stream; a fence is a barrier on its mask, irq and halt on all queues."""
    transfer = np.isin(header(words, "op"), (LD.op, ST.op))
    barrier: dict[int, int] = {}
    if FENCE.name in decoded:
        barrier |= zip(decoded[FENCE.name].index.tolist(), decoded[FENCE.name]["mask"].tolist())
    halts = decoded[HALT.name].index.tolist() if HALT.name in decoded else []
    irqs = decoded[IRQ.name].index.tolist() if IRQ.name in decoded else []
    barrier |= dict.fromkeys([*halts, *irqs], ALL)
    engine = np.minimum(header(words, "engine"), Engine.CTRL)
    wait, signal = header(words, "wait").tolist(), header(words, "signal").tolist()
    return Load(engine.tolist(), wait, signal, cycles.tolist(), transfer.tolist(), barrier, frozenset(halts))


class Queues:
    """The running state; `step` executes one instruction."""

    def __init__(
        self, work: Load, bounds: Limits, describe: Callable[[int], str] = str, seed: int | None = None
    ) -> None:
        self.work, self.describe = work, describe
        self.entries, self.depth = bounds.entries, bounds.token_depth
        self.dispatch_cycles, self.shared_dma = bounds.dispatch_cycles, bounds.shared_dma
        self.random = None if seed is None else Random(seed)
        n = len(QUEUES)
        self.waiting: list[deque[int]] = [deque() for _ in range(n)]
        self.starts: list[list[int]] = [[] for _ in range(n)]
        self.free = [0] * n
        self.dma_free = [0] * n
        # given[p][q][k]: when the k-th token from p to q came; taken: when it was used
        self.given: list[list[list[int]]] = [[[] for _ in range(n)] for _ in range(n)]
        self.taken: list[list[list[int]]] = [[[] for _ in range(n)] for _ in range(n)]
        self.dispatched_at = [0] * len(work.engine)
        self.next, self.clock, self.halted = 0, 0, False
        self.control: deque[Event] = deque()

    def step(self) -> Event | None:
        """Execute the next instruction; None when the program is over, DeadlockError when nothing can move."""
        self._dispatch()
        if self.control:
            return self.control.popleft()
        ready = [(start, q, why) for q in range(len(QUEUES)) if self.waiting[q] for start, why in self._start(q)]
        if not ready:
            if any(self.waiting) or (self.next < len(self.work.engine) and not self.halted):
                raise self._deadlock()
            return None
        return self._issue(*(min(ready) if self.random is None else self.random.choice(ready)))

    def _dispatch(self) -> None:
        """Move instructions from the program into queues with room; the sequencer's own execute here."""
        work = self.work
        while self.next < len(work.engine) and not self.halted:
            i, q = self.next, work.engine[self.next]
            earliest = self.clock
            if q == Engine.CTRL:
                mask = work.barrier.get(i, 0)
                if any(self.waiting[b] for b in _BITS[mask]):
                    return
                start = max([earliest, *(self.free[b] for b in _BITS[mask])])
                self.halted = i in work.halts
                self.control.append(Event(i, q, start, start + work.cycles[i], NONE, 0))
                self.clock = start + work.cycles[i]
            else:
                if len(self.waiting[q]) >= self.entries:
                    return
                full_until = len(self.starts[q]) + len(self.waiting[q]) - self.entries
                start = max(earliest, self.starts[q][full_until]) if full_until >= 0 else earliest
                self.waiting[q].append(i)
                self.dispatched_at[i] = start
                self.clock = start + self.dispatch_cycles
            self.next += 1

    def _start(self, q: int) -> list[tuple[int, int]]:
        """[(earliest start, what decided it)] of the head of a queue; empty when a token or room for one is missing."""
        i, work = self.waiting[q][0], self.work
        token = 0
        for p in _BITS[work.wait[i]]:
            k = len(self.taken[p][q])
            if k >= len(self.given[p][q]):
                return []
            token = max(token, self.given[p][q][k])
        for r in _BITS[work.signal[i]]:
            k = len(self.given[q][r]) - self.depth
            if k >= len(self.taken[q][r]):
                return []
            if k >= 0:
                token = max(token, self.taken[q][r][k])
        causes = ((self.free[q], NONE), (self.dispatched_at[i], DISPATCH), (token, TOKEN), (self._dma(q, i), BANDWIDTH))
        start = max(time for time, _ in causes)
        return [(start, next(why for time, why in causes if time == start))]

    def _dma(self, q: int, i: int) -> int:
        return self.dma_free[0 if self.shared_dma else q] if self.work.transfer[i] else 0

    def _issue(self, start: int, q: int, why: int) -> Event:
        work, i = self.work, self.waiting[q].popleft()
        end = start + work.cycles[i]
        for p in _BITS[work.wait[i]]:
            self.taken[p][q].append(start)
        for r in _BITS[work.signal[i]]:
            self.given[q][r].append(end)
        if work.transfer[i]:
            self.dma_free[0 if self.shared_dma else q] = end
        self.starts[q].append(start)
        event = Event(i, q, start, end, why, start - self.free[q])
        self.free[q] = end
        return event

    def _deadlock(self) -> DeadlockError:
        lines = [line for q in QUEUES if self.waiting[q] for line in self._stuck(q)]
        if self.next < len(self.work.engine) and not self.halted:
            i = self.next
            name = Engine(self.work.engine[i]).name
            what = "empty queues" if name == "CTRL" else f"room in the {name} queue"
            lines.append(f"dispatch at {self.describe(i)} waits for {what}")
        return DeadlockError([Finding(f"deadlock at cycle {max(self.free)}", line, "E0824") for line in lines])

    def _stuck(self, q: Engine) -> list[str]:
        """Who the head of a queue waits for, and which instruction would help."""
        i = self.waiting[q][0]
        out = []
        for p in _BITS[self.work.wait[i]]:
            if len(self.taken[p][q]) >= len(self.given[p][q]):
                out.append(f"{q.name} at {self.describe(i)} waits for a token from {self._next(p, q, 'signal')}")
        for r in _BITS[self.work.signal[i]]:
            if len(self.given[q][r]) - self.depth >= len(self.taken[q][r]):
                taker = self._next(r, q, "wait")
                out.append(f"{q.name} at {self.describe(i)} waits for room for a token, next taken by {taker}")
        return out

    def _next(self, p: int, q: Engine, way: str) -> str:
        """The next instruction of queue p that signals to, or waits for, q."""
        masks = self.work.signal if way == "signal" else self.work.wait
        verb = ", next signalled by " if way == "signal" else " "
        later = [*self.waiting[p], *(i for i in range(self.next, len(masks)) if self.work.engine[i] == p)]
        for i in later:
            if masks[i] >> q & 1:
                return f"{QUEUES[p].name}{verb}{self.describe(i)}"
        return f"{QUEUES[p].name}, which no instruction {'gives' if way == 'signal' else 'takes'}"
