"""Tiles of one layer within a step of a stack: channels, summed channels and rows, and what each costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from dnnc.ir.arch import Accelerator
from dnnc.passes.analysis import timing
from dnnc.passes.analysis.candidates import splits
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.tiling import ALIGN, MAX_CHANNELS, MAX_RUN, MAX_RUNS

Int = NDArray[np.int64]

SUMS_BESIDE_WEIGHTS = (1, 2, 4, 8)
"""Parts of a memory that sums may take where weights lie in it too."""

RECORDS = 64
"""Channels of a tile whose records come with it."""


def aligned(size: int) -> int:
    """Bytes a buffer of a size takes."""
    return -(-size // ALIGN) * ALIGN


def weight_bytes(layer: Layer) -> int:
    """Bytes of a layer's weights."""
    return (
        0 if layer.kind == "none" else layer.groups * layer.M * (layer.C if layer.kind == "dense" else 1) * layer.taps
    )


def post_bytes(layer: Layer) -> int:
    """Bytes of a layer's records and table."""
    return aligned(layer.record * layer.records) + layer.table_bytes


def tile_bytes(layer: Layer) -> int:
    """Bytes of two tiles of a layer's records, and of its table."""
    return aligned(layer.record * min(layer.M, RECORDS)) * 2 + layer.table_bytes


@dataclass(frozen=True)
class Option:
    """A tile of a layer within a step: what it holds, and its cycles on the matrix unit and after the last tile.

    `sums` are the bytes of its sums in all copies, `weight_tile` those of its weights in one.
    """

    channels: int
    reduction: int
    rows: int
    sums_copies: int
    sums: int
    weight_tile: int
    loads: int
    mm: int
    post: int
    stall: int

    @property
    def busy(self) -> int:
        """Cycles of computing in a step."""
        return max(self.mm, self.post) + self.stall


@lru_cache(maxsize=65536)
def options(layer: Layer, rows: int, columns: int, arch: Accelerator, room: int) -> tuple[Option, ...]:
    """Tiles for a step that makes `rows` x `columns` of a layer's output with `room` bytes of sums, the fastest first."""
    z = splits(layer.M) if layer.kind != "depthwise" or layer.M == layer.C else np.array([layer.M])
    z = z[z < MAX_CHANNELS]
    pool, dense = layer.pool, layer.kind == "dense"
    across = min((columns - 1) * pool.stride[1] + pool.extent[1], layer.sums[1])
    copies = np.array([2, 1] if layer.kind != "none" else [1])
    parts = np.unique(-(-layer.C // np.array([1, 2, 4, 8, 16]))) if dense else np.array([layer.C])
    rooms = room // np.array(SUMS_BESIDE_WEIGHTS if arch.holding("accumulator") is arch.holding("weight") else (1,))
    z, copies, k, rooms = (g.reshape(-1) for g in np.meshgrid(z, copies, parts, rooms, indexing="ij"))
    fits = rooms // copies // ALIGN * ALIGN // (4 * z * across)
    most = (fits - pool.extent[0]) // pool.stride[0] + 1 if layer.kind != "none" else np.full_like(z, rows)
    # the first window of the tensor may begin in the padding, so that its rows of sums are all there is
    most = np.where(fits >= layer.sums[0], rows, most)
    run = k * layer.taps
    keep = (most >= 1) & (run < MAX_RUN) & (z < MAX_RUNS)
    z, copies, k, most = z[keep], copies[keep], k[keep], np.minimum(most[keep], rows)
    chunks = -(-rows // np.maximum(most, 1))
    deep = -(-rows // chunks)
    down = np.minimum((deep - 1) * pool.stride[0] + pool.extent[0], layer.sums[0])
    pixels, tiles = down * across, layer.groups * -(-layer.M // z) * chunks
    window = timing.Window(layer.window.kernel, layer.window.stride, down)  # pyright: ignore
    folds = -(-layer.C // k) if dense else np.ones_like(z)
    if dense:
        each = timing.product(k * layer.taps, z, pixels, 0, arch, window).cycles
    elif layer.kind == "depthwise":
        each = timing.depthwise(layer.taps, z, pixels, 0, arch, window).cycles
    else:
        each = np.zeros_like(z)
    windows = deep * columns * prod(pool.kernel) if layer.pooled else 0
    after = arch.ppu.setup_cycles + -(-z // arch.ppu.lanes) * (pixels + windows) * timing.passes(layer.levels)
    stall = np.where(copies == 2, after, tiles * after) * (layer.kind != "none")
    size = z * (k if dense else 1) * layer.taps * (layer.kind != "none")
    loads = np.where((folds > 1) & (chunks > 1), chunks, 1)
    sums = copies * (-(-4 * z * pixels // ALIGN) * ALIGN) * (layer.kind != "none")
    held = -(-size // ALIGN) * ALIGN
    columns_of = (z, k, deep, copies, sums, held, loads, each * tiles * folds, after * tiles, stall)
    table = np.stack(np.broadcast_arrays(*columns_of))
    table = table[:, np.lexsort((table[5], np.maximum(table[7], table[8]) + table[9]))]
    together = arch.holding("accumulator") is arch.holding("weight")
    return tuple(Option(*(int(c) for c in table[:, i])) for i in _worthwhile(table, layer, together))


def least_cycles(layer: Layer, rows: Int, columns: Int, arch: Accelerator) -> Int:
    """No tile of `options` takes fewer cycles for steps of `rows` x `columns`: one tile of all channels, its fills but once."""
    pool, array = layer.pool, arch.array
    down, across = (
        np.minimum((n - 1) * pool.stride[axis] + pool.extent[axis], layer.sums[axis])
        for axis, n in enumerate((rows, columns))
    )
    pixels, m = down * across, layer.groups * timing.ceil_div(layer.M, arch.ppu.lanes)
    windows = rows * columns * prod(pool.kernel) if layer.pooled else 0
    post = m * (pixels + windows) * timing.passes(layer.levels)
    if layer.kind == "none" or array.dataflow == "row-stationary":
        return post
    reduction, beside = (
        (layer.C * layer.taps, array.columns) if layer.kind == "dense" else (layer.taps, array.depthwise_lanes)
    )
    folds = layer.groups * timing.ceil_div(layer.M, beside)
    if array.dataflow == "output-stationary" and layer.kind == "dense":
        return np.maximum(
            post, folds * timing.ceil_div(pixels, array.rows) * (array.rows + array.columns - 3 + reduction)
        )
    fill = 0 if array.dataflow == "adder-tree" else 2 * array.rows + array.columns - 3
    return np.maximum(post, folds * timing.ceil_div(reduction, array.rows) * (fill + pixels))


def _worthwhile(table: Int, layer: Layer, together: bool) -> list[int]:
    """The tiles, the fastest first, that no faster one beats in the bytes it holds and how often it loads its weights.

    The bytes are those of weights, `together` with the sums where they share a memory.
    """
    kept: set[int] = set()
    for several in (False, True):
        mine = np.flatnonzero((table[6] > 1) == several)
        held = table[5, mine] + table[4, mine] * together
        kept.update(mine[_falling(held)].tolist())
    whole = np.flatnonzero(table[1] == layer.C)
    kept.update((whole[_falling(table[4, whole])] if together else whole[:1]).tolist())
    return sorted(kept)


def _falling(held: Int) -> NDArray[np.bool_]:
    """Where a number is less than all before it."""
    before = np.minimum.accumulate(np.append(np.iinfo(np.int64).max, held))
    return held < before[:-1]
