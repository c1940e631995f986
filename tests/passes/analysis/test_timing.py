"""The closed forms against a register-level simulation of a small array, cycle by cycle and value by value."""

from dataclasses import replace

import numpy as np
import pytest

from dnnc.backends.npu.catalog import bundled, load_target
from dnnc.passes.analysis import timing

EDGE = load_target()


def systolic_fold(w: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, int]:
    """One weight-stationary fold on an R x C array, registers only; (sums [pixels, C], cycles).

    Weights enter from the top for R cycles; then pixel t enters row r at cycle t + r, moves right a column a cycle, and
    partial sums move down a row a cycle.
    """
    rows, columns = w.shape
    pixels = len(x)
    stored = np.zeros((rows, columns), np.int64)
    for r in range(rows):
        stored[1:] = stored[:-1].copy()
        stored[0] = w[rows - 1 - r]
    cycles = rows
    inputs, sums = np.zeros((rows, columns), np.int64), np.zeros((rows, columns), np.int64)
    out, done = np.zeros((pixels, columns), np.int64), np.zeros((pixels, columns), bool)
    t = 0
    while not done.all():
        entering = np.array([x[t - r, r] if 0 <= t - r < pixels else 0 for r in range(rows)])
        inputs = np.concatenate([entering[:, None], inputs[:, :-1]], axis=1)
        above = np.concatenate([np.zeros((1, columns), np.int64), sums[:-1]])
        sums = above + stored * inputs
        for c in range(columns):
            p = t - (rows - 1) - c
            if 0 <= p < pixels:
                out[p, c], done[p, c] = sums[-1, c], True
        t += 1
    return out, cycles + t


@pytest.mark.parametrize("pixels", [1, 2, 7, 20])
def test_weight_stationary_fold_equals_the_registers(pixels):
    rng = np.random.default_rng(pixels)
    w, x = rng.integers(-128, 128, (8, 8)), rng.integers(-128, 128, (pixels, 8))
    out, cycles = systolic_fold(w, x)
    np.testing.assert_array_equal(out, x @ w)
    # the published count starts at cycle 0: the last value leaves in that cycle
    array = replace(EDGE.array, rows=8, columns=8)
    assert timing.array_cycles(8, 8, pixels, array) == cycles - 1


@pytest.mark.parametrize("folds", [(1, 1), (2, 3)])
def test_folds_follow_each_other(folds):
    array = replace(EDGE.array, rows=8, columns=8)
    per = systolic_fold(np.ones((8, 8), np.int64), np.ones((5, 8), np.int64))[1]
    assert timing.array_cycles(8 * folds[0], 8 * folds[1], 5, array) == folds[0] * folds[1] * per - 1


def output_stationary_fold(x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, int]:
    """One output-stationary fold on an R x C array, registers only; (sums [R, C], cycles).

    Input k of pixel r enters row r from the left at cycle k + r, weight k of channel c enters column c from the top at
    cycle k + c; both move on by an element a cycle, and each element adds their product to the sum it keeps.
    """
    (rows, depth), columns = x.shape, w.shape[1]
    sums, inputs, weights = (np.zeros((rows, columns), np.int64) for _ in range(3))
    seen = np.zeros((rows, columns), np.int64)
    at = np.add.outer(np.arange(rows), np.arange(columns))
    cycles = 0
    while (seen < depth).any():
        left = np.array([x[r, cycles - r] if 0 <= cycles - r < depth else 0 for r in range(rows)])
        top = np.array([w[cycles - c, c] if 0 <= cycles - c < depth else 0 for c in range(columns)])
        inputs = np.concatenate([left[:, None], inputs[:, :-1]], axis=1)
        weights = np.concatenate([top[None], weights[:-1]])
        sums += inputs * weights
        seen += (at <= cycles) & (cycles < at + depth)
        cycles += 1
    return sums, cycles


@pytest.mark.parametrize("depth", [1, 3, 8, 27])
def test_output_stationary_fold_equals_the_registers(depth):
    rng = np.random.default_rng(depth)
    x, w = rng.integers(-128, 128, (8, depth)), rng.integers(-128, 128, (depth, 8))
    out, cycles = output_stationary_fold(x, w)
    np.testing.assert_array_equal(out, x @ w)
    array = replace(EDGE.array, rows=8, columns=8, dataflow="output-stationary")
    assert timing.array_cycles(depth, 8, 8, array) == cycles - 1
    assert timing.array_cycles(depth, 16, 24, array) == 6 * cycles - 1


@pytest.mark.parametrize(
    ("dataflow", "expected"),
    [("weight-stationary", lambda k, m, p: -(-k // 32) * -(-m // 32) * (2 * 32 + 32 + p - 2) - 1),
     ("output-stationary", lambda k, m, p: -(-p // 32) * -(-m // 32) * (32 + 32 + k - 2) - 1)],
)  # fmt: skip
def test_scale_sim_closed_forms(dataflow, expected):
    """AlexNet's layers (reduction, channels, pixels) on a 32x32 array."""
    array = replace(EDGE.array, rows=32, columns=32, dataflow=dataflow)
    for k, m, p in [(363, 96, 3025), (1200, 256, 729), (2304, 384, 169), (9216, 4096, 1), (4096, 1000, 1)]:
        assert timing.array_cycles(k, m, p, array) == expected(k, m, p)


def test_transfers_take_whole_bursts():
    assert timing.dma_cycles(1, 1, EDGE) == 16 + 32 // 8
    assert timing.dma_cycles(33, 2, EDGE) == 16 + 2 * 64 // 8
    np.testing.assert_array_equal(timing.dma_cycles(np.array([32, 64]), 1, EDGE), [20, 24])


def test_constants_may_come_from_a_slower_memory():
    flash = replace(EDGE, dma=replace(EDGE.dma, constant_bytes_per_cycle=1))
    assert timing.dma_cycles(33, 2, flash) == timing.dma_cycles(33, 2, EDGE)
    np.testing.assert_array_equal(timing.dma_cycles(33, 2, flash, constant=[True, False]), [16 + 128, 16 + 128 // 8])
    np.testing.assert_array_equal(timing.dma_cycles(33, 2, EDGE, constant=[True, False]), [16 + 128 // 8] * 2)


def test_a_narrow_port_binds_the_product():
    slow = replace(
        EDGE, memory=tuple(replace(m, read_bytes_per_cycle=1) if m.name == "scratchpad" else m for m in EDGE.memory)
    )
    cost = timing.product(64, 16, 100, 0, slow)
    assert cost.cycles == cost.input_read + cost.weight_read > timing.product(64, 16, 100, 0, EDGE).cycles


@pytest.mark.parametrize("name", [n for n in bundled() if load_target(n).array.dataflow == "weight-stationary"])
def test_traffic_on_chip_follows_the_folds(name):
    arch = load_target(name)
    r, c = arch.array.rows, arch.array.columns
    cost = timing.product(3 * r, 2 * c, 10, 0, arch)
    assert (cost.macs, cost.weight_read, cost.input_read) == (3 * r * 2 * c * 10, 6 * r * c, 2 * 3 * r * 10)
    assert (cost.accumulator_write, cost.accumulator_read) == (4 * 20 * c * 3, 4 * 20 * c * 2)
    assert timing.product(3 * r, 2 * c, 10, 1, arch).accumulator_read == 4 * 20 * c * 3


@pytest.mark.parametrize("name", [n for n in bundled() if load_target(n).array.dataflow == "adder-tree"])
def test_adder_trees_keep_sums_and_read_weights_for_every_pixel(name):
    arch = load_target(name)
    r, c = arch.array.rows, arch.array.columns
    wide = replace(arch, memory=tuple(replace(m, read_bytes_per_cycle=1 << 16) for m in arch.memory))
    cost = timing.product(3 * r, 2 * c, 40, 0, wide)
    assert (cost.macs, cost.weight_read, cost.input_read) == (6 * r * c * 40, 6 * r * c * 40, 2 * 3 * r * 40)
    assert (cost.accumulator_write, cost.accumulator_read) == (4 * 80 * c, 0)
    assert cost.cycles == tree_cycles(3 * r, 2 * c, 40, r, c)


def tree_cycles(reduction: int, channels: int, pixels: int, r: int, c: int) -> int:
    """Adder trees stage by stage: a set of products enters each cycle, and leaves after as many as the tree is deep."""
    waiting = [(p, m, k) for p in range(pixels) for m in range(0, channels, c) for k in range(0, reduction, r)]
    stages: list = [None] * (1 + (r - 1).bit_length())
    done = cycles = 0
    while done < len(waiting):
        stages = [waiting[cycles] if cycles < len(waiting) else None, *stages[:-1]]
        done += stages[-1] is not None
        cycles += 1
    return cycles


def row_stationary(
    w: np.ndarray, x: np.ndarray, rows: int, columns: int, depthwise: bool = False
) -> tuple[np.ndarray, int, int]:
    """Rows x columns elements, a product each a cycle; (sums [M, E, F], cycles, turns of partial sums that leave).

    An element slides a row of a filter over a row of inputs; its sum of kernel_w products joins what the element below
    gave a cycle before. Columns of elements stand where there is room; each makes one row of sums of one filter.
    """
    m, _, taps_h, taps_w = w.shape
    inner, height, width = (1 if depthwise else x.shape[0]), x.shape[1] - taps_h + 1, x.shape[2] - taps_w + 1
    out, cycles, used = np.zeros((m, height, width), np.int64), 0, min(taps_h, rows)
    places = max(1, rows // taps_h)
    stacked = min(places, inner)
    strips = [range(at, min(at + columns, height)) for at in range(0, height, columns)]
    beside = min(places // stacked, len(strips))
    filters = max(1, columns // height) * (places // beside if depthwise else 1)
    for strip_group in (strips[i : i + beside] for i in range(0, len(strips), beside)):
        for first in range(0, m, filters):
            for channels in (range(i, min(i + stacked, inner)) for i in range(0, inner, stacked)):
                for fold in (range(i, min(i + rows, taps_h)) for i in range(0, taps_h, rows)):
                    chains = [(f, c, e) for f in range(first, min(first + filters, m)) for c in channels
                              for strip in strip_group for e in strip]  # fmt: skip
                    assert len(chains) * len(fold) <= rows * columns
                    cycles += run_chains(w, x, chains, fold, out, depthwise)
    # the next round starts in an element as soon as it is through with the last: the skew is paid once
    return out, cycles + used - 1, used


def run_chains(w, x, chains, fold, out, depthwise) -> int:
    """Columns of elements in lockstep, bottom one first; cycles in which an element is busy."""
    taps_w, width = w.shape[3], out.shape[2]
    for f, c, e in chains:
        registers = np.zeros(len(fold), np.int64)
        passed: list[dict[int, int]] = [{} for _ in fold]
        for cycle in range(width * taps_w + len(fold) - 1):
            for i, r in enumerate(fold):
                at, tap = divmod(cycle - i, taps_w)
                if not 0 <= at < width:
                    continue
                registers[i] = (registers[i] if tap else 0) + w[f, 0 if depthwise else c, r, tap] * x[
                    f if depthwise else c, e + r, at + tap
                ]
                if tap == taps_w - 1:
                    assert i == 0 or at in passed[i - 1]
                    passed[i][at] = registers[i] + (passed[i - 1][at] if i else 0)
        out[f, e] += [passed[-1][at] for at in range(width)]
    return width * taps_w


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(
    ("channels", "filters", "kernel", "size"),
    [(3, 4, (3, 3), (7, 6)), (5, 3, (1, 1), (2, 5)), (2, 3, (5, 2), (13, 6)), (1, 2, (7, 3), (9, 5)), (4, 5, (2, 3), (20, 4))],
)  # fmt: skip
def test_row_stationary_equals_the_registers(channels, filters, kernel, size, depthwise):
    rng = np.random.default_rng(0)
    inner, channels = (1, filters) if depthwise else (channels, channels)
    w = rng.integers(-128, 128, (filters, inner, *kernel))
    x = rng.integers(-128, 128, (channels, *size))
    out, cycles, _ = row_stationary(w, x, 6, 4, depthwise)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, (1, 2))
    wanted = "cefij,cij->cef" if depthwise else "cefij,mcij->mef"
    np.testing.assert_array_equal(out, np.einsum(wanted, windows, w[:, 0] if depthwise else w))
    array = replace(load_target("eyeriss").array, rows=6, columns=4)
    window = timing.Window(kernel, (1, 1), out.shape[1])
    found = timing.row_mapping(inner, filters, out[0].size, window, array, depthwise)
    assert found.cycles == cycles


@pytest.mark.parametrize(
    ("c", "m", "size", "kernel", "stride", "busy"),
    [(3, 96, 55, 11, 4, 154), (48, 128, 27, 5, 1, 135), (256, 384, 13, 3, 1, 156), (192, 192, 13, 3, 1, 156)],
)
def test_eyeriss_keeps_its_elements_busy_on_alexnet(c, m, size, kernel, stride, busy):
    """The elements at work that the paper states, less what a last strip of fewer rows leaves idle."""
    window = timing.Window((kernel, kernel), (stride, stride), size)
    found = timing.row_mapping(c, m, size * size, window, load_target("eyeriss").array, False)
    at_work = c * m * size * size * kernel**2 / (found.cycles - kernel + 1)
    assert 0.95 * busy <= at_work <= busy


def test_a_row_stationary_array_moves_what_its_elements_do_not_keep():
    """AlexNet's third layer: 13 rows fit one strip; 4 channels stacked, 8 deep, 12 filters held."""
    arch = load_target("eyeriss")
    cost = timing.product(256 * 9, 384, 169, 0, arch, timing.Window((3, 3), (1, 1), 13))
    assert cost.macs == 384 * 169 * 256 * 9
    assert cost.weight_read == 384 * 256 * 9
    assert cost.input_read == 384 // 12 * 256 * 15 * 15
    assert (cost.accumulator_write, cost.accumulator_read) == (4 * 384 * 169 * 8, 4 * 384 * 169 * 7)
    assert cost.cycles == 64 * 384 * 39 + 2 + cost.weight_read // 8


def test_ppu_works_on_lanes_of_channels():
    lanes, setup = EDGE.ppu.lanes, EDGE.ppu.setup_cycles
    assert timing.post(lanes, 100, 0, {}, 0, EDGE) == setup + 100
    assert timing.post(lanes + 1, 100, 25, {}, 0, EDGE) == setup + 250
