"""The parts of a tile that one post-processing instruction makes, and what the matrix unit must know of a whole one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dnnc.backends.npu.held import cut
from dnnc.backends.npu.isa import FORMS
from dnnc.backends.npu.tiles import LayerTiles, Place
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.packed import IN_A_BYTE


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
            ys, pad_y = shape.pool.reach((p.s[0] + y, height), shape.sums[0], 0)
            xs, pad_x = shape.pool.reach((x, width), shape.sums[1], 1)
            record = int(counts[p.s[0] + y, x])
            found.append(Zone((ys[0] - rows.sums[0], ys[1]), xs, (*pad_y, *pad_x), (y, x), height, record))
    return found


def _unbroken(layer: LayerTiles, p: Place) -> list[Zone]:
    """A tile, cut where a rolling buffer starts over and where blocks of its pool do; what a pool reads is not."""
    shape, columns, rows = layer.shape, layer.columns(p), layer.rows(p)
    roles = ["output"] if shape.pooled or shape.kind != "none" else ["output", "input"]
    roles += [] if shape.pooled else ["second"]
    breaks = [y for role in roles if role in p.held for y in p.held[role].breaks(*p.s)]
    found = []
    for y, height in cut(*p.s, [*breaks, *_borders(shape.pool, 0, p.s)]):
        for x, width in cut(*columns.out, _borders(shape.pool, 1, columns.out)):
            ys, pad_y = shape.pool.reach((y, height), shape.sums[0], 0)
            xs, pad_x = columns.sums, columns.pool_pad
            if shape.pool.block:
                xs, pad_x = shape.pool.reach((x, width), shape.sums[1], 1)
            at = (ys[0] - rows.sums[0], ys[1]), (xs[0] - columns.sums[0], xs[1])
            found.append(Zone(*at, (*pad_y, *pad_x), (y - p.s[0], x - columns.out[0]), height))
    return found


def _borders(window: Window, axis: int, span: tuple[int, int]) -> range:
    """Where blocks begin within outputs (first, count)."""
    first, count = span
    if not window.block:
        return range(0)
    block = window.block[axis]
    return range(-(-(first + 1) // block) * block, first + count, block)


def blocks(layer: LayerTiles, p: Place) -> dict[str, int]:
    """Where blocks of the sums begin in a tile, as the matrix unit's state; nothing when there are none."""
    window, state = layer.shape.window, {}
    names = zip(("rows", "columns"), ("row", "column"), ("top", "left"))
    for axis, (size, at, before) in enumerate(names) if window.block else ():
        block, first = window.block[axis], (layer.rows(p), layer.columns(p))[axis].sums[0]
        if block < layer.shape.sums[axis]:
            state |= {size: block, at: first % block, before: window.pads[axis][0]}
    return state | {"value": int(layer.group.source.zero)} if state else {}


def form(layer: LayerTiles, p: Place) -> dict[str, int]:
    """What the bytes hold, and where binary ones count, nowhere in the padding, as the matrix unit's state."""
    name = {1: "bytes", **{n: name for name, n in IN_A_BYTE.items()}}[layer.shape.values]
    state, rows, columns = {"form": FORMS.index(name)}, layer.rows(p), layer.columns(p)
    if name == "binary" and any((*rows.pad, *columns.pad)):
        state |= {"top": rows.pad[0], "left": columns.pad[0], "height": rows.input[1], "width": columns.input[1]}
    return state


def _runs(lines: np.ndarray) -> list[tuple[int, int]]:
    """(first, count) of the runs of equal lines."""
    starts = [0, *(np.flatnonzero(np.any(lines[1:] != lines[:-1], axis=1)) + 1).tolist(), len(lines)]
    return [(a, b - a) for a, b in pairwise(starts)]
