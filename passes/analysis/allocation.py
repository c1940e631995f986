"""Static buffer allocation: buffers with half-open lifetimes, plans and what they reach, the heuristics that make them.

Best-fit skyline and size-sorted first-fit together reach the liveness lower bound on ordinary CNN graphs. What they
leave is searched in `dnnc.passes.analysis.allocate`.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Buffer:
    """`size` bytes live on the steps [start, end), placed at a multiple of `align`."""

    id: Hashable
    size: int
    start: int
    end: int
    align: int = 1

    def __post_init__(self) -> None:
        if self.size < 0 or self.align < 1 or self.end < self.start:
            raise ValueError(f"buffer {self.id!r}: size >= 0, align >= 1 and start <= end expected, not {self}")


@dataclass(frozen=True)
class MemPlan:
    """Offset of every buffer, the peak they reach, the liveness bound, and the bytes proved necessary when it is more."""

    offsets: dict[Hashable, int]
    peak: int
    lower_bound: int
    proved: int = 0

    @property
    def least(self) -> int:
        """Bytes no plan can do without: the liveness bound, or what a search proved."""
        return max(self.lower_bound, self.proved)

    @property
    def optimal(self) -> bool:
        """Whether the peak is proved minimal."""
        return self.peak == self.least


@dataclass(frozen=True)
class Table:
    """The buffers as int64 columns."""

    size: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    align: NDArray[np.int64]


def table(buffers: Sequence[Buffer]) -> Table:
    """The columns of buffers."""
    columns = np.array([(b.size, b.start, b.end, b.align) for b in buffers], dtype=np.int64).reshape(-1, 4)
    return Table(*columns.T)


def _round_up(value: int, align: int) -> int:
    return -(-value // align) * align


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """Max over steps of the summed sizes of live buffers, in bytes."""
    t = table(buffers)
    steps, index = np.unique(np.concatenate([t.start, t.end]), return_inverse=True)
    change = np.zeros(len(steps), dtype=np.int64)
    np.add.at(change, index[: len(buffers)], t.size)
    np.add.at(change, index[len(buffers) :], -t.size)
    return int(np.cumsum(change).max(initial=0))


def first_fit(t: Table) -> NDArray[np.int64]:
    """Largest buffer first, each in the lowest gap between the placed buffers it overlaps in time."""
    offsets = np.zeros(len(t.size), dtype=np.int64)
    placed = np.zeros(len(t.size), dtype=bool)
    for i in np.lexsort((t.start, t.start - t.end, -t.size)):
        if t.size[i] == 0 or t.start[i] == t.end[i]:
            continue
        clash = np.flatnonzero(placed & (t.start < t.end[i]) & (t.end > t.start[i]))
        clash = clash[np.argsort(offsets[clash], kind="stable")]
        # `floor` is the end of the highest buffer below each gap
        tops = np.maximum.accumulate(np.concatenate([[0], offsets[clash] + t.size[clash]]))
        floor = -(-tops // t.align[i]) * t.align[i]
        ceiling = np.concatenate([offsets[clash], [np.iinfo(np.int64).max]])
        offsets[i] = floor[np.argmax(floor + t.size[i] <= ceiling)]
        placed[i] = True
    return offsets


def skyline(t: Table) -> NDArray[np.int64]:
    """Lowest segment of the contour over time first, filled with the longest-lived buffer that fits in it."""
    offsets = np.zeros(len(t.size), dtype=np.int64)
    order = np.lexsort((-t.size, t.start - t.end))
    order = order[(t.size[order] > 0) & (t.start[order] < t.end[order])]
    start, end, left = t.start[order], t.end[order], np.ones(len(order), dtype=bool)
    if not len(order):
        return offsets
    contour = [(int(start.min()), int(end.max()), 0)]
    while left.any():
        low, high, height = lowest = min(contour, key=itemgetter(2))
        k = contour.index(lowest)
        fits = left & (start >= low) & (end <= high)
        if fits.any():
            rank = fits.argmax()
            i, left[rank] = order[rank], False
            offsets[i] = _round_up(height, int(t.align[i]))
            top = (int(start[rank]), int(end[rank]), int(offsets[i] + t.size[i]))
            contour[k : k + 1] = [(low, top[0], height), top, (top[1], high, height)]
        else:
            contour[k] = (low, high, _lowest_neighbour(contour, k))
        contour = _merge(contour)
    return offsets


def _lowest_neighbour(contour: list[tuple[int, int, int]], k: int) -> int:
    return min(contour[j][2] for j in (k - 1, k + 1) if 0 <= j < len(contour))


def _merge(contour: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Drop empty segments and join neighbours of equal height."""
    out: list[tuple[int, int, int]] = []
    for begin, end, height in contour:
        if begin == end:
            continue
        if out and out[-1][2] == height:
            out[-1] = (out[-1][0], end, height)
        else:
            out.append((begin, end, height))
    return out


HEURISTICS: tuple[Callable[[Table], NDArray[np.int64]], ...] = (skyline, first_fit)


def peak(t: Table, offsets: NDArray[np.int64]) -> int:
    """The highest byte any buffer reaches."""
    live = (t.size > 0) & (t.start < t.end)
    return int((offsets + t.size)[live].max(initial=0))


def overlaps(buffers: Sequence[Buffer], result: MemPlan) -> list[tuple[Hashable, Hashable]]:
    """Every pair of buffers that share a byte at the same step, by comparing all: empty when the plan is valid."""
    t = table(buffers)
    low = np.array([result.offsets[b.id] for b in buffers], dtype=np.int64)
    high = low + t.size
    # an empty buffer lies on no byte even when its offset falls inside another
    real = (t.size > 0) & (t.start < t.end)
    in_time = (t.start[:, None] < t.end) & (t.start < t.end[:, None])
    in_space = (low[:, None] < high) & (low < high[:, None])
    clash = np.triu(in_time & in_space & real[:, None] & real, 1)
    return [(buffers[i].id, buffers[j].id) for i, j in np.argwhere(clash)]
