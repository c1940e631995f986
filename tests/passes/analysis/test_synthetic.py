"""Inputs made up: slopes as differences give them, statistics met, the same each time, refusals."""

import numpy as np
import pytest

from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import main_function
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes import pipeline
from dnnc.passes.analysis.gradients import gradient
from dnnc.passes.analysis.sources import samples_of
from dnnc.passes.analysis.synthetic import Matching, drawn, is_data_free, stated, synthesize
from dnnc.passes.calibrate import range_of

RULES = {
    "conv": (
        "dnn.conv %a, %b window = <[3, 3], stride [2, 1], pad [1, 0, 1, 2]> groups = 2",
        (2, 6, 4, 6),
        (2, 4, 7, 6),
        (6, 2, 3, 3),
    ),
    "dilated": ("dnn.conv %a, %b window = <[2, 2], dilation [2, 2]>", (1, 3, 4, 4), (1, 2, 6, 6), (3, 2, 2, 2)),
    "matmul": ("dnn.matmul %a, %b trans_b", (3, 5), (3, 4), (5, 4)),
    "stacked": ("dnn.matmul %a, %b trans_a", (2, 3, 5), (2, 4, 3), (4, 5)),
    "max_pool": ("dnn.max_pool %a window = <[3, 3], stride [2, 2], pad [1, 1, 1, 1]>", (1, 2, 4, 4), (1, 2, 7, 7)),
    "avg_pool": ("dnn.avg_pool %a window = <[3, 3], stride [2, 2], pad [1, 1, 1, 1]>", (1, 2, 4, 4), (1, 2, 7, 7)),
    "mean": ("dnn.reduce_mean %a axes = [2, 3] keepdims", (2, 3, 1, 1), (2, 3, 4, 5)),
    "relu": ("dnn.relu %a", (5, 7), (5, 7)),
    "sigmoid": ("dnn.sigmoid %a", (5, 7), (5, 7)),
    "repeated": ("dnn.mul %a, %b", (2, 3, 4), (2, 3, 4), (3, 1)),
    "transpose": ("dnn.transpose %a perm = [2, 0, 1]", (4, 2, 3), (2, 3, 4)),
    "pad": ("dnn.pad %a before = [0, 1] after = [2, 0]", (4, 4), (2, 3)),
    "concat": ("dnn.concat [%a, %b] axis = 1", (2, 7), (2, 3), (2, 4)),
}


def type_of(shape):
    return f"tensor<{'x'.join(map(str, shape))}xf32>"


@pytest.mark.parametrize("rule", RULES)
def test_slopes_are_those_of_differences(main_program, rule):
    text, made, *shapes = RULES[rule]
    module, _ = main_program(text, *map(type_of, shapes), result=type_of(made))
    op = main_function(module).body.block.first_op
    rng = np.random.default_rng(0)
    x = [rng.normal(size=s).astype(np.float32) for s in shapes]
    y = op.run(x)[0]
    g = rng.normal(size=y.shape).astype(np.float32)
    for i in range(len(x)):
        found = gradient(op, i, x, y, g)
        if found is None:
            assert rule in ("conv", "dilated") and i == 1
            continue
        d = rng.normal(size=shapes[i]).astype(np.float32) * np.float32(1e-3)
        high, low = (op.run([*x[:i], x[i] + s * d, *x[i + 1 :]])[0] for s in (1, -1))
        assert (found * d).sum() == pytest.approx((g * (high - low)).sum() / 2, rel=0.02, abs=2e-5)


NETWORK = """
func.func @main(%x: tensor<1x2x12x12xf32>) -> tensor<1x4xf32> {
  %w1 = dnn.const key = "w1" : () -> tensor<6x2x3x3xf32>
  %w2 = dnn.const key = "w2" : () -> tensor<4x6x3x3xf32>
  %one = dnn.const key = "one" : () -> tensor<6xf32>
  %mean = dnn.const key = "mean" : () -> tensor<6xf32>
  %var = dnn.const key = "var" : () -> tensor<6xf32>
  %1 = dnn.conv %x, %w1 window = <[3, 3]> : (tensor<1x2x12x12xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x10x10xf32>
  %2 = dnn.batch_norm %1, %one, %mean, %mean, %var
    : (tensor<1x6x10x10xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<1x6x10x10xf32>
  %3 = dnn.relu %2 : (tensor<1x6x10x10xf32>) -> tensor<1x6x10x10xf32>
  %4 = dnn.conv %3, %w2 window = <[3, 3]> : (tensor<1x6x10x10xf32>, tensor<4x6x3x3xf32>) -> tensor<1x4x8x8xf32>
  %5 = dnn.reduce_mean %4 axes = [2, 3] : (tensor<1x4x8x8xf32>) -> tensor<1x4xf32>
  func.return %5 : tensor<1x4xf32>
}
"""


@pytest.fixture
def network(program):
    """A network trained on inputs around 40 times as large as the noise, for all its batch norm says."""
    rng, store = np.random.default_rng(0), WeightStore()
    for key, shape in {"w1": (6, 2, 3, 3), "w2": (4, 6, 3, 3)}.items():
        store.add(key, rng.normal(size=shape).astype(np.float32))
    store.add("one", np.ones(6, np.float32))
    store.add("mean", rng.normal(size=6).astype(np.float32) * 10)
    store.add("var", (40 * rng.uniform(1, 4, size=6)).astype(np.float32) ** 2)
    return program(NETWORK, store)


def test_made_inputs_meet_what_batch_norms_have_stored(network):
    module, ctx = network
    made = synthesize(module, store_of(ctx))
    noise = [[drawn((1, 2, 12, 12), np.random.default_rng(i), None)] for i in range(32)]
    matching = Matching.of(module, store_of(ctx))
    assert matching.loss(made.samples) < 0.05 * matching.loss(noise)
    assert made.how == "32 inputs of 1/f noise of mean 0 and deviation 1, moved to the statistics of 1 batch norm"
    again = synthesize(module, store_of(ctx))
    np.testing.assert_array_equal(made.samples[0][0], again.samples[0][0])


def test_stated_inputs_stay_within_what_is_stated(network):
    made = synthesize(network[0], store_of(network[1]), (-3, 5))
    x = np.concatenate([s[0] for s in made.samples])
    assert x.min() >= -3 and x.max() <= 5 and x.dtype == np.float32


def test_data_free_calibration_says_so(network):
    module, ctx = network
    pipeline.run(pipeline.parse('calibrate{data="data-free"}'), module, ctx)
    low, high = range_of(main_function(module).body.block.args[0])
    assert -1000 < low < -20 and 20 < high < 1000
    assert module.attributes["dnn.calibrated"].data.startswith("min-max, data-free: 32 inputs")


def test_a_network_without_batch_norms_gets_noise(main_program):
    module, ctx = main_program("dnn.relu %a", "tensor<1x3x8x8xf32>", result="tensor<1x3x8x8xf32>")
    samples = samples_of(module, store_of(ctx), "data-free")
    assert samples.told() == "data-free: 32 inputs of 1/f noise of mean 0 and deviation 1"
    assert np.std([s[0] for s in samples]) == pytest.approx(1, rel=0.01)


def test_what_cannot_be_made_up_is_refused(main_program):
    module, ctx = main_program("dnn.cast %a to = f32", "tensor<2xi64>", result="tensor<2xf32>")
    with pytest.raises(DnncError, match=r"expected float32 inputs to make up, not 'input0' of another type\. .*E0715"):
        synthesize(module, store_of(ctx))
    for text in ("data-free:", "data-free:2..1", "data-free:x..y", "data-free:0..inf"):
        with pytest.raises(DnncError, match="E0109"):
            stated(text)
    assert stated("data-free:-1..1") == (-1, 1) and not is_data_free("data-free.npz")
