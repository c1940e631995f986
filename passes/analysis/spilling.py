"""Which values leave a memory that is too small for all of them, and when: the choice that moves the fewest bytes.

A value is touched in sections of a program, by those that write it first, each in some of its steps. Between two touches it
may stand in the memory or beyond it; a touch finds it in the memory, or moves its bytes beyond. A search by branch and bound
keeps, step by step, what is alive within the capacity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from heapq import heappop, heappush
from itertools import accumulate, count
from operator import or_

NODES = 4_000
"""Nodes the search may open; what it has found by then is feasible, and not proved least."""
ANY_WAY = 6
"""Values of at most so many touches may come and go at each; others return once, and with them nothing is proved."""

Span = tuple[int, int]
"""The first and the last of some steps."""

Cost = tuple[int, int]
"""Bytes moved beyond the memory, and bytes of copies."""


@dataclass(frozen=True)
class Touch:
    """The bytes of the bus a section takes for a value, whether it writes any; the steps in which it does, and all of them.

    Without these a section is one step.
    """

    section: int
    bytes: int
    writes: bool = False
    during: Span | None = None
    whole: Span | None = None

    @property
    def steps(self) -> Span:
        """The first and the last step that moves any of it."""
        return self.during or (self.section, self.section)

    @property
    def around(self) -> Span:
        """The first and the last step of the section."""
        return self.whole or (self.section, self.section)


@dataclass(frozen=True)
class Value:
    """`size` bytes in the memory, touched in rising sections; one that cannot be copied is in one place for good."""

    size: int
    touches: tuple[Touch, ...]
    copied: bool = True

    @cached_property
    def made(self) -> int:
        """The last touch that writes; from there on the value does not change."""
        return max((i for i, t in enumerate(self.touches) if t.writes), default=0)


@dataclass(frozen=True)
class Stay:
    """Where a value is: in the memory from touch to touch, by number and both included; at the others beyond it."""

    intervals: tuple[tuple[int, int], ...]

    def cost(self, value: Value) -> Cost:
        """Bytes beyond the memory: touches there, one copy out when something is read there later, a copy in for each return."""
        inside = {i for first, last in self.intervals for i in range(first, last + 1)}
        beyond = sum(t.bytes for i, t in enumerate(value.touches) if i not in inside)
        returns = sum(first > 0 for first, _ in self.intervals)
        copies = returns + self.leaves(value)
        return beyond + copies * value.size, 2 * copies * value.size

    def leaves(self, value: Value) -> bool:
        """Whether it is copied out: made in the memory, and needed again after its first stay."""
        return bool(self.intervals) and self.intervals[0] != (0, len(value.touches) - 1) and self.intervals[0][0] == 0

    def steps(self, value: Value) -> Iterator[Span]:
        """The steps in which it stands in the memory: back before a section begins, and out once one has ended."""
        for a, b in self.intervals:
            first, last = value.touches[a], value.touches[b]
            out = a == 0 and self.leaves(value)
            yield first.around[0] if a else first.steps[0], last.around[1] if out else last.steps[1]

    def taken(self, value: Value) -> int:
        """These steps as bits."""
        return reduce(or_, (((1 << last - first + 1) - 1) << first for first, last in self.steps(value)), 0)


@dataclass(frozen=True)
class Spills:
    """A stay for each value, the bytes they cost together, and whether none cost less."""

    stays: tuple[Stay, ...]
    cost: Cost
    proved: bool


def stays(value: Value) -> Iterator[Stay]:
    """Every way a value can come and go; until it is made it stays where it is."""
    n, first = len(value.touches), value.made + 1
    if not value.copied:
        yield from (Stay(()), Stay(((0, n - 1),)))
        return
    for begin in ((), ((0, value.made),)):
        for rest in _intervals(first, n, ANY_WAY if n <= ANY_WAY else 1):
            # the first stay may last
            yield Stay((*begin, *rest))
            if begin and rest and rest[0][0] == first:
                yield Stay(((0, rest[0][1]), *rest[1:]))


def _intervals(first: int, n: int, most: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Disjoint intervals of the touches from `first` up to n, at most so many."""
    yield ()
    if most:
        for a in range(first, n):
            for b in range(a, n):
                for rest in _intervals(b + 1, n, most - 1):
                    yield ((a, b), *rest)


@dataclass(frozen=True)
class _Choice:
    cost: Cost
    steps: int
    stay: Stay


def _choices(value: Value) -> list[_Choice]:
    """The ways to come and go, the cheapest first, without those that cost no less and stay where another does not."""
    found = sorted((_Choice(s.cost(value), s.taken(value), s) for s in stays(value)), key=lambda c: (c.cost, c.steps))
    kept: list[_Choice] = []
    for c in found:
        if not any(k.steps & ~c.steps == 0 for k in kept):
            kept.append(c)
    return kept


@dataclass(frozen=True)
class _Node:
    """A choice for each value, and the steps in which each must be and must not be in the memory."""

    chosen: tuple[int, ...]
    cost: Cost
    banned: dict[int, int] = field(default_factory=dict)
    bound: dict[int, int] = field(default_factory=dict)


class _Search:
    """Best first over nodes in which one more value leaves the step that is fullest."""

    def __init__(self, values: Sequence[Value], capacity: int) -> None:
        self.values, self.capacity = values, capacity
        self.choices = [_choices(v) for v in values]
        self.order = sorted(range(len(values)), key=lambda i: (-values[i].size, i))
        self.every_way = all(len(v.touches) <= ANY_WAY or not v.copied for v in values)
        self.steps = 1 + max((t.around[1] for v in values for t in v.touches), default=0)

    def run(self, nodes: int) -> Spills:
        """The least cost found."""
        start = self._node(tuple(0 for _ in self.values), {}, {})
        number, opened = count(), 0
        heap, node = [(start.cost, next(number), start)], start
        while heap and opened < nodes:
            _, _, node = heappop(heap)
            step = self._fullest(node)
            if step is None:
                return self._spills(node, self.every_way)
            opened += 1
            for child in self._children(node, step):
                heappush(heap, (child.cost, next(number), child))
        return self._spills(min((self._greedy(n) for n in (start, node)), key=lambda n: n.cost), False)

    def _node(self, chosen: tuple[int, ...], banned: dict[int, int], bound: dict[int, int]) -> _Node:
        costs = [self.choices[v][c].cost for v, c in enumerate(chosen)]
        return _Node(chosen, (sum(c[0] for c in costs), sum(c[1] for c in costs)), banned, bound)

    def _loads(self, node: _Node) -> list[int]:
        """Bytes in the memory in each step."""
        change = [0] * (self.steps + 1)
        for v, c in enumerate(node.chosen):
            value, stay = self.values[v], self.choices[v][c].stay
            for first, last in stay.steps(value):
                change[first] += value.size
                change[last + 1] -= value.size
        return list(accumulate(change))[:-1]

    def _fullest(self, node: _Node) -> int | None:
        """The step with the most bytes; None when all fit."""
        loads = self._loads(node)
        most = max(loads, default=0)
        return None if most <= self.capacity else loads.index(most)

    def _children(self, node: _Node, step: int) -> Iterator[_Node]:
        """One value leaves the step, those before it stay."""
        bit, held = 1 << step, 0
        bound = dict(node.bound)
        for v in self.order:
            if not self.choices[v][node.chosen[v]].steps & bit:
                continue
            if not bound.get(v, 0) & bit:
                left = self._without(node, v, bit, dict(bound))
                if left is not None:
                    yield left
                bound[v] = bound.get(v, 0) | bit
            held += self.values[v].size
            if held > self.capacity:
                return

    def _without(self, node: _Node, v: int, bit: int, bound: dict[int, int]) -> _Node | None:
        """The node in which a value is not in the memory in a step; None when it has no such way."""
        banned = {**node.banned, v: node.banned.get(v, 0) | bit}
        must = bound.get(v, 0)
        for c, choice in enumerate(self.choices[v]):
            if not choice.steps & banned[v] and choice.steps & must == must:
                return self._node((*node.chosen[:v], c, *node.chosen[v + 1 :]), banned, bound)
        return None

    def _greedy(self, node: _Node) -> _Node:
        """From the fullest step leaves what costs the fewest bytes for each byte it frees, until all fit."""
        while (step := self._fullest(node)) is not None:
            bit = 1 << step
            inside = [v for v in self.order if self.choices[v][node.chosen[v]].steps & bit]
            left = [(v, n) for v in inside if (n := self._without(node, v, bit, {})) is not None]
            _, node = min(left, key=lambda l: ((l[1].cost[0] - node.cost[0]) / self.values[l[0]].size, l[0]))
        return node

    def _spills(self, node: _Node, proved: bool) -> Spills:
        return Spills(tuple(self.choices[v][c].stay for v, c in enumerate(node.chosen)), node.cost, proved)


def least_spills(values: Sequence[Value], capacity: int, nodes: int = NODES) -> Spills:
    """The stays of values that keep every step within a capacity and move the fewest bytes beyond it."""
    return _Search(values, capacity).run(nodes)
