"""The tile of a layer that moves the least data: a vectorised search over every distinct tile size and loop order.

Traffic is exact: sums of clipped tiles times the trips of the loops around the copy. Among tiles within a slack of the
least traffic the fewest estimated cycles win. Partial sums never leave the accumulators, so the reduction is always the
innermost loop.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnnc.ir.arch import Accelerator
from dnnc.ir.fixed import AFFINE, EXP_BYTES
from dnnc.passes.analysis import timing
from dnnc.passes.analysis.candidates import Candidates, candidates, splits
from dnnc.passes.analysis.layer import Layer

Int = NDArray[np.int64]

ALIGN = 16
"""Every buffer starts at a multiple of this many bytes."""

ORDERS = ("row-channel", "channel-row")

MAX_CHANNELS, MAX_ROWS, MAX_COLUMNS = 4096, 1024, 4096
MAX_RUN, MAX_RUNS = 1 << 16, 4096
"""What one instruction can express; a test compares them with the field widths of the instruction set."""

SLACK_PERCENT = 10
"""A faster tile is taken, double-buffered as a rule, while it moves at most this much more than the least data."""


EQUALLY_FAST_PERCENT = 2
"""Tiles whose estimated cycles differ by no more count as equally fast; the one of fewest steps is taken."""


@dataclass(frozen=True)
class Tile:
    """Tile sizes in output rows, output channels and input channels, loop order, residency and copies of each buffer.

    A resident input holds all input channels of its rows while the weights stream through the reduction loop.
    """

    rows: int
    channels: int
    reduction: int
    order: str
    input_resident: bool
    weights_resident: bool
    parameters_resident: bool
    inputs: int
    weights: int
    outputs: int
    sums: int
    dram_bytes: int
    cycles: int


def _aligned(size: Any) -> Any:
    return -(-size // ALIGN) * ALIGN


def _run(size: Int, count: Int, line: int) -> tuple[Int, Int]:
    """Contiguous pieces of `count` rows of `size` bytes, one piece when they fill lines of the tensor."""
    whole = size >= line
    return np.where(whole, size * count, size), np.where(whole, 1, count)


@lru_cache(maxsize=1024)
def _heights(layer: Layer) -> tuple[Int, Int]:
    """(row tiles, summed clipped input rows, and largest heights in inputs and sums, and summed rows of sums, of each)."""
    sizes = np.unique(splits(layer.out[0]))
    table = np.zeros((len(sizes), 4), np.int64)
    for i, t in enumerate(sizes.tolist()):
        tiles = [layer.rows(at, min(t, layer.out[0] - at)) for at in range(0, layer.out[0], t)]
        table[i, 0] = sum(r.input[1] for r in tiles)
        table[i, 1] = max(r.input[1] + sum(r.pad) for r in tiles)
        table[i, 2] = max(r.sums[1] for r in tiles)
        table[i, 3] = sum(r.sums[1] for r in tiles)
    return sizes, table


class Model:
    """Traffic, footprints and cycles of all candidates of a layer on a target.

    Tensors of the roles `whole` stay on chip: they have no tile and do not move.
    """

    def __init__(
        self, layer: Layer, arch: Accelerator, of: Candidates | None = None, whole: frozenset[str] = frozenset()
    ) -> None:
        self.layer, self.arch, self.whole = layer, arch, whole
        self.c = candidates(layer) if of is None else of
        self.trips = tuple(
            timing.ceil_div(n, t)
            for n, t in ((layer.out[0], self.c.rows), (layer.M, self.c.channels), (layer.C, self.c.reduction))
        )
        if layer.kind != "dense":
            self.trips = (*self.trips[:2], np.ones_like(self.trips[0]))
        self.records = layer.record * layer.records
        self.depth = np.where(self.c.whole == 1, layer.C, self.c.reduction)
        self.table = layer.table_bytes + EXP_BYTES * (layer.vector == "softmax")
        self.affine = AFFINE.itemsize * layer.affine
        room = arch.holding("parameter").bytes
        self.records_resident = (
            layer.kind == "none" or layer.wide or _aligned(self.records) + _aligned(self.table) <= room
        )
        self._rows()

    def only(self, chosen: Int) -> Model:
        """The model of some of the candidates, by index."""
        found = copy(self)
        found.c = Candidates(*(getattr(self.c, f.name)[chosen] for f in fields(Candidates)))
        found.trips = tuple(t[chosen] for t in self.trips)
        for name in ("depth", "input_rows", "box_rows", "sum_rows", "all_sum_rows"):
            setattr(found, name, getattr(self, name)[chosen])
        return found

    def twice(self) -> Model:
        """The model with two copies of every buffer that is filled again."""
        two, dense = np.full_like(self.c.rows, 2), self.layer.kind != "none"
        weights = np.where((self.c.resident == 0) & dense, two, 1)
        found = copy(self)
        found.c = replace(self.c, inputs=two, weights=weights, outputs=two, sums=two if dense else self.c.sums)
        return found

    def traffic(self) -> Int:
        """DRAM bytes."""
        return sum((moved for moved, _ in self.copies().values()), np.zeros_like(self.c.rows))

    def _rows(self) -> None:
        """Summed clipped input rows and largest tile heights, per candidate row tile."""
        sizes, table = _heights(self.layer)
        self.input_rows, self.box_rows, self.sum_rows, self.all_sum_rows = table[np.searchsorted(sizes, self.c.rows)].T

    def copies(self) -> dict[str, tuple[Int, Int]]:
        """(bytes, number of transfers) of every copy over the whole layer."""
        layer, (n_s, n_z, n_k) = self.layer, self.trips
        row_outer = self.c.order == 0
        parts, tied = layer.N * layer.groups, layer.kind != "dense"
        whole = self.c.whole == 1
        held = (whole | (n_k == 1)) & (row_outer | (n_s == 1))
        again = np.where(held, 1, n_z) if not tied else np.ones_like(n_z)
        inputs = layer.bytes_of("input") * parts * layer.C * layer.W * self.input_rows * again
        input_count = parts * n_s * np.where(whole, 1, n_k) * (n_z if tied else again)
        split = (n_z > 1) | (n_k > 1)
        per_row = np.where(np.where(row_outer, split, n_k > 1), n_s, 1)
        per_image = np.where(split | (layer.groups > 1), layer.N, 1)
        reload = np.where(self.c.resident == 1, 1, per_row * per_image)
        size = layer.groups * layer.M * (layer.C if not tied else 1) * layer.taps
        weights = (size if layer.kind != "none" else 0) * reload
        weight_count = np.where(self.c.resident == 1, 1, layer.groups * n_z * n_k * reload)
        fresh = np.where(row_outer & (n_z > 1), n_s, 1) * np.where((n_z > 1) | (layer.groups > 1), layer.N, 1)
        records = self.records * (np.ones_like(fresh) if self.records_resident else fresh)
        out = np.full_like(n_s, layer.bytes_of("output") * parts * layer.M // layer.packs * layer.out[0] * layer.out[1])
        second, second_count = self.second_copies()
        none = np.zeros_like(n_s)
        moved = {
            "input": (inputs, input_count),
            "weight": (weights + self.affine, weight_count * (layer.kind != "none") + (layer.affine > 0)),
            "parameter": (records + self.table, self.record_copies(records)),
            "output": (out, parts * n_s * n_z),
            "second": (second, second_count),
        }
        return moved | dict.fromkeys(self.whole, (none, none))

    def second_copies(self) -> tuple[Int, Int]:
        """(bytes, number of transfers) of the second operand: moved where its innermost loop turns."""
        layer = self.layer
        if layer.second is None:
            return np.zeros_like(self.c.rows), np.zeros_like(self.c.rows)
        sizes = layer.sizes("second")
        rows = self.all_sum_rows if "y" in layer.second and not layer.summed_first else sizes["y"]
        size = layer.bytes_of("second") * rows * sizes["n"] * sizes["g"] * sizes["c"] * sizes["x"]
        again, count = (np.where(self.c.order == 0, *pair) for pair in zip(self._turns("ngyc"), self._turns("ngcy")))
        return size * again, count

    def _turns(self, order: str) -> tuple[Int, Int]:
        """(how often the second operand moves again, how many transfers that is) for loops nested in an order."""
        one = np.ones_like(self.c.rows)
        trips = {"n": one * self.layer.N, "g": one * self.layer.groups, "y": self.trips[0], "c": self.trips[1]}
        again = count = held = turns = one
        for letter in order:
            turns = turns * trips[letter]
            if letter in (self.layer.second or ""):
                again = np.where(trips[letter] > 1, held, again)
                count = np.where(trips[letter] > 1, turns, count)
            else:
                held = held * trips[letter]
        return again, count

    def record_copies(self, moved: Int) -> Int:
        """Transfers of parameters, given the bytes of records they move."""
        each = 1 if self.records_resident else self.layer.groups * self.trips[1]
        loads = moved // max(1, self.records) * each
        return loads + (self.table > 0)

    def footprint(self) -> dict[str, Int]:
        """Bytes of each role, all copies of its buffer."""
        layer, c = self.layer, self.c
        left, right = layer.columns()[0]
        weights = c.channels * (c.reduction if layer.kind == "dense" else 1) * layer.taps
        whole = layer.groups * layer.M * (layer.C if layer.kind == "dense" else 1) * layer.taps
        tile = {
            "input": layer.bytes_of("input") * self.depth * self.box_rows * (layer.W + left + right),
            "weight": np.where(c.resident == 1, whole, weights) * (layer.kind != "none"),
            "output": layer.bytes_of("output") * (c.channels // layer.packs) * c.rows * layer.out[1] * (not layer.wide),
            "accumulator": 4 * c.channels * self.sum_rows * layer.sums[1] * (layer.kind != "none"),
            "second": self.second_bytes(),
        }
        count = {"input": c.inputs, "second": c.inputs, "weight": c.weights, "output": c.outputs}
        count |= dict.fromkeys(self.whole, np.zeros_like(c.rows))
        count["accumulator"] = c.outputs if layer.wide else c.sums
        need = {role: count[role] * _aligned(size) for role, size in tile.items()} | {"parameter": self.parameters()}
        need["input"] = need["input"] + need.pop("second")
        need["weight"] = need["weight"] + _aligned(self.affine)
        return need

    def second_bytes(self) -> Int:
        """Bytes of one tile of the second operand."""
        layer, sizes = self.layer, self.layer.sizes("second")
        if layer.second is None:
            return np.zeros_like(self.c.rows)
        channels = np.minimum(self.c.channels, sizes["c"])
        rows = np.minimum(self.c.rows if layer.summed_first else self.sum_rows, sizes["y"])
        return layer.bytes_of("second") * channels * rows * sizes["x"]

    def parameters(self) -> Int:
        """Bytes of the parameter memory in use."""
        tile = _aligned(self.layer.record * self.c.channels) * self.c.outputs
        whole = np.full_like(tile, _aligned(self.records))
        return _aligned(self.table) + (whole if self.records_resident else tile)

    def cycles(self) -> Int:
        """Estimated cycles: the busiest engine, plus one tile of the others.

        Transfers of a buffer in one copy do not overlap with the products, nor products with the post-processing of sums in
        one copy: max(DMA, transfers of single buffers + max(MM, PPU) or MM + PPU) + (DMA + MM + PPU - that) / tiles.
        """
        layer, c, (n_s, n_z, n_k) = self.layer, self.c, self.trips
        runs = layer.N * layer.groups * n_s * n_z
        pixels = self.sum_rows * layer.sums[1]
        if layer.kind == "dense":
            mm = runs * n_k * self._product_cycles(pixels)
        elif layer.kind == "depthwise":
            mm = runs * timing.depthwise(layer.taps, c.channels, pixels, 0, self.arch, self._window()).cycles
        else:
            mm = np.zeros_like(n_s)
        windows = c.rows * layer.out[1] * int(np.prod(layer.pool.kernel)) if layer.pooled else 0
        elements = pixels * (timing.VECTOR_PASSES if layer.vector else 1) + windows
        elements = elements * timing.passes(layer.levels)
        post = runs * (self.arch.ppu.setup_cycles + timing.ceil_div(c.channels, self.arch.ppu.lanes) * elements)
        post = post * (not layer.wide)
        moves = self.dma_cycles()
        dma = sum(moves.values(), np.zeros_like(n_s))
        waiting = sum((moves[role] * alone for role, alone in self._single().items()), np.zeros_like(n_s))
        # what stays comes before all else, while the tile before, taken to be like one of its own, is computed
        waiting = waiting + np.maximum(0, moves["weight"] * c.resident - (mm + post) // (runs * n_k))
        overlap = (c.sums == 2) | (layer.kind == "none") | layer.wide
        busiest = np.maximum(dma, waiting + np.where(overlap, np.maximum(mm, post), mm + post))
        return busiest + (dma + mm + post - busiest) // (runs * n_k)

    def _single(self) -> dict[str, NDArray[np.bool_]]:
        """Whether each role's buffer is filled again and again although there is one copy of it."""
        c = self.c
        return {
            "input": c.inputs == 1,
            "second": c.inputs == 1,
            "weight": (c.weights == 1) & (c.resident == 0),
            "output": c.outputs == 1,
            "parameter": (c.outputs == 1) & (not self.records_resident),
        }

    def _window(self) -> timing.Window:
        (kernel_h, kernel_w), (stride_h, stride_w) = self.layer.window.kernel, self.layer.window.stride
        return timing.Window((kernel_h, kernel_w), (stride_h, stride_w), self.sum_rows)

    def _product_cycles(self, pixels: Int) -> Int:
        """Cycles of one dense MM: the array's alone, or those of a row-stationary one, whose weights come in between."""
        reduction, array = self.c.reduction * self.layer.taps, self.arch.array
        reduction = reduction * timing.turns(self.layer.values, array)
        if array.dataflow == "row-stationary":
            return timing.product(reduction, self.c.channels, pixels, 0, self.arch, self._window()).cycles
        return timing.array_cycles(reduction, self.c.channels, pixels, array)

    def dma_cycles(self) -> dict[str, Int]:
        """Cycles of all transfers of each role as if every tile were a full one, setup and part-filled bursts included."""
        moved, arch = self.copies(), self.arch
        return {
            role: moved[role][1] * timing.dma_cycles(run, runs, arch, constant=role in ("weight", "parameter"))
            for role, (run, runs) in self.runs().items()
        }

    def runs(self) -> dict[str, tuple[Int, Int]]:
        """(bytes, number) of the contiguous pieces of one full tile in DRAM, by role."""
        layer, c = self.layer, self.c
        dense, resident = layer.kind == "dense", self.c.resident == 1
        rows = np.minimum(self.box_rows, layer.H)
        line, each, width = (layer.C if dense else 1) * layer.taps, layer.bytes_of("input"), layer.bytes_of("output")
        made = c.channels // layer.packs
        if layer.matrix:
            inputs, out = (
                _run(each * self.depth, rows, each * layer.C),
                _run(width * made, c.rows, width * layer.M // layer.packs),
            )
        else:
            inputs = _run(each * rows * layer.W, self.depth, each * layer.H * layer.W)
            out = _run(width * c.rows * layer.out[1], made, width * layer.out[0] * layer.out[1])
        weights = _run(c.reduction * layer.taps if dense else c.reduction * 0 + layer.taps, c.channels, line)
        if layer.in_major:
            weights = _run(c.channels, c.reduction, layer.M)
        whole = (np.where(resident, layer.groups * layer.M * line, weights[0]), np.where(resident, 1, weights[1]))
        records = np.full_like(rows, self.records) if self.records_resident else layer.record * c.channels
        second = (self.second_bytes(), np.ones_like(rows))
        one = np.ones_like(rows)
        return {"input": inputs, "output": out, "weight": whole, "parameter": (records, one), "second": second}

    def fits_instructions(self) -> NDArray[np.bool_]:
        """Whether every tile can be said in one instruction."""
        layer, c = self.layer, self.c
        run = c.reduction * layer.taps if layer.kind == "dense" else np.full_like(c.rows, layer.taps)
        lines = c.channels
        if layer.in_major:
            run, lines = c.channels, c.reduction
        whole = (layer.M, layer.C) if layer.in_major else (layer.C * layer.taps, layer.groups * layer.M)
        run = np.where(c.resident == 1, whole[0] if layer.kind == "dense" else layer.taps, run)
        lines = np.where(c.resident == 1, whole[1], lines)
        ok = (c.channels < MAX_CHANNELS) & (self.sum_rows < MAX_ROWS) & (self.box_rows < MAX_ROWS)
        ok &= (
            (layer.bytes_of("input") * self.depth < MAX_RUN)
            & (layer.bytes_of("output") * layer.out[1] * (c.channels if layer.matrix else 1) < MAX_RUN)
            & (max(layer.W, layer.sums[1], layer.out[1]) < MAX_COLUMNS)
        )
        return ok & ((layer.kind == "none") | ((run < MAX_RUN) & (lines < MAX_RUNS)))

    def fits(self) -> NDArray[np.bool_]:
        """Whether the buffers of all roles fit in their memories."""
        need = self.footprint()
        ok = self.fits_instructions()
        for memory in self.arch.memory:
            ok &= sum((need[role] for role in memory.holds), np.zeros_like(self.c.rows)) <= memory.bytes
        return ok
