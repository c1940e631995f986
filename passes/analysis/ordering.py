"""Execution orders of least peak memory: minimax best-first search over sets of executed tasks.

While a task runs, what it reads and what it makes are alive together, unless it is told in which of its steps; a value that
several tasks make, part by part, is alive from the first of them on, and one written over a value that dies there takes no
bytes of its own. The program is
split where one value is alone alive; each part is searched on its own. A ready task that frees at least what it adds,
without a new peak, runs at once: run earlier it raises no later state, because its gain only grows as other readers of
its operands finish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from heapq import heappop, heappush
from operator import or_

Task = tuple[frozenset[int], tuple[int, ...]]
"""The values a task reads and those it makes."""

Span = tuple[int, int]
"""The first and the last step of a task that needs a value."""


@dataclass(frozen=True)
class Program:
    """Tasks in a valid order over values of `sizes` bytes; `given` live from the start, `kept` to the end.

    `waits` says for each task which others it needs; without it, all that make what it reads. `over` says over which
    values of the same size a task writes the first that it makes, if one of them dies there. `spans` says of a task which
    steps of it each value needs, first and last: one that dies there dies after the last, one made anew begins with the first.
    """

    tasks: Sequence[Task]
    sizes: Sequence[int]
    given: frozenset[int] = frozenset()
    kept: frozenset[int] = frozenset()
    waits: Sequence[frozenset[int]] | None = None
    over: Mapping[int, frozenset[int]] = field(default_factory=dict)
    spans: Mapping[int, Mapping[int, Span]] = field(default_factory=dict)

    @cached_property
    def makers(self) -> list[int]:
        """For each value the set of tasks that make it, as bits."""
        found = [0] * len(self.sizes)
        for number, (_, makes) in enumerate(self.tasks):
            for value in makes:
                found[value] |= 1 << number
        return found

    @cached_property
    def readers(self) -> list[int]:
        """For each value the set of tasks that read it, as bits."""
        found = [0] * len(self.sizes)
        for number, (reads, _) in enumerate(self.tasks):
            for value in reads:
                found[value] |= 1 << number
        return found

    @cached_property
    def needs(self) -> list[int]:
        """For each task the set of tasks it needs, as bits."""
        if self.waits is not None:
            return [sum(1 << n for n in numbers) for numbers in self.waits]
        return [reduce(or_, (self.makers[v] for v in reads), 0) for reads, _ in self.tasks]

    def dead(self, value: int, done: int) -> bool:
        """Whether nobody needs a value once the tasks of `done` have run."""
        return value not in self.kept and not (self.readers[value] | self.makers[value]) & ~done

    def run(self, number: int, done: int, live: int) -> tuple[int, int]:
        """(bytes alive while a task runs, after it) when `live` bytes are alive before it."""
        reads, makes = self.tasks[number]
        new = [v for v in makes if not self.makers[v] & done]
        after = done | 1 << number
        dying = [v for v in {*reads, *makes} if self.dead(v, after)]
        under = next((v for v in self.over.get(number, ()) if self.dead(v, after)), None)
        left = live + sum(self.sizes[v] for v in new)
        during = live + self._most(number, new, dying, under)
        return during, left - sum(self.sizes[v] for v in dying)

    def _most(self, number: int, new: Sequence[int], dying: Sequence[int], under: int | None) -> int:
        """Most bytes that a task adds to those alive before it, when `under` is written over."""
        sizes, spans = self.sizes, self.spans.get(number)
        if spans is None:
            return sum(sizes[v] for v in new) - (sizes[self.tasks[number][1][0]] if under is not None else 0)
        changes = [(spans[v][0], sizes[v]) for v in new] + [(spans[v][1] + 1, -sizes[v]) for v in dying]
        if under is not None:
            first = spans[self.tasks[number][1][0]][0]
            changes += [(first, -sizes[under]), (spans[under][1] + 1, sizes[under])]
        most = now = 0
        for _, change in sorted(changes):
            now += change
            most = max(most, now)
        return most


@dataclass(frozen=True)
class Ordering:
    """An order of the tasks, its peak in bytes, and the bytes no order can stay below."""

    order: tuple[int, ...]
    peak: int
    lower_bound: int

    @property
    def optimal(self) -> bool:
        """Whether the peak is proved least."""
        return self.peak == self.lower_bound


def peak(program: Program, order: Iterable[int]) -> int:
    """Most bytes alive at once in an order."""
    done, live = 0, sum(program.sizes[v] for v in program.given)
    most = live
    for number in order:
        during, live = program.run(number, done, live)
        done |= 1 << number
        most = max(most, during)
    return most


def least_peak(program: Program, states: int = 100_000) -> Ordering:
    """The order of least peak; after `states` states in one part the best order known, with the bound proved so far.

    An order no better than the given one is not taken.
    """
    late = _made_for_one(program)
    merged, numbers = _with_readers(program, late)
    found = _least_peak(merged, states)
    order = [n for i in found.order for n in (*late.get(numbers[i], ()), numbers[i])]
    given, best = peak(program, range(len(program.tasks))), peak(program, order)
    if given <= best:
        return Ordering(tuple(range(len(program.tasks))), given, min(found.lower_bound, given))
    return Ordering(tuple(order), best, min(found.lower_bound, best))


def _made_for_one(program: Program) -> dict[int, list[int]]:
    """By reader, the tasks that read nothing and make one value for it alone: no order is better than just before it."""
    found: dict[int, list[int]] = {}
    for number, (reads, makes) in enumerate(program.tasks):
        if not reads and len(makes) == 1 and makes[0] not in program.kept:
            readers = program.readers[makes[0]]
            if readers.bit_count() == 1 and program.makers[makes[0]].bit_count() == 1:
                found.setdefault(readers.bit_length() - 1, []).append(number)
    return found


def _with_readers(program: Program, late: dict[int, list[int]]) -> tuple[Program, list[int]]:
    """The program with such tasks as part of their readers, and the tasks' numbers in the program given."""
    gone = {n for numbers in late.values() for n in numbers}
    numbers = [n for n in range(len(program.tasks)) if n not in gone]
    tasks = []
    for n in numbers:
        reads, makes = program.tasks[n]
        made = tuple(v for m in late.get(n, ()) for v in program.tasks[m][1])
        tasks.append((reads - set(made), (*makes, *made)))
    place = {n: i for i, n in enumerate(numbers)}
    waits = [frozenset(place[m] for m in _bits(program.needs[n]) if m in place) for n in numbers]
    over = {place[n]: values for n, values in program.over.items() if n in place and n not in late}
    spans = {place[n]: program.spans[n] for n in place if n in program.spans}
    return Program(tasks, program.sizes, program.given, program.kept, waits, over, spans), numbers


def _bits(numbers: int) -> list[int]:
    found = []
    while numbers:
        low = numbers & -numbers
        found.append(low.bit_length() - 1)
        numbers ^= low
    return found


def _least_peak(program: Program, states: int) -> Ordering:
    order: list[int] = []
    bound = sum(program.sizes[v] for v in program.given)
    done, live = 0, bound
    for part in _parts(program):
        found = _Part(program, part, done, live).search(states)
        order += found.order
        bound = max(bound, found.lower_bound)
        for number in found.order:
            _, live = program.run(number, done, live)
            done |= 1 << number
    return Ordering(tuple(order), peak(program, order), bound)


def _parts(program: Program) -> list[list[int]]:
    """Runs of tasks between the points where at most one value is alive."""
    alive, done, parts = set(program.given), 0, list[list[int]]([[]])
    for number, (_, makes) in enumerate(program.tasks):
        parts[-1].append(number)
        done |= 1 << number
        alive = {v for v in alive.union(makes) if not program.dead(v, done)}
        if len(alive) <= 1:
            parts.append([])
    return [part for part in parts if part]


@dataclass(frozen=True)
class _Part:
    """The search over one part, entered with `done` executed and `live` bytes alive."""

    program: Program
    tasks: list[int]
    done: int
    live: int

    def search(self, states: int) -> Ordering:
        """Smallest peak first; the first complete state taken is optimal."""
        goal = self.done | sum(1 << n for n in self.tasks)
        floor = max(self._beside(n) for n in self.tasks)
        ready = sum(1 << n for n in self.tasks if not self.program.needs[n] & ~self.done)
        heap: list[tuple[int, int, int, int, int, object]] = []
        heappush(heap, (max(self.live, floor), 0, self.done, self.live, ready, None))
        best = {self.done: heap[0][0]}
        bound = heap[0][0]
        while heap and len(best) <= states:
            bound, left, done, live, ready, path = heappop(heap)
            if best[done] < bound:
                continue
            done, live, ready, path = self._free(done, live, ready, path, bound)
            if done == goal:
                return Ordering(_unwound(path), bound, bound)
            for number in _bits(ready):
                after = done | 1 << number
                during, rest = self.program.run(number, done, live)
                most = max(bound, during)
                if most < best.get(after, most + 1):
                    best[after] = most
                    heappush(heap, (most, left - 1, after, rest, self._then(ready, number, after), (number, path)))
        order = self._greedy()
        return Ordering(order, bound, bound)

    def _beside(self, number: int) -> int:
        """Bytes of what a task reads and makes, alive while it runs in every order."""
        reads, makes = self.program.tasks[number]
        under = next(iter(self.program.over.get(number, ())), None)
        before = [v for v in reads if v not in makes]
        least = self.program._most(number, makes, [*before, *makes], under)
        return sum(self.program.sizes[v] for v in before) + least

    @cached_property
    def _next(self) -> dict[int, list[tuple[int, int]]]:
        """For each task those of the part that need it, with all that they need."""
        found: dict[int, list[tuple[int, int]]] = {n: [] for n in self.tasks}
        for number in self.tasks:
            for before in _bits(self.program.needs[number] & ~self.done):
                found[before].append((1 << number, self.program.needs[number]))
        return found

    def _then(self, ready: int, number: int, after: int) -> int:
        """The tasks ready once one of those ready has run, as bits."""
        for bit, needs in self._next[number]:
            if not needs & ~after:
                ready |= bit
        return ready & ~(1 << number)

    def _free(self, done: int, live: int, ready: int, path: object, bound: int) -> tuple[int, int, int, object]:
        """Run what frees memory without a new peak until nothing does."""
        moved = True
        while moved:
            moved = False
            for number in _bits(ready):
                during, rest = self.program.run(number, done, live)
                if rest <= live and during <= bound:
                    done, live, path, moved = done | 1 << number, rest, (number, path), True
                    ready = self._then(ready, number, done)
        return done, live, ready, path

    def _greedy(self) -> tuple[int, ...]:
        """Always the ready task that leaves the fewest bytes alive, then the one with the smaller transient."""
        done, live, order = self.done, self.live, []
        ready = sum(1 << n for n in self.tasks if not self.program.needs[n] & ~done)
        while ready:
            outcomes = {n: self.program.run(n, done, live) for n in _bits(ready)}
            number = min(outcomes, key=lambda n: (outcomes[n][1], outcomes[n][0], n))
            done, live = done | 1 << number, outcomes[number][1]
            ready = self._then(ready, number, done)
            order.append(number)
        return tuple(order)


def _unwound(path: object) -> tuple[int, ...]:
    order: list[int] = []
    while isinstance(path, tuple):
        number, path = path
        order.append(number)
    return tuple(reversed(order))
