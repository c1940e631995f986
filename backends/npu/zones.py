"""The parts of a tile that one post-processing instruction makes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dnnc.backends.npu.held import cut
from dnnc.backends.npu.tiles import LayerTiles, Place
from dnnc.passes.analysis.layer import reach


@dataclass(frozen=True)
class Zone:
    """Part of a tile that one PPU instruction makes: (first, count) of source rows and columns, pads of its pool around
    them, first row and column it writes and how many rows, and its requantize record.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    pads: tuple[int, int, int, int]
    out: tuple[int, int]
    count: int
    record: int = 0


def zones(layer: LayerTiles, p: Place) -> list[Zone]:
    """The whole tile, or the rectangles of output positions whose windows count as many elements."""
    shape, counts, rows = layer.shape, layer.group.counts, layer.rows(p)
    if counts is None:
        return _unbroken(layer, p)
    found = []
    for y, height in _runs(counts[p.s[0] : sum(p.s)]):
        for x, width in _runs(counts.T):
            ys, pad_y = reach((p.s[0] + y, height), shape.pool, shape.sums[0])
            xs, pad_x = reach((x, width), shape.pool, shape.sums[1], 1)
            record = int(counts[p.s[0] + y, x])
            found.append(Zone((ys[0] - rows.sums[0], ys[1]), xs, (*pad_y, *pad_x), (y, x), height, record))
    return found


def _unbroken(layer: LayerTiles, p: Place) -> list[Zone]:
    """The rows of a tile, cut where a rolling buffer starts over; what a pool reads does not."""
    shape, columns, top = layer.shape, layer.columns(p), layer.rows(p).sums[0]
    roles = ["output"] if shape.pooled or shape.kind != "none" else ["output", "input"]
    roles += [] if shape.pooled else ["second"]
    breaks = [y for role in roles if role in p.held for y in p.held[role].breaks(*p.s)]
    found = []
    for first, count in cut(*p.s, breaks):
        rows = shape.rows(first, count)
        part = (rows.sums[0] - top, rows.sums[1])
        found.append(Zone(part, (0, columns.sums[1]), (*rows.pool_pad, *columns.pool_pad), (first - p.s[0], 0), count))
    return found


def _runs(lines: np.ndarray) -> list[tuple[int, int]]:
    """(first, count) of the runs of equal lines."""
    starts = [0, *(np.flatnonzero(np.any(lines[1:] != lines[:-1], axis=1)) + 1).tolist(), len(lines)]
    return [(a, b - a) for a, b in pairwise(starts)]
