"""Cycles, port bytes and MACs of one instruction, as closed forms over plain integers and `Accelerator`.

Search, report and simulator all call these functions, so what they say agrees. Every argument may be an int or an int64
array; arrays broadcast, one element per instruction or per candidate tile.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dnnc.ir.arch import Accelerator, Array

Int = NDArray[np.int64]

CONTROL_CYCLES = 1
"""A SET or control instruction occupies its queue for one cycle."""

VECTOR_PASSES = 3
"""Times a softmax or a normalization reads its elements: for the maximum or mean, for the sum, for the result."""


LEVELS_A_PASS = 16
"""Thresholds a lane of the post-processing unit compares an element with in a cycle."""


@dataclass(frozen=True)
class Cost:
    """What an MM takes: cycles, MACs, and bytes read and written on chip by role of memory."""

    cycles: Int
    macs: Int
    input_read: Int
    weight_read: Int
    accumulator_read: Int
    accumulator_write: Int


@dataclass(frozen=True)
class Window:
    """The sliding window behind an MM, which row-stationary arrays see: its kernel and stride, and the rows of sums."""

    kernel: tuple[ArrayLike, ArrayLike]
    stride: tuple[ArrayLike, ArrayLike]
    rows: ArrayLike


ONE_ROW = Window((1, 1), (1, 1), 1)
"""A matrix product whose pixels are one row of sums."""


def ceil_div(a: ArrayLike, b: ArrayLike) -> Int:
    """ceil(a / b) of integers."""
    return -(-np.asarray(a, np.int64) // np.asarray(b, np.int64))


def passes(levels: ArrayLike) -> Int:
    """Times an element goes through a lane: max(1, ceil(levels / 16)) for so many thresholds."""
    return np.maximum(1, ceil_div(levels, LEVELS_A_PASS))


def bursts(run: ArrayLike, runs: ArrayLike, arch: Accelerator) -> Int:
    """Bytes that `runs` contiguous pieces of `run` bytes occupy on the DRAM bus: whole bursts."""
    return ceil_div(run, arch.dma.burst_bytes) * arch.dma.burst_bytes * np.asarray(runs, np.int64)


def dma_cycles(
    run: ArrayLike,
    runs: ArrayLike,
    arch: Accelerator,
    pieces: ArrayLike = 0,
    constant: ArrayLike = False,
    decoded: ArrayLike = 0,
    spilled: ArrayLike = False,
) -> Int:
    """Cycles of a transfer: setup + max(`bus_cycles`, `chip_cycles`)."""
    bus = bus_cycles(run, runs, arch, constant, spilled)
    return arch.dma.setup_cycles + np.maximum(bus, chip_cycles(arch, pieces, decoded))


def bus_cycles(
    run: ArrayLike, runs: ArrayLike, arch: Accelerator, constant: ArrayLike = False, spilled: ArrayLike = False
) -> Int:
    """Cycles of a transfer off chip: ceil(runs * ceil(run / burst) * burst / bytes_per_cycle).

    `constant` is whether the bytes are constants, which may have a bandwidth of their own, as what is `spilled` may.
    """
    width = np.where(spilled, arch.dma.spill_bandwidth, arch.dma.bytes_per_cycle)
    return ceil_div(bursts(run, runs, arch), np.where(constant, arch.dma.constant_bandwidth, width))


def chip_cycles(arch: Accelerator, pieces: ArrayLike, decoded: ArrayLike) -> Int:
    """Cycles of a transfer on chip: max(pieces, ceil(decoded / decoded_bytes_per_cycle)).

    `pieces` is the number of contiguous stretches there, of which one a cycle is begun; `decoded` the bytes that come out of
    the decoder.
    """
    return np.maximum(ceil_div(decoded, arch.dma.decoded_bytes_per_cycle), np.asarray(pieces, np.int64))


def array_cycles(reduction: ArrayLike, channels: ArrayLike, pixels: ArrayLike, array: Array) -> Int:
    """Cycles of a [pixels x reduction] by [reduction x channels] product, fill and drain included.

    Weight-stationary: ceil(K/R) * ceil(M/C) * (2R + C + P - 2) - 1. Output-stationary: ceil(P/R) * ceil(M/C) *
    (R + C + K - 2) - 1. Both equal SCALE-Sim's counts. Adder tree, C dot products of R a cycle through a pipeline of one
    multiplier and ceil(log2 R) adders: ceil(K/R) * ceil(M/C) * P + ceil(log2 R).
    """
    r, c = array.rows, array.columns
    if array.dataflow == "adder-tree":
        return ceil_div(reduction, r) * ceil_div(channels, c) * np.asarray(pixels, np.int64) + (r - 1).bit_length()
    if array.dataflow == "weight-stationary":
        return ceil_div(reduction, r) * ceil_div(channels, c) * (2 * r + c - 2 + np.asarray(pixels, np.int64)) - 1
    return ceil_div(pixels, r) * ceil_div(channels, c) * (r + c - 2 + np.asarray(reduction, np.int64)) - 1


def turns(values: ArrayLike, array: Array) -> Int:
    """Cycles a processing element takes for one pair of bytes: 1, and 8 / bits a cycle of packed values, several in a byte."""
    return np.where(np.asarray(values) > 1, ceil_div(8, max(1, array.bits_per_cycle)), 1)


def product(
    reduction: ArrayLike,
    channels: ArrayLike,
    pixels: ArrayLike,
    accumulate: ArrayLike,
    arch: Accelerator,
    window: Window = ONE_ROW,
    values: ArrayLike = 1,
) -> Cost:
    """One MM: channels x pixels sums of `reduction` products; `accumulate` adds to what the accumulators hold.

    Inputs stream once per fold over the columns. Weight-stationary arrays read weights once, and write partial sums once
    per fold over the reduction, to be read back on all but the first. Output-stationary ones keep the sums inside and read
    weights once per fold over the pixels; adder trees read them for every pixel. With several `values` in a byte the
    reduction is counted in bytes.
    """
    k, m, p = (np.asarray(a, np.int64) for a in (reduction, channels, pixels))
    if arch.array.dataflow == "row-stationary":
        return _by_rows(k // _taps(window), m, p, accumulate, arch, window, depthwise=False)
    stationary = arch.array.dataflow == "weight-stationary"
    long = k * turns(values, arch.array)
    k_folds = ceil_div(long, arch.array.rows) if stationary else np.ones_like(k)
    weight_folds = {"weight-stationary": np.ones_like(p), "adder-tree": p}.get(
        arch.array.dataflow, ceil_div(p, arch.array.rows)
    )
    again = k_folds - 1 + np.asarray(accumulate, np.int64)
    inputs, sums = ceil_div(m, arch.array.columns) * k * p, 4 * m * p
    return _with_ports(
        array_cycles(long, m, p, arch.array),
        k * m * p * np.asarray(values, np.int64),
        inputs,
        k * m * weight_folds,
        sums * again,
        sums * k_folds,
        arch,
    )


def depthwise(
    taps: ArrayLike,
    channels: ArrayLike,
    pixels: ArrayLike,
    accumulate: ArrayLike,
    arch: Accelerator,
    window: Window = ONE_ROW,
) -> Cost:
    """One depthwise MM: each channel sums its own `taps` products per pixel, `depthwise_lanes` channels side by side.

    ceil(taps/R) * ceil(M/lanes) * (2R + C + P - 2) - 1 cycles, each column fed with its own channel; adder trees fill
    once: ceil(taps/R) * ceil(M/lanes) * P + ceil(log2 R).
    """
    k, m, p = (np.asarray(a, np.int64) for a in (taps, channels, pixels))
    if arch.array.dataflow == "row-stationary":
        return _by_rows(np.ones_like(k), m, p, accumulate, arch, window, depthwise=True)
    a, k_folds = arch.array, ceil_div(k, arch.array.rows)
    folds = k_folds * ceil_div(m, a.depthwise_lanes)
    tree = a.dataflow == "adder-tree"
    cycles = folds * p + (a.rows - 1).bit_length() if tree else folds * (2 * a.rows + a.columns - 2 + p) - 1
    again = k_folds - 1 + np.asarray(accumulate, np.int64)
    return _with_ports(cycles, k * m * p, k * m * p, k * m, 4 * m * p * again, 4 * m * p * k_folds, arch)


def _taps(window: Window) -> Int:
    return np.asarray(window.kernel[0], np.int64) * np.asarray(window.kernel[1], np.int64)


@dataclass(frozen=True)
class RowMapping:
    """How a row-stationary array shares out one MM: turns its elements take, and cycles without the loading of weights."""

    strip_turns: Int
    channel_turns: Int
    """Times partial sums leave the array: ceil(C / (channels stacked * channels an element holds))."""
    filter_turns: Int
    """Times an input row comes in: ceil(M / (filters side by side * filters an element holds))."""
    strips: Int
    cycles: Int


def row_mapping(
    inner: ArrayLike, channels: ArrayLike, pixels: ArrayLike, window: Window, array: Array, depthwise: bool
) -> RowMapping:
    """The mapping of `channels` filters over `inner` input channels each, on R x C processing elements.

    kernel_h elements in a column make one row of sums: each slides one row of the filter over one row of the input, a
    product a cycle, and adds what comes from below. A strip is C rows of sums; floor(C / rows) filters stand side by side
    when the sums have fewer. The floor(R / kernel_h) places above one another take input channels, then strips (then
    filters, when depthwise). Cycles: ceil(kernel_h / R) * turns * columns * kernel_w + min(kernel_h, R) - 1.
    """
    c, m, e = (np.asarray(a, np.int64) for a in (inner, channels, window.rows))
    taps_h, taps_w = (np.asarray(a, np.int64) for a in window.kernel)
    places, strips = np.maximum(1, array.rows // taps_h), ceil_div(e, array.columns)
    deep = np.clip(array.pe_input_bytes // taps_w, 1, c)
    held = np.clip(array.pe_weight_bytes // (deep * taps_w), 1, max(1, array.pe_sum_bytes // 4))
    stacked = np.minimum(places, c)
    beside = np.minimum(places // stacked, strips)
    filters = np.maximum(1, array.columns // e) * (places // beside if depthwise else np.ones_like(m))
    strip_turns = ceil_div(strips, beside)
    turns = ceil_div(taps_h, array.rows) * strip_turns * ceil_div(m, filters) * ceil_div(c, stacked)
    cycles = turns * ceil_div(pixels, e) * taps_w + np.minimum(taps_h, array.rows) - 1
    return RowMapping(strip_turns, ceil_div(c, deep * stacked), ceil_div(m, filters * held), strips, cycles)


def _by_rows(c: Int, m: Int, p: Int, accumulate: ArrayLike, arch: Accelerator, window: Window, depthwise: bool) -> Cost:
    """An MM of a row-stationary array: weights come in before each strip and are not hidden behind the products."""
    found = row_mapping(c, m, p, window, arch.array, depthwise)
    e, columns = np.asarray(window.rows, np.int64), ceil_div(p, window.rows)
    (taps_h, taps_w), (down, right) = (
        [np.asarray(n, np.int64) for n in pair] for pair in (window.kernel, window.stride)
    )
    heights, widths = (e - found.strips) * down + found.strips * taps_h, (columns - 1) * right + taps_w
    inputs = (m if depthwise else c * found.filter_turns) * heights * widths
    weights = c * m * _taps(window) * found.strip_turns
    again, sums = found.channel_turns - 1 + np.asarray(accumulate, np.int64), 4 * m * p
    loading = ceil_div(weights, arch.holding("weight").read_bytes_per_cycle)
    macs = c * m * _taps(window) * p
    return _with_ports(found.cycles + loading, macs, inputs, weights, sums * again, sums * found.channel_turns, arch)


def _with_ports(compute: Int, macs: Int, inputs: Int, weights: Int, read: Int, written: Int, arch: Accelerator) -> Cost:
    """The slower of the array and of every memory port it uses."""
    reads = {"input": inputs, "weight": weights, "accumulator": read}
    ports = [_port_cycles(reads, m.holds, m.read_bytes_per_cycle) for m in arch.memory]
    ports.append(ceil_div(written, arch.holding("accumulator").write_bytes_per_cycle))
    cycles = np.maximum.reduce(np.broadcast_arrays(compute, *ports))
    return Cost(cycles, macs, inputs, weights, read, written)


def _port_cycles(read: Mapping[str, ArrayLike], holds: tuple[str, ...], width: int) -> Int:
    return ceil_div(sum((np.asarray(b, np.int64) for role, b in read.items() if role in holds), np.int64(0)), width)


def post(
    channels: ArrayLike,
    elements: ArrayLike,
    windows: ArrayLike,
    read: Mapping[str, ArrayLike],
    written: ArrayLike,
    arch: Accelerator,
) -> Int:
    """Cycles of one PPU instruction: max(setup + ceil(channels / lanes) * (elements + windows), every port it uses).

    `elements` per channel pass through the scaling stages; `windows` per channel are the taps of all pooling windows.
    `read` is in bytes by role, `written` in bytes of the output memory.
    """
    per_channel = np.asarray(elements, np.int64) + np.asarray(windows, np.int64)
    compute = arch.ppu.setup_cycles + ceil_div(channels, arch.ppu.lanes) * per_channel
    ports = [_port_cycles(read, m.holds, m.read_bytes_per_cycle) for m in arch.memory]
    ports.append(ceil_div(written, arch.holding("output").write_bytes_per_cycle))
    return np.maximum.reduce(np.broadcast_arrays(compute, *ports))
