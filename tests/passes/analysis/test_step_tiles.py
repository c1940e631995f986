"""Tiles within a step: the bound by which cuts are ruled out unseen never exceeds what a tile takes."""

from dataclasses import replace

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.ir.dnn.attributes import Window
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.step_tiles import least_cycles, options


def random_layer(rng):
    kind = ("dense", "depthwise", "none")[rng.integers(3)]
    c, m, k, size = (int(rng.integers(1, n)) for n in (200, 300, 4, 60))
    window = Window.of((k, k), (int(rng.integers(1, 3)),) * 2, (k // 2,) * 4) if kind != "none" else Window.of((1, 1))
    pool = Window.of((2, 2), (2, 2)) if rng.random() < 0.3 else Window.of((1, 1))
    size += k + 2
    return Layer("", kind, 1, 1, m if kind == "dense" else c, c, size, size, window, pool)


@pytest.mark.parametrize("dataflow", ["weight-stationary", "output-stationary", "adder-tree", "row-stationary"])
def test_no_tile_is_faster_than_the_bound(dataflow):
    rng = np.random.default_rng(0)
    arch = load_target("edge")
    arch, near = replace(arch, array=replace(arch.array, dataflow=dataflow)), []
    for _ in range(40):
        layer = random_layer(rng)
        rows, columns = (int(rng.integers(1, n + 1)) for n in layer.out)
        found = options(layer, rows, columns, arch, arch.holding("accumulator").bytes)
        bound = int(least_cycles(layer, np.array([rows]), np.array([columns]), arch)[0])
        least = min((max(o.mm, o.post) + o.stall for o in found), default=bound)
        assert 0 < bound <= least
        near.append(bound / least)
    assert dataflow != "weight-stationary" or np.median(near) > 0.9
