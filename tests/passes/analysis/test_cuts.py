"""Cuts of a stack: what is ruled out unseen, by a bound of its bytes and cycles, could not have been better."""

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.ir.dnn.attributes import Window
from dnnc.passes.analysis.cuts import cuts
from dnnc.passes.analysis.depth_first import chosen
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.stack import Member, Stack, Tensor

ANY = 1 << 62


def random_stack(rng):
    """Convolutions, dense and depthwise, in strides of 1 and 2, one after another; some first or last values stay on chip."""
    batch, c, size = (int(rng.integers(low, high)) for low, high in ((1, 3), (1, 24), (10, 40)))
    tensors = [Tensor(c, (size, size), loaded=True, stays=bool(rng.random() < 0.3))]
    members = []
    for i in range(int(rng.integers(2, 5))):
        kind = ("dense", "depthwise")[rng.integers(2)]
        m = int(rng.integers(1, 40)) if kind == "dense" else c
        window = Window.of((3, 3), (int(rng.integers(1, 3)),) * 2, (1,) * 4)
        layer = Layer("", kind, batch, 1, m, c, size, size, window, Window.of((1, 1)))
        c, size = m, layer.out[0]
        tensors.append(Tensor(c, (size, size)))
        members.append(Member(layer, i, i + 1))
    return Stack(tuple(tensors), tuple(members))


@pytest.mark.parametrize("target", ["edge", "eyeriss", "tpu-v1", "u55-128"])
def test_no_plan_is_below_the_bound_of_its_cut(target):
    rng, arch, looked = np.random.default_rng(0), load_target(target), 0
    for stack in (random_stack(rng) for _ in range(12)):
        for bounded in cuts(stack, arch, ANY, ANY):
            plan = chosen(bounded.cut, arch)
            if plan is not None:
                assert bounded.cycles <= plan.cycles and bounded.dram_bytes <= plan.dram_bytes
                looked += 1
    assert looked > 100
