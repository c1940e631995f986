"""What errors of channels weigh: the slopes have the second derivative of the divergence, and rank channels as it does."""

import numpy as np
import pytest

from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.divergence import mean_divergence, slopes
from dnnc.passes.analysis.fisher import channel_weights
from dnnc.passes.analysis.integer_weights import layers
from dnnc.passes.analysis.sensitivity import scores

NETWORK = """
func.func @main(%x: tensor<1x6xf32>) -> tensor<1x4xf32> {
  %w1 = dnn.const key = "w1" : () -> tensor<8x6xf32>
  %w2 = dnn.const key = "w2" : () -> tensor<4x8xf32>
  %1 = dnn.matmul %x, %w1 trans_b : (tensor<1x6xf32>, tensor<8x6xf32>) -> tensor<1x8xf32>
  %2 = dnn.relu %1 : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %3 = dnn.matmul %2, %w2 trans_b : (tensor<1x8xf32>, tensor<4x8xf32>) -> tensor<1x4xf32>
  %4 = dnn.softmax %3 axis = 1 : (tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return %4 : tensor<1x4xf32>
}
"""


def every_sign(n):
    return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)


@pytest.mark.parametrize("probable", [False, True])
def test_slopes_have_the_second_derivative_of_the_divergence(probable):
    y = np.array([[0.4, 0.3, 0.2, 0.1]]) if probable else np.array([[1.0, -0.5, 0.3, 2.0]])
    e = 1e-3 * np.array([[1.0, -2.0, 0.5, 0.5]])
    found = np.mean([(slopes(y, v[None]) @ e.T).item() ** 2 for v in every_sign(4)]) / 2
    assert found == pytest.approx(mean_divergence([y], [y + e]), rel=2e-2)


def test_channels_weigh_what_errors_in_them_change(program):
    rng, store = np.random.default_rng(0), WeightStore()
    size = 2.0 ** -np.arange(8)
    store.add("w1", rng.normal(size=(8, 6)).astype(np.float32))
    store.add("w2", (rng.normal(size=(4, 8)) * size).astype(np.float32))
    module, _ = program(NETWORK, store)
    samples = [[x[None]] for x in rng.normal(size=(64, 6)).astype(np.float32)]
    weight = channel_weights(module, store, samples)
    first, last = layers(module)
    assert weight[first].shape == (8,) and weight[last].shape == (4,)
    exact, w2 = scores(module, store, samples), store["w2"]
    hidden = [np.maximum(x[0] @ store["w1"].T, 0) for x in samples]

    def loss(m, d=0.05):
        bent = [h + d * np.eye(8, dtype=np.float32)[m] * (h > 0) for h in hidden]
        e = [np.exp(h @ w2.T) for h in bent]
        return mean_divergence(exact, [x / x.sum(-1, keepdims=True) for x in e]) * 2 / d**2

    np.testing.assert_allclose(weight[first], [loss(m) for m in range(8)], rtol=0.5)
