"""Scales found at run time: the codes of DynamicQuantizeLinear, near the float network, the same bits in C."""

import numpy as np
import onnx
import onnxruntime
import pytest

from dnnc import api
from dnnc.ir.diagnostics import UnsupportedError

NETWORK = """
<ir_version: 8, opset_import: ["" : 21]>
net (float[1,3,8,8] x) => (float[1,5] y) {{
  c = Conv<pads=[1,1,1,1]>(x, wc, bc) r = Relu(c) f = Flatten(r) y = MatMul(f, wm)
}}
"""
INTEGERS = """
<ir_version: 8, opset_import: ["" : 21]>
net (float[1,12] x) => (float[1,5] y) {{
  q, s, z = DynamicQuantizeLinear(x) a = MatMulInteger(q, wi, z) f = Cast<to=1>(a) t = Mul(f, scales) y = Mul(t, s)
}}
"""


def model(text, **weights):
    made = onnx.parser.parse_model(text.replace("{{", "{").replace("}}", "}"))
    made.graph.initializer.extend(onnx.numpy_helper.from_array(v, n) for n, v in weights.items())
    return made


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    shapes = {"wc": (6, 3, 3, 3), "bc": (6,), "wm": (384, 5)}
    return model(NETWORK, **{n: rng.normal(size=s).astype(np.float32) for n, s in shapes.items()})


def inputs():
    rng = np.random.default_rng(1)
    return [(10.0**k * rng.normal(size=(1, 3, 8, 8))).astype(np.float32) for k in (-3, 0, 3)]


def test_every_inference_has_scales_of_its_own(network):
    real, dynamic = api.load(network), api.compile(network, emit="ir", calibrate="dynamic")
    for x in inputs():  # a million times apart: no scale known before serves them all
        exact = real.run(x)[0]
        assert np.abs(dynamic.run(x)[0] - exact).max() < 0.03 * np.abs(exact).max()


def test_c_has_the_same_bits(network):
    program, dynamic = (api.compile(network, emit=emit, calibrate="dynamic") for emit in ("c", "ir"))
    for x in [*inputs(), np.zeros((1, 3, 8, 8), np.float32), np.full((1, 3, 8, 8), -2, np.float32)]:
        np.testing.assert_array_equal(program.run(x)[0], dynamic.run(x)[0])
        assert np.isfinite(program.run(x)[0]).all()


def test_codes_and_sums_are_those_of_onnx_runtime(main_program):
    rng = np.random.default_rng(2)
    w = rng.normal(size=(12, 5)).astype(np.float32)
    scales = (np.abs(w).max(0) / np.float32(127)).astype(np.float32)
    peer = model(INTEGERS, wi=np.rint(w / scales).astype(np.int8), scales=scales)
    session = onnxruntime.InferenceSession(peer.SerializeToString(), providers=["CPUExecutionProvider"])
    text = NETWORK.replace("1,3,8,8", "1,12").replace(
        "c = Conv<pads=[1,1,1,1]>(x, wc, bc) r = Relu(c) f = Flatten(r) ", ""
    )
    dynamic = api.compile(model(text.replace("MatMul(f", "MatMul(x"), wm=w), emit="ir", calibrate="dynamic")
    for _ in range(20):
        x = rng.normal(size=(1, 12), scale=rng.uniform(0.1, 10)).astype(np.float32)
        np.testing.assert_allclose(dynamic.run(x)[0], session.run(None, {"x": x})[0], rtol=1e-6)


def test_the_accelerator_is_told_layer_by_layer(network):
    with pytest.raises(UnsupportedError, match="E0717") as refused:
        api.compile(network, calibrate="dynamic")
    assert len(refused.value.findings) == 2
