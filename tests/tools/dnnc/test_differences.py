"""Layers are matched from end to end, and a bit that is wrong is found where it went wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dnnc
from dnnc import differences as compared

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    with np.load(MODELS / "digits_test.npz") as d:
        return d["x"][:2]


def test_every_layer_of_a_network_on_every_executor(digits: np.ndarray):
    found = compared.diff(MODELS / "lenet5.onnx", digits, calibrate=digits)
    assert [layer.name for layer in found.layers] == ["conv1+pool1", "conv2+pool2", "flatten", "ip1+relu1", "ip2"]
    assert found.first is None
    for layer in found.to_dict()["layers"]:
        assert layer["snr_db"] > 25
        assert layer["differs"] == dict.fromkeys(("c", "npu"), None if layer["name"] == "flatten" else 0)


def test_the_first_wrong_layer_is_named(digits: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    right = compared._c

    def wrong(network: dnnc.Network) -> compared.Executor:
        run = right(network)

        def changed(sample: object) -> compared.Values:
            values = dict(run(sample))  # pyright: ignore[reportArgumentType]
            late = list(values)[4:]  # from the second pool on
            return values | {v: values[v] ^ 1 for v in late if values[v].dtype == np.int8}

        return changed

    monkeypatch.setattr(compared, "_c", wrong)
    found = compared.diff(MODELS / "lenet5.onnx", digits, calibrate=digits, on=("c",))
    assert found.first is not None
    assert (found.first.layer, found.first.executor, found.first.sample) == ("conv2+pool2", "c", 0)
    assert "conv2+pool2" in found.html() and "is the first layer that differs" in found.html()


def test_an_executor_that_does_not_exist(digits: np.ndarray):
    with pytest.raises(dnnc.DnncError, match="E0109"):
        compared.diff(MODELS / "lenet5.onnx", digits, on=("gpu",))
