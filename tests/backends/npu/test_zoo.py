"""Networks people know, quantized on random samples: the simulator's bits are the interpreter's, on every target."""

from pathlib import Path

import numpy as np
import pytest

import dnnc
from dnnc.api import load_target
from dnnc.backends.npu.catalog import bundled
from dnnc.backends.npu.verify import verify
from dnnc.ir.interpret import main_function
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.traffic import traffic
from dnnc.zoo import ZOO

EXAMPLES = sorted((Path(__file__).parents[3] / "docs" / "examples").glob("*.dnn"))
SMALL = ("resnet8", "ds_cnn", "toyadmos_autoencoder", "lenet_300_100")
LARGE = ("alexnet", "googlenet", "mobilenet_v1_025", "overfeat_fast", "resnet50", "vgg16")
BIG_EXAMPLES = ("alexnet", "vgg16")
LIBRARIES = ("layers",)


TRANSFORMER = """
network block
input data: f32[1, 16, 32]
n = layer_norm(data, ones(f32[32]), zeros(f32[32]), axis=2)
x = reshape(n, shape=[16, 32])
q = transpose(reshape(matmul(x, he(f32[32, 32])), shape=[16, 2, 16]), perm=[1, 0, 2])
k = transpose(reshape(matmul(x, he(f32[32, 32])), shape=[16, 2, 16]), perm=[1, 2, 0])
v = transpose(reshape(matmul(x, he(f32[32, 32])), shape=[16, 2, 16]), perm=[1, 0, 2])
p = softmax(matmul(q, k), axis=2)
heads = reshape(transpose(matmul(p, v), perm=[1, 0, 2]), shape=[16, 32])
r = add(matmul(heads, he(f32[32, 32])), x)
y = add(matmul(gelu(matmul(r, he(f32[32, 64]))), he(f32[64, 32])), r)
output y
"""


def check(network, target):
    """Compile, verify, simulate; compare bits and bytes."""
    shapes = [shape_of(a.type) for a in main_function(network.module).body.block.args]
    rng = np.random.default_rng(0)
    samples = [rng.normal(0, 1, (2 * shape[0], *shape[1:])).astype(np.float32) for shape in shapes]
    quantized = network.name == "quantized"
    program = dnnc.compile(network, target=target, calibrate=None if quantized else samples)
    assert program.npu is not None
    assert program.graph is not None
    inputs = [s[: shape[0]] for s, shape in zip(samples, shapes)]
    for got, want in zip(program.run(*inputs), program.graph.run(*inputs), strict=True):
        np.testing.assert_array_equal(got, want)
        assert want.size == 1 or len(np.unique(want)) > 1
    assert verify(program.npu, load_target(target)) == []
    moved, trace = traffic(program.network.module), program.trace()
    assert (moved.read, moved.write) == tuple(trace.slice(engine=e)["bytes"].sum() for e in ("ld", "st"))


@pytest.mark.parametrize("name", SMALL)
def test_small_networks(name):
    check(dnnc.load(ZOO[name](0)), "edge")


@pytest.mark.parametrize(
    "path", [p for p in EXAMPLES if p.stem not in (*BIG_EXAMPLES, *LIBRARIES)], ids=lambda p: p.stem
)
def test_examples(path):
    check(dnnc.load(path), "tiny")


@pytest.mark.parametrize("target", ["edge", "tiny"])
def test_a_transformer_block(target, tmp_path):
    path = tmp_path / "block.dnn"
    path.write_text(TRANSFORMER)
    check(dnnc.load(path), target)


@pytest.mark.full
@pytest.mark.parametrize("target", bundled())
@pytest.mark.parametrize("name", SMALL)
def test_small_networks_on_every_target(name, target):
    check(dnnc.load(ZOO[name](0)), target)


@pytest.mark.full
@pytest.mark.parametrize("name", LARGE)
def test_large_networks(name):
    check(dnnc.load(ZOO[name](0)), "edge")


@pytest.mark.full
@pytest.mark.parametrize("path", [p for p in EXAMPLES if p.stem in BIG_EXAMPLES], ids=lambda p: p.stem)
def test_large_examples(path):
    check(dnnc.load(path), "edge")
