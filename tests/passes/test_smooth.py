"""Smoothing keeps what a network computes, and int8 loses less where few channels are large."""

import numpy as np

from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes import pipeline
from dnnc.passes.analysis.samples import providing
from dnnc.passes.calibrate import calibrate

NETWORK = """
func.func @main(%x: tensor<1x8x32xf32>) -> tensor<1x8x16xf32> {
  %g = dnn.const key = "g" : () -> tensor<32xf32>
  %b = dnn.const key = "b" : () -> tensor<32xf32>
  %w1 = dnn.const key = "w1" : () -> tensor<32x16xf32>
  %w2 = dnn.const key = "w2" : () -> tensor<16x32xf32>
  %1 = dnn.layer_norm %x, %g, shift(%b) axis = -1
    : (tensor<1x8x32xf32>, tensor<32xf32>, tensor<32xf32>) -> tensor<1x8x32xf32>
  %2 = dnn.matmul %1, %w1 : (tensor<1x8x32xf32>, tensor<32x16xf32>) -> tensor<1x8x16xf32>
  %3 = dnn.matmul %1, %w2 trans_b : (tensor<1x8x32xf32>, tensor<16x32xf32>) -> tensor<1x8x16xf32>
  %4 = dnn.sub %2, %3 : (tensor<1x8x16xf32>, tensor<1x8x16xf32>) -> tensor<1x8x16xf32>
  func.return %4 : tensor<1x8x16xf32>
}
"""


def network(program):
    """A norm of which three channels are 60 times as large as the others, and weights that make up for it."""
    rng, store = np.random.default_rng(0), WeightStore()
    size = np.where(np.arange(32) % 11 == 3, 60, 1)
    store.add("g", (size * rng.uniform(0.5, 1.5, 32)).astype(np.float32))
    store.add("b", (size * rng.normal(size=32)).astype(np.float32))
    store.add("w1", (rng.normal(size=(32, 16)) / np.sqrt(size)[:, None]).astype(np.float32))
    store.add("w2", (rng.normal(size=(16, 32)) / np.sqrt(size)).astype(np.float32))
    return program(NETWORK, store)


def samples(seed):
    return [[x] for x in np.random.default_rng(seed).normal(size=(16, 1, 8, 32)).astype(np.float32)]


def outputs(module, ctx):
    return np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples(1)])


def smoothed(program, passes):
    module, ctx = network(program)
    with providing(lambda: samples(0)):
        pipeline.run(pipeline.parse(passes), module, ctx)
    return module, ctx


def test_smooth_keeps_the_function(program):
    exact = outputs(*network(program))
    np.testing.assert_allclose(outputs(*smoothed(program, "smooth")), exact, atol=2e-5 * np.abs(exact).max())


def test_int8_loses_less_where_few_channels_are_large(program):
    exact, noise = outputs(*network(program)), []
    for passes in ("simplify", "smooth"):
        module, ctx = smoothed(program, passes)
        calibrate(module, store_of(ctx), samples(0))
        pipeline.run(pipeline.parse("int8"), module, ctx)
        noise.append(float(np.mean((outputs(module, ctx) - exact) ** 2)))
    assert noise[1] < 0.25 * noise[0]
