"""Layers that run depth-first: which rows and columns of every tensor between them a step makes, and which it needs.

Steps cut the last output into `rows` x `columns`. Where rows roll, a step adds to each tensor the rows that the next layers
lack, and a buffer keeps those they need again: nothing is computed twice. Else a step makes all that its part of the
output needs, halo included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnnc.ir.dnn.attributes import Window
from dnnc.ir.hashing import hash_once
from dnnc.passes.analysis.layer import Layer

Int = NDArray[np.int64]


@dataclass(frozen=True)
class Tensor:
    """What layers hand on: channels, rows and columns; whether it comes from before the stack, and whether it stays on chip."""

    channels: int
    size: tuple[int, int]
    loaded: bool = False
    stays: bool = False


@dataclass(frozen=True)
class Member:
    """A layer of a stack, and the tensors it reads and makes, by number."""

    layer: Layer
    x: int
    out: int
    second: int | None = None


@hash_once
@dataclass(frozen=True)
class Stack:
    """Layers in order; the last one's output alone is stored."""

    tensors: tuple[Tensor, ...]
    members: tuple[Member, ...]

    @property
    def output(self) -> Tensor:
        """What is stored."""
        return self.tensors[self.members[-1].out]

    @property
    def images(self) -> int:
        """N."""
        return self.members[0].layer.N

    @property
    def rolls(self) -> bool:
        """Whether rows may lie in rolling buffers: a pool reads rows of the input memory only one after the other."""
        layers = [m.layer for m in self.members]
        return not any(l.pooled and (l.kind == "none" or (l.second is not None and not l.summed_first)) for l in layers)

    def waits(self, tensor: int) -> bool:
        """Whether a tensor comes from or goes to DRAM."""
        info = self.tensors[tensor]
        return (info.loaded or tensor == self.members[-1].out) and not info.stays

    @cached_property
    def alive(self) -> tuple[tuple[int, int], ...]:
        """The first and the last member that reads or makes each tensor."""
        found = [
            [i for i, m in enumerate(self.members) if t in (m.x, m.second, m.out)] for t in range(len(self.tensors))
        ]
        return tuple((users[0], users[-1]) for users in found)

    @cached_property
    def used(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of each tensor that the output depends on, counted from the first."""
        found = [[0, 0] for _ in self.tensors]
        found[self.members[-1].out] = list(self.output.size)
        for m in reversed(self.members):
            for axis in (0, 1):
                need = m.layer.span(axis, 0, found[m.out][axis])
                found[m.x][axis] = max(found[m.x][axis], sum(need.input))
                if m.second is not None:
                    beside = need.out if m.layer.summed_first else need.sums
                    found[m.second][axis] = max(found[m.second][axis], sum(beside))
        return tuple((rows, columns) for rows, columns in found)


@dataclass(frozen=True)
class Reach:
    """[low + step * i, high + step * i) of one axis of a tensor, needed in step i; those from `fresh` on are new then.

    Parallel arrays when many sizes are looked at together.
    """

    low: Any
    high: Any
    step: Any
    fresh: Any

    @property
    def size(self) -> Any:
        """Elements held at once."""
        return self.high - self.low


def reaches(stack: Stack, axis: int, size: Any, rolls: bool) -> list[Reach] | None:
    """What each tensor must hold in step i, which makes [size * i, size * i + size) of the output.

    None when branches advance at different speeds.
    """
    zero = size - size
    found: list[Reach | None] = [None] * len(stack.tensors)
    found[stack.members[-1].out] = Reach(zero, size, size, zero)
    for m in reversed(stack.members):
        made = found[m.out]
        if made is None:
            return None
        fresh = made.high - made.step if rolls else made.low
        for tensor, need in _needs(m, axis, fresh, made.high, made.step):
            both = _joined(found[tensor], need)
            if both is None:
                return None
            found[tensor] = both
    whole = [_rolling(r) if rolls else Reach(r.low, r.high, r.step, r.low) for r in found if r is not None]
    return whole if len(whole) == len(found) else None


def _rolling(r: Reach) -> Reach:
    """A step makes as many rows as it is long, those that strides skip as well."""
    return Reach(np.minimum(r.low, r.high - r.step), r.high, r.step, r.high - r.step)


def _needs(m: Member, axis: int, low: Any, high: Any, step: Any) -> list[tuple[int, Reach]]:
    """What a layer reads of each operand to make [low, high) of its output."""
    pool, window = m.layer.pool, m.layer.window
    down = pool.stride[axis]
    sums = _before(low, high, step, pool, axis)
    inputs = _before(*sums, step * down, window, axis)
    found = [(m.x, Reach(*inputs, step * down * window.stride[axis], inputs[0]))]
    if m.second is not None:
        first = m.layer.summed_first
        beside = (low, high) if first else sums
        found.append((m.second, Reach(*beside, step if first else step * down, beside[0])))
    return found


def _before(low: Any, high: Any, step: Any, window: Window, axis: int) -> tuple[Any, Any]:
    """What windows read to make [low, high), and as much `step` further on: of whole blocks nothing outside of them."""
    stride, pad = window.stride[axis], window.pads[axis][0]
    first, end = low * stride - pad, (high - 1) * stride - pad + window.extent[axis]
    if not window.block:
        return first, end
    whole = (low % window.block[axis] == 0) & (high % window.block[axis] == 0) & (step % window.block[axis] == 0)
    inside = np.maximum(first, low * stride), np.minimum(end, high * stride)
    return np.where(whole, inside[0], first), np.where(whole, inside[1], end)


def _joined(a: Reach | None, b: Reach) -> Reach | None:
    if a is None:
        return b
    if not np.array_equal(a.step, b.step):
        return None
    return Reach(np.minimum(a.low, b.low), np.maximum(a.high, b.high), a.step, a.fresh)


def warm_up(found: list[Reach]) -> Any:
    """Steps before step 0 in which only the first layers have rows to make."""
    late = [-(-(r.fresh) // r.step) for r in found]
    return np.maximum(np.maximum.reduce(np.broadcast_arrays(*late)), 0)


@lru_cache(maxsize=4096)
def covered(low: int, size: int, step: int, extent: int, steps: int) -> int:
    """The sum over steps of the elements of [low + step * i, + size) within [0, extent)."""
    first = low + step * np.arange(steps)
    return int(np.maximum(0, np.minimum(first + size, extent) - np.maximum(first, 0)).sum())
