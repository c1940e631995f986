"""The Python API: load, compile, run, report, trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import dnnc
from dnnc import onnx_backend

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
    with pytest.raises(NotImplementedError, match="calibrated range") as refused:
        onnx_backend.prepare_npu(model)
    assert len(refused.value.findings) == 4
    run = onnx_backend.prepare_npu(model, samples)
    assert [run([x])[0].argmax() for x in digits[0][:, None]] == list(digits[1])
