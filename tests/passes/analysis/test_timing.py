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


def test_ppu_works_on_lanes_of_channels():
    lanes, setup = EDGE.ppu.lanes, EDGE.ppu.setup_cycles
    assert timing.post(lanes, 100, 0, {}, 0, EDGE) == setup + 100
    assert timing.post(lanes + 1, 100, 25, {}, 0, EDGE) == setup + 250
