"""Exact search for a packing that fits a capacity: depth first over canonical packings.

A packing pushed down until every buffer rests on the floor or on another one it overlaps in time is canonical, and is
found by placing buffers in the order of (offset, rank). Every node keeps the least offset each unplaced buffer can still
have, lifts it by what each section (a maximal set of buffers live together) allows, and splits into parts that no
longer share a step; each part ranks its buffers anew. The ideas are those of google/minimalloc's solver, written anew
for numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]

FAR = np.int64(1) << 60
"""An offset above every capacity: where placed buffers and closed sections stand while lows are lifted."""


@dataclass(frozen=True)
class Items:
    """Buffers as columns; each covers the sections [first, last) of the maximal sets of buffers live together."""

    size: Ints
    align: Ints
    start: Ints
    end: Ints
    first: Ints
    last: Ints

    @classmethod
    def of(cls, size: Ints, align: Ints, start: Ints, end: Ints) -> Items:
        times = section_times(start, end)
        return cls(size, align, start, end, np.searchsorted(times, start), np.searchsorted(times, end))


def section_times(start: Ints, end: Ints) -> Ints:
    """The last start before each run of ends: the steps at which the set of live buffers is maximal."""
    starts, ends = np.unique(start), np.unique(end)
    latest = starts[np.searchsorted(starts, ends, side="left") - 1]
    return np.unique(latest)


class _Part:
    """Unplaced buffers that share steps, with their (section, buffer) pairs in both orders, ranked by the keys named."""

    def __init__(self, items: Items, ids: Ints, order: str) -> None:
        ids = ids[np.argsort(items.first[ids], kind="stable")]
        self.ids, self.size, self.align = ids, items.size[ids], items.align[ids]
        self.start, self.end = items.start[ids], items.end[ids]
        self.begin, self.stop = items.first[ids], items.last[ids]
        counts = self.stop - self.begin
        buffer = np.repeat(np.arange(len(ids)), counts)
        self.heads = np.concatenate([[0], np.cumsum(counts)[:-1]])
        section = np.arange(len(buffer)) - self.heads[buffer] + self.begin[buffer]
        self._by_section(buffer, section)
        keys = [-KEYS[letter](self) for letter in reversed(order)]
        self.rank = np.argsort(np.lexsort([self.ids, *keys]))

    def _by_section(self, buffer: Ints, section: Ints) -> None:
        order = np.argsort(section, kind="stable")
        self.back = np.empty_like(order)
        self.back[order] = np.arange(len(order))
        self.buffer, ordered = buffer[order], section[order]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        self.section, self.starts = np.cumsum(new) - 1, np.flatnonzero(new)
        self.wide = self.size[self.buffer]
        self.aligned = bool((self.align > 1).any())

    def crowd(self) -> Ints:
        """Most bytes live beside each buffer at one step."""
        total = np.add.reduceat(self.wide, self.starts)[self.section]
        return np.maximum.reduceat(total[self.back], self.heads)

    def conflicts(self) -> Ints:
        """Buffers live beside each buffer at any step."""
        return ((self.start[:, None] < self.end) & (self.start < self.end[:, None])).sum(1)

    def split(self, left: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
        """The unplaced buffers in groups that share no step with each other."""
        index = np.flatnonzero(left)
        reach = np.maximum.accumulate(self.stop[index])
        cuts = np.flatnonzero(self.begin[index][1:] >= reach[:-1]) + 1
        if not len(cuts):
            return [left]
        groups = np.split(index, cuts)
        masks = np.zeros((len(groups), len(left)), dtype=np.bool_)
        for mask, group in zip(masks, groups):
            mask[group] = True
        return list(masks)


KEYS: dict[str, Callable[[_Part], Ints]] = {
    "W": lambda part: part.end - part.start,
    "A": lambda part: (part.end - part.start) * part.size,
    "T": _Part.crowd,
    "C": _Part.conflicts,
    "N": lambda part: part.stop - part.begin,
    "L": lambda part: part.end,
    "U": lambda part: -part.start,
}
"""What an order may compare, largest first: width in steps, area, total beside it, conflicts, sections, end, start."""


def ranks(items: Items, order: str) -> Ints:
    """The rank of each buffer in an order of letters of `KEYS`."""
    part = _Part(items, np.arange(len(items.size)), order)
    found = np.empty_like(part.rank)
    found[part.ids] = part.rank
    return found


@dataclass
class _State:
    """A node: `rest` is the lowest offset the placed buffers leave, `low` the least a canonical completion can have."""

    part: _Part
    left: NDArray[np.bool_]
    rest: Ints
    low: Ints


@dataclass
class _Frame:
    """A node being tried: the children not tried yet and the parts of the current child not solved yet."""

    children: Iterator[list[_State]]
    parts: list[_State] = field(default_factory=list)
    chosen: bool = False


ROUNDS = 8
"""Times inference is repeated at a node; any number is sound, more lift little."""


class LimitReached(Exception):
    """The search tried as many nodes as it was given, and proved nothing."""


class Search:
    """One depth-first search in one order of buffers: `run()` gives offsets, or None when it proved that none exist."""

    def __init__(self, items: Items, order: str, capacity: int, nodes: int) -> None:
        self.items, self.order, self.capacity, self.nodes = items, order, capacity, nodes
        self.offsets = np.zeros(len(items.size), dtype=np.int64)

    def run(self) -> Ints | None:
        everything = _Part(self.items, np.arange(len(self.items.size)), self.order)
        zero = np.zeros(len(everything.ids), dtype=np.int64)
        root = _State(everything, np.ones(len(zero), dtype=np.bool_), zero, zero)
        return self.offsets if self._solve(self._parts(root)) else None

    def _solve(self, parts: list[_State]) -> bool:
        """Whether every part packs; parts are independent, so one that fails fails the choice above it."""
        stack = [_Frame(iter(()), parts, chosen=True)]
        while stack:
            frame = stack[-1]
            if frame.parts:
                stack.append(_Frame(self._children(frame.parts.pop())))
            elif frame.chosen:
                stack.pop()
            else:
                self._try_next(stack)
            if stack and stack[0] is not frame and not stack[0].chosen:
                return False
        return True

    def _try_next(self, stack: list[_Frame]) -> None:
        frame = stack[-1]
        child = next(frame.children, None)
        if child is not None:
            frame.chosen, frame.parts = True, child
            return
        stack.pop()
        stack[-1].chosen, stack[-1].parts = False, []

    def _children(self, state: _State) -> Iterator[list[_State]]:
        """Every placement of one buffer at its least offset that no rule excludes, lowest offset and rank first."""
        low = self._lifted(state)
        if low is None:
            return
        part, left, rest = state.part, state.left, state.rest
        height = np.where(left, rest + part.size, FAR).min()
        ready = np.flatnonzero(left & (low == rest) & (rest < height))
        for i in ready[np.lexsort((part.rank[ready], low[ready]))]:
            self._count()
            self.offsets[part.ids[i]] = low[i]
            yield self._parts(self._place(state, low, int(i)))

    def _count(self) -> None:
        if self.nodes <= 0:
            raise LimitReached
        self.nodes -= 1

    def _place(self, state: _State, low: Ints, i: int) -> _State:
        part, left = state.part, state.left.copy()
        left[i] = False
        offset, top = low[i], low[i] + part.size[i]
        meets = (part.start < part.end[i]) & (part.end > part.start[i])
        rest = np.where(meets, np.maximum(state.rest, self._up(part, top)), state.rest)
        # what follows in canonical order lies higher, or as high with a later rank
        after = np.maximum(low, offset + (part.rank < part.rank[i]))
        return _State(part, left, rest, np.maximum(after, rest))

    def _up(self, part: _Part, value: Ints) -> Ints:
        return -(-value // part.align) * part.align if part.aligned else value

    def _parts(self, state: _State) -> list[_State]:
        if not state.left.any():
            return []
        masks = state.part.split(state.left)
        return [state] if len(masks) == 1 else [self._narrow(state, mask) for mask in masks]

    def _narrow(self, state: _State, mask: NDArray[np.bool_]) -> _State:
        part = _Part(self.items, state.part.ids[mask], self.order)
        # the part keeps the order of its ids: both are sorted by the first section
        return _State(part, np.ones(len(part.ids), dtype=np.bool_), state.rest[mask], state.low[mask])

    def _lifted(self, state: _State) -> Ints | None:
        """Least offsets after inference by sections, or None when some section no longer fits."""
        part, left = state.part, state.left
        low = np.where(left, self._up(part, state.low), FAR)
        wide = np.where(left[part.buffer], part.wide, 0)
        remaining = np.add.reduceat(wide, part.starts)
        room = (self.capacity - remaining)[part.section]
        for _ in range(ROUNDS):
            lifted = self._lift(part, low, wide, remaining, room, state.rest)
            if lifted is None:
                return None
            lifted = np.where(left, self._up(part, lifted), FAR)
            if np.array_equal(lifted, low):
                break
            low = lifted
        return low

    def _lift(self, part: _Part, low: Ints, wide: Ints, remaining: Ints, room: Ints, rest: Ints) -> Ints | None:
        """A buffer that cannot be the lowest of a section lies above the one that can and ends first."""
        at = low[part.buffer]
        can = at <= room
        first = np.minimum.reduceat(np.where(can, at + wide, FAR), part.starts)
        if ((first >= FAR) & (remaining > 0)).any():
            return None
        over = np.where(can, at, np.maximum(at, first[part.section]))
        higher = np.maximum.reduceat(over[part.back], part.heads)
        if (higher[low < FAR] + part.size[low < FAR] > self.capacity).any():
            return None
        return self._supported(part, low, higher, at + wide, rest)

    def _supported(self, part: _Part, low: Ints, higher: Ints, tops: Ints, rest: Ints) -> Ints:
        """A buffer above what the placed ones leave rests on one not placed yet."""
        under = np.minimum.reduceat(tops, part.starts)[part.section]
        least = np.minimum.reduceat(under[part.back], part.heads)
        return np.where((higher > rest) & (low < FAR), np.maximum(higher, least), higher)
