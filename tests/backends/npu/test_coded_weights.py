"""Weights in Rice blocks: whichever way a layer cuts and orders its weights, the chip holds the same bytes."""

from dataclasses import replace

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.target import Executable, assemble
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.sched import CopyOp
from dnnc.ir.weights import store_of
from dnnc.passes.encode_weights import EncodeWeightsPass
from dnnc.passes.plan_memory import PlanMemoryPass
from dnnc.passes.tile import TilePass

LAYERS = {
    "fc": lambda n: n.flatten().fc(40),
    "fc, weights in by out": lambda n: n.flatten().fc(40, trans_b=False),
    "large fc, weights in by out": lambda n: n.flatten().fc(700, trans_b=False).fc(300, trans_b=False),
    "conv": lambda n: n.conv(24, 3, pad=1).conv(16, 1),
    "grouped conv": lambda n: n.conv(16, 3, groups=2),
    "depthwise conv": lambda n: n.conv(8, 3, groups=8),
}


class Few:
    """A generator whose bytes are mostly zero, so that a code is short."""

    def __init__(self, rng):
        self.rng = rng

    def __getattr__(self, name):
        return getattr(self.rng, name)

    def integers(self, low, high, size=None):
        if (low, high) == (-127, 128):
            return self.rng.choice([0, 1, -3], size, p=[0.8, 0.1, 0.1])
        return self.rng.integers(low, high, size)


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_the_chip_holds_the_same_weights(name, small, nets):
    net = nets.Net((1, 8, 9, 7))
    net.rng = Few(net.rng)
    LAYERS[name](net)
    module, ctx = net.done()
    x = np.random.default_rng(1).normal(0, 1.5, (1, 8, 9, 7)).astype(np.float32)
    want = evaluate(module, [x], store_of(ctx))[0]
    # the small target cuts the weights of most layers
    arch = nets.small(3000) if small else load_target("u55-128")
    arch = replace(arch, dma=replace(arch.dma, decoders=("dense", "rice")))
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(arch)
    for step in (TilePass(), EncodeWeightsPass(), PlanMemoryPass()):
        step.apply(ctx, module)
    assert any(op.coded is not None for op in main_function(module).walk() if isinstance(op, CopyOp))
    (got,), _ = Executable(assemble(module, ctx), arch).run([x])
    np.testing.assert_array_equal(got, want)
