"""Equalization keeps what a network computes and gives both sides of a channel weights of one size."""

import numpy as np
import pytest

from dnnc.ir.dnn.attributes import Key
from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes import pipeline
from dnnc.passes.analysis.integer_weights import layers

NETWORK = """
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x4x4x4xf32> {
  %w1 = dnn.const key = "w1" : () -> tensor<8x3x1x1xf32>
  %b1 = dnn.const key = "b1" : () -> tensor<8xf32>
  %w2 = dnn.const key = "w2" : () -> tensor<8x1x3x3xf32>
  %w3 = dnn.const key = "w3" : () -> tensor<4x8x1x1xf32>
  %1 = dnn.conv %x, %w1, bias(%b1) window = <[1, 1]>
    : (tensor<1x3x8x8xf32>, tensor<8x3x1x1xf32>, tensor<8xf32>) -> tensor<1x8x8x8xf32>
  %2 = dnn.relu %1 : (tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
  %3 = dnn.conv %2, %w2 window = <[3, 3], pad [1, 1, 1, 1]> groups = 8
    : (tensor<1x8x8x8xf32>, tensor<8x1x3x3xf32>) -> tensor<1x8x8x8xf32>
  %4 = dnn.BOUND : (tensor<1x8x8x8xf32>) -> tensor<1x8x4x4xf32>
  %5 = dnn.conv %4, %w3 window = <[1, 1]> : (tensor<1x8x4x4xf32>, tensor<4x8x1x1xf32>) -> tensor<1x4x4x4xf32>
  func.return %5 : tensor<1x4x4x4xf32>
}
"""


def network(program):
    rng = np.random.default_rng(0)
    store = WeightStore()
    sizes = np.exp(rng.normal(size=8, scale=2))
    for key, shape in {"w1": (8, 3, 1, 1), "b1": (8,), "w2": (8, 1, 3, 3), "w3": (4, 8, 1, 1)}.items():
        along = sizes.reshape(-1, *(1,) * (len(shape) - 1)) if shape[0] == 8 else 1
        store.add(key, (rng.normal(size=shape) * along).astype(np.float32))
    return program(NETWORK.replace("BOUND", "max_pool %3 window = <[2, 2], stride [2, 2]>"), store)


def test_equalize_keeps_the_function_and_evens_out_channels(program):
    module, ctx = network(program)
    x = [np.random.default_rng(1).normal(size=(1, 3, 8, 8)).astype(np.float32)]
    exact = evaluate(module, x, store_of(ctx))[0]
    pipeline.run(pipeline.parse("equalize"), module, ctx)
    np.testing.assert_allclose(evaluate(module, x, store_of(ctx))[0], exact, rtol=1e-4, atol=1e-4 * np.abs(exact).max())
    w1, w2, w3 = (op.operands[1].owner.array(store_of(ctx)) for op in layers(module))
    b1 = next(layers(module)).bias.owner.array(store_of(ctx))
    sizes = [np.maximum(np.abs(w1).max((1, 2, 3)), np.abs(b1)), np.abs(w2).max((1, 2, 3)), np.abs(w3).max((0, 2, 3))]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01)
    assert sizes[2] == pytest.approx(sizes[1], rel=0.01)


def test_a_channel_of_no_weights_does_not_become_as_large_as_its_bias_over_them(program):
    module, ctx = network(program)
    store = store_of(ctx)
    conv = next(layers(module))
    w1, b1 = (conv.operands[i].owner.array(store).copy() for i in (1, 2))
    w1[3], b1[3] = 1e-9, 2.0
    for i, values in ((1, w1), (2, b1)):
        conv.operands[i].owner.properties["key"] = Key(store.add("dead", values))
    pipeline.run(pipeline.parse("equalize"), module, ctx)
    assert np.abs(next(layers(module)).bias.owner.array(store)).max() < 100
