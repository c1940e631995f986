"""A LeNet-5 quantized by ONNX Runtime, against it: what differs is a tie, and a layer that rounds otherwise is found out."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime import quantization as oq

from dnnc import api, pipelines
from tools.bench import ties

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """QDQ with unsigned activations, signed weights, a scale a channel."""
    digits = np.load(MODELS / "digits_calibration.npz")["x"]
    left = [{"data": x[None]} for x in digits[:32]]

    class Samples(oq.CalibrationDataReader):
        def get_next(self):
            return left.pop() if left else None

    path = tmp_path_factory.mktemp("qdq") / "lenet5.onnx"
    kinds = {"activation_type": oq.QuantType.QUInt8, "weight_type": oq.QuantType.QInt8, "per_channel": True}
    oq.quantize_static(MODELS / "lenet5.onnx", path, Samples(), quant_format=oq.QuantFormat.QDQ, **kinds)
    return onnx.load(path)


@pytest.fixture(scope="module")
def digits():
    return np.load(MODELS / "digits_test.npz")["x"]


def walked(model, digits, **options):
    walk = ties.Walk(model, **options)
    for x in digits:
        walk.add({"data": x[None]})
    return list(walk.layers.values())


def check(layers, contractions):
    """Every layer was compared, and nothing that differs lacks its tie."""
    assert [layer.operator for layer in layers].count("dnn.requantize") == contractions
    assert all(layer.elements for layer in layers)
    assert max(layer.largest for layer in layers) <= 1
    assert sum(layer.unexplained for layer in layers) == 0


@pytest.mark.parametrize("count", [4, pytest.param(400, marks=pytest.mark.full)])
def test_every_difference_is_a_tie(model, digits, count):
    check(walked(model, digits[:count]), 4)
    check(walked(model, digits[:count], fused=False), 4)


@pytest.mark.parametrize("count", [4, pytest.param(400, marks=pytest.mark.full)])
def test_one_float32_product_gives_the_same_bits(model, digits, count):
    assert not any(layer.differing for layer in walked(model, digits[:count], rounding="f32_half_even"))


@pytest.mark.full
@pytest.mark.parametrize("rounding", ["f32_half_even", "q31_half_even"])
def test_from_end_to_end(model, digits, rounding):
    """At most one final output of 10,000 differs, by one step; none when the integer form multiplies in float32."""
    session = ties.session(model, True)
    theirs = np.concatenate([session.run(None, {"data": x[None]})[0] for x in digits])
    network = api.load(model)
    pipelines.run_passes(network, f"simplify,quantize-lower{{rounding={rounding}}}")
    ours = np.concatenate([network.run(x[None])[0] for x in digits])
    steps = np.abs(ours - theirs) / np.diff(np.unique(theirs)).min()
    assert steps.max() <= (1.01 if rounding == "q31_half_even" else 0)
    assert np.count_nonzero(steps > 0.5) <= 1e-4 * steps.size


def test_another_rounding_is_not_explained(model, digits):
    wrong = [layer for layer in walked(model, digits[:1], rounding="trunc") if layer.differing]
    assert {layer.operator for layer in wrong} == {"dnn.requantize"}
    assert all(layer.unexplained > 0 and layer.farthest > ties.NEAR for layer in wrong)
