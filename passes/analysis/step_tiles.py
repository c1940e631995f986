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
    pool, dense = layer.pool, layer.kind == "dense"
    across = min((columns - 1) * pool.stride[1] + pool.extent[1], layer.sums[1])
    together = arch.holding("accumulator") is arch.holding("weight")
    z, copies, k, share = _grid(layer, together)
    fits = room // share // copies // ALIGN * ALIGN // (4 * z * across)
    most = (fits - pool.extent[0]) // pool.stride[0] + 1 if layer.kind != "none" else np.full_like(z, rows)
    # the first window of the tensor may begin in the padding, so that its rows of sums are all there is
    most = np.where(fits >= layer.sums[0], rows, most)
    keep = most >= 1
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
    return tuple(Option(*(int(c) for c in table[:, i])) for i in _worthwhile(table, layer, together))


@lru_cache(maxsize=4096)
def _grid(layer: Layer, together: bool) -> tuple[Int, Int, Int, Int]:
    """Channels, copies of the sums, summed channels and the part of the memory the sums may take, in every combination."""
    z = splits(layer.M) if layer.kind != "depthwise" or layer.M == layer.C else np.array([layer.M])
    copies = [2, 1] if layer.kind != "none" else [1]
    parts = np.unique(-(-layer.C // np.array([1, 2, 4, 8, 16]))) if layer.kind == "dense" else [layer.C]
    grid = np.meshgrid(z, copies, parts, SUMS_BESIDE_WEIGHTS if together else [1], indexing="ij")
    z, copies, k, share = (g.reshape(-1) for g in grid)
    keep = (z < min(MAX_CHANNELS, MAX_RUNS)) & (k * layer.taps < MAX_RUN)
    return z[keep], copies[keep], k[keep], share[keep]


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
    if layer.kind == "depthwise":
        # tiles may save the cycle by which one product ends early, once a fold
        folds = timing.ceil_div(layer.taps, array.rows) * timing.ceil_div(layer.M, array.depthwise_lanes)
        whole = timing.depthwise(layer.taps, layer.M, pixels, 0, arch).cycles
        return np.maximum(post, layer.groups * (whole - (folds - 1) * (array.dataflow != "adder-tree")))
    reduction, folds = layer.C * layer.taps, layer.groups * timing.ceil_div(layer.M, array.columns)
    if array.dataflow == "output-stationary":
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
