"""The simulator's bits are the interpreter's on several targets, whichever way the queues interleave."""

import numpy as np
import pytest

import dnnc
from dnnc.api import load_target
from dnnc.backends.npu.catalog import bundled
from dnnc.backends.npu.target import Executable
from dnnc.ir.interpret import main_function
from dnnc.ir.types import shape_of
from dnnc.zoo import ZOO

SEEDS = (1, 2, 3)
SMALL = ("lenet5", "toyadmos_autoencoder")
MEDIUM = ("resnet8", "ds_cnn", "mobilenet_v1_025")
LARGE = ("alexnet", "vgg16", "googlenet", "resnet50")
TARGETS = ("edge", "eyeriss", "tiny", "u55-128")


def quantized(name):
    """(the int8 network, an input of normal numbers)."""
    network = dnnc.load(ZOO[name](0))
    shape = shape_of(main_function(network.module).body.block.args[0].type)
    samples = np.random.default_rng(0).normal(0, 1, (2 * shape[0], *shape[1:])).astype(np.float32)
    graph = dnnc.compile(network, emit="ir", pipeline="int8", calibrate=[samples]).network
    return graph, samples[: shape[0]]


def check(name, targets):
    """Every target and seed gives the interpreter's bits, and runs of different seeds differ in order alone."""
    graph, x = quantized(name)
    (want,) = graph.run(x)
    assert len(np.unique(want)) > 1
    for target in targets:
        program = dnnc.compile(graph, target=target, pipeline="fuse-layers,tile,encode-weights,plan-memory").npu
        orders = set()
        for seed in SEEDS:
            (got,), run = Executable(program, load_target(target)).run([x], seed)
            np.testing.assert_array_equal(got, want, f"{name} on {target}, seed {seed}")
            orders.add(run.trace["index"].tobytes())
        assert len(orders) > 1


@pytest.mark.parametrize("name", SMALL)
def test_small_networks(name):
    check(name, TARGETS)


@pytest.mark.full
@pytest.mark.parametrize("name", (*SMALL, *MEDIUM))
def test_every_target(name):
    check(name, bundled())


@pytest.mark.full
@pytest.mark.parametrize("name", LARGE)
def test_large_networks(name):
    check(name, ("edge", "eyeriss"))
