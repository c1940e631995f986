"""What a buffer on chip holds for several layers: rows of a tensor in turn, of all channels, or all of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from dnnc.ir.sched import BufferOp, layout_of


@dataclass(frozen=True)
class Held:
    """A buffer of `period` rows x `channels` x `width` bytes; row y of the tensor lies in row (y - first) mod period.

    Channels are counted from `channel` on, the first of a group's.
    """

    buffer: BufferOp
    first: tuple[int, int]
    shape: tuple[int, int, int]
    channel: int = 0

    @staticmethod
    def of(buffer: BufferOp, first: tuple[int, int]) -> Held:
        """What a buffer of [rows, channels, columns] holds from a first row and column on."""
        period, channels, width = layout_of(buffer.result).shape
        return Held(buffer, first, (period, channels, width))

    @property
    def pitches(self) -> tuple[int, int]:
        """Bytes between channels and between rows."""
        _, channels, width = self.shape
        return width, channels * width

    def slot(self, row: int) -> int:
        """The row of the buffer that holds a row of the tensor."""
        return (row - self.first[0]) % self.shape[0]

    def byte(self, channel: int, row: int, column: int) -> int:
        """Where an element of the tensor lies in the buffer."""
        across, down = self.pitches
        return self.slot(row) * down + (self.channel + channel) * across + column - self.first[1]

    def breaks(self, first: int, count: int) -> range:
        """The rows of a range at which the buffer starts over."""
        period = self.shape[0]
        return range(first + period - self.slot(first), first + count, period)

    def intervals(self, first: int, count: int) -> list[tuple[int, int]]:
        """(begin, end) in bytes of the buffer where a range of rows lies."""
        down = self.pitches[1]
        pieces = cut(first, count, self.breaks(first, count))
        return [(self.slot(y) * down, (self.slot(y) + n) * down) for y, n in pieces]


@dataclass(frozen=True)
class Whole:
    """A tensor that lies whole in a buffer, of one image and group: its first element, pitches of channels and rows in
    elements, and bytes of each.
    """

    buffer: BufferOp
    start: int
    pitches: tuple[int, int]
    width: int
    each: int = 1

    def byte(self, channel: int, row: int, column: int) -> int:
        """Where an element of the tensor lies in the buffer."""
        across, down = self.pitches
        return self.each * (self.start + channel * across + row * down + column)

    def breaks(self, first: int, count: int) -> range:
        """No row starts over."""
        return range(0)

    def extent(self, channels: tuple[int, int], rows: tuple[int, int]) -> tuple[int, int]:
        """(begin, end) in bytes of the buffer of (first, count) of channels and of rows."""
        (c, channel_count), (y, row_count) = channels, rows
        last = self.byte(c + channel_count - 1, y + row_count - 1, self.width)
        return self.byte(c, y, 0), last


def cut(first: int, count: int, at: Iterable[int]) -> list[tuple[int, int]]:
    """A range as (first, count) of its pieces between the given rows."""
    edges = [first, *sorted(set(at)), first + count]
    return [(a, b - a) for a, b in pairwise(edges)]
