"""The Python API: load, compile, run, report, trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

import dnnc
from dnnc import onnx_backend
from dnnc.backends.npu.catalog import FOLDER, load_target

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / "digits_test.npz") as d:
        return d["x"][:8], d["labels"][:8]


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    with np.load(MODELS / "digits_calibration.npz") as d:
        return d["x"][:32]


def test_reference_c_and_simulator_from_one_network(digits, samples):
    net = dnnc.load(MODELS / "lenet5.onnx")
    before = str(net)
    by_c, on_npu = dnnc.compile(net, emit="c"), dnnc.compile(net, calibrate=samples)
    int8 = dnnc.compile(net, emit="ir", pipeline="int8", calibrate=samples)
    int8_by_c = dnnc.compile(net, emit="c", calibrate=samples)
    for x in digits[0][:, None]:
        (want,) = net.run(x)
        np.testing.assert_allclose(by_c.run(x)[0], want, rtol=1e-5, atol=1e-5)
        assert on_npu.run(x)[0].tobytes() == int8.run(x)[0].tobytes() == int8_by_c.run(x)[0].tobytes()
        assert on_npu.run(x)[0].argmax() == want.argmax()
    assert str(net) == before, "compiling must not change the network it is given"
    assert on_npu.trace().cycles > 0
    assert on_npu.report().to_dict()["totals"]["macs"] == 2_293_000


def test_a_program_stays_with_the_target_it_was_compiled_for(tmp_path, samples):
    target = tmp_path / "my.toml"
    target.write_text((FOLDER / "edge.toml").read_text())
    program = dnnc.compile(MODELS / "lenet5.onnx", str(target), calibrate=samples)
    before = program.schedule_report().to_dict()
    target.write_text(target.read_text().replace("clock_mhz = 500", "clock_mhz = 250"))
    assert load_target(str(target)).clock_mhz == 250
    assert program.schedule_report().to_dict() == before
    assert program.executable() is program.executable()
    assert program.executable().arch.clock_mhz == 500


def test_network_survives_text_and_weights_bit_for_bit(tmp_path, digits):
    net = dnnc.load(MODELS / "lenet5.onnx")
    net.save(tmp_path / "net.mlir")
    again = dnnc.load(tmp_path / "net.mlir")
    assert str(again) == str(net)
    assert (again.inputs(), again.outputs()) == (net.inputs(), net.outputs())
    assert again.run(digits[0][:1])[0].tobytes() == net.run(digits[0][:1])[0].tobytes()


def test_node_names_survive_every_pass(samples):
    program = dnnc.compile(MODELS / "lenet5.onnx", calibrate=samples)
    assert [t.layer for t in program.npu.tags if t.layer] and {"conv1", "conv2", "ip1", "ip2"} <= {
        t.layer for t in program.npu.tags
    }


def test_what_compile_cannot_do_is_an_error():
    with pytest.raises(dnnc.DnncError, match="emit: expected one of ir, report, c, npu, not 'verilog'"):
        dnnc.compile(MODELS / "lenet5.onnx", emit="verilog")
    with pytest.raises(dnnc.DnncError, match="expected a simulator run"):
        dnnc.compile(MODELS / "lenet5.onnx", emit="ir").trace()


def test_prepare_npu_refuses_without_samples_and_runs_with_them(digits, samples):
    model = onnx.load(MODELS / "lenet5.onnx")
    with pytest.raises(NotImplementedError, match="calibrated ranges") as refused:
        onnx_backend.prepare_npu(model)
    assert len(refused.value.findings) == 1
    run = onnx_backend.prepare_npu(model, samples)
    assert [run([x])[0].argmax() for x in digits[0][:, None]] == list(digits[1])


QUANTIZED = """
<ir_version: 8, opset_import: ["" : 21]>
g (uint8[1,2,6,6] image) => (uint8[1,3,4,4] y) {{
  s = Constant<value_float=0.02>() z = Constant<value=uint8{{3}}>() t = Constant<value_float=0.3>()
  x = DequantizeLinear(image, s, z) v = {before}(x)
  w = Conv(v, weights)
  q = QuantizeLinear(w, t, z) y = Identity(q)
}}
"""


def quantized_model(before: str) -> onnx.ModelProto:
    """A convolution between dequantize and quantize; something before it that has an integer form, or none."""
    model = onnx.parser.parse_model(QUANTIZED.format(before=before))
    codes = np.random.default_rng(0).integers(-127, 128, (3, 2, 3, 3)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(codes, "weights"))
    return model


@pytest.mark.parametrize(("before", "integer"), [("Identity", True), ("Hardmax", False)])
def test_c_of_a_network_that_comes_quantized(before, integer):
    """Integers, bit for bit those of the interpreter; floats where there is no integer form, which an accelerator refuses."""
    network = dnnc.load(quantized_model(before))
    image = np.random.default_rng(1).integers(0, 256, (1, 2, 6, 6)).astype(np.uint8)
    program = dnnc.compile(network, emit="c")
    kinds = {str(op.results[0].type) for op in program.graph.module.walk() if op.name == "dnn.conv"}
    assert all(("q<i32" in k or "!q" in k) == integer for k in kinds)
    np.testing.assert_array_equal(program.run(image)[0], program.graph.run(image)[0])
    if integer:
        np.testing.assert_array_equal(dnnc.compile(network).run(image)[0], program.run(image)[0])
    else:
        with pytest.raises(dnnc.DnncError, match="E0802"):
            dnnc.compile(network)
