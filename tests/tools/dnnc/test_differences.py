"""Layers are matched from end to end, and a bit that is wrong is found where it went wrong."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

import dnnc
from dnnc import differences as compared
from dnnc.ir.sched import BufferOp

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


@pytest.mark.parametrize(("shape", "layer"), [((20, 1, 5, 5), "conv1+pool1"), ((50, 20, 5, 5), "conv2+pool2")])
def test_wrong_weights_on_the_accelerator_are_found(
    shape: tuple[int, ...], layer: str, digits: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    """A bit of each weight of a layer: that layer is named, the layers before it and the C agree."""
    from dnnc.backends.npu import target

    right = target.assemble

    def wrong(module: ModuleOp, ctx: Context) -> object:
        program = right(module, ctx)
        buffers = [op for op in module.walk() if isinstance(op, BufferOp) and op.space.data == "weights"]
        (offset,) = (op.offset.data for op in buffers if op.offset and op.result.type.get_shape() == shape)
        weights = np.frombuffer(program.weights, np.uint8).copy()
        weights[offset : offset + prod(shape)] ^= 64
        return replace(program, weights=weights.tobytes())

    monkeypatch.setattr(target, "assemble", wrong)
    found = compared.diff(MODELS / "lenet5.onnx", digits, calibrate=digits)
    assert found.first is not None
    assert (found.first.layer, found.first.executor) == (layer, "npu")
    before = [one for one in found.layers[: [one.name for one in found.layers].index(layer)]]
    assert all(one.differs.get("npu", 0) == 0 for one in before)
    assert all(one.differs.get("c", 0) == 0 for one in found.layers)


BRANCHES = """
input x: f32[1, 3, 9, 9]
a = conv(x, he(f32[4, 3, 3, 3]), pad=[1, 1, 1, 1])
b = relu(conv(a, he(f32[4, 4, 1, 1])))
c = relu(conv(a, he(f32[6, 4, 3, 3]), pad=[1, 1, 1, 1]))
j = concat(b, c, axis=1)
r = add(b, relu(conv(j, he(f32[4, 10, 1, 1]))))
s = softmax(reshape(conv(r, he(f32[5, 4, 9, 9])), shape=[1, 5]), axis=1)
y = matmul(s, he(f32[5, 3]))
output y
"""


def test_layers_of_branches_are_all_seen(tmp_path: Path):
    """Parts of a concatenation, sums and cut groups have the accelerator's own tensor; only views have none."""
    path = tmp_path / "branches.dnn"
    path.write_text(BRANCHES)
    x = np.random.default_rng(0).normal(size=(2, 3, 9, 9)).astype(np.float32)
    found = compared.diff(path, x, calibrate=x)
    seen = {layer.name: layer.differs for layer in found.layers}
    views = {name for name, differs in seen.items() if "npu" not in differs}
    assert all("reshape" in name or name == "j" for name in views), views
    assert {"c": 0, "npu": 0} in seen.values() and not any(n for d in seen.values() for n in d.values())


def test_saturation_is_counted(digits: np.ndarray):
    """Ranges from images of a quarter of the brightness: ends of the range are hit as often as the integers say."""
    found = compared.diff(MODELS / "lenet5.onnx", digits, calibrate=digits * np.float32(0.25), on=())
    graph = dnnc.compile(
        MODELS / "lenet5.onnx", emit="ir", pipeline="int8", calibrate=digits * np.float32(0.25)
    ).network
    scores, q = np.concatenate([graph.run(x[None])[0] for x in digits]), found.layers[-1].errors.element
    assert q is not None
    ends = [q.scale * np.float32(end - q.zero) for end in (-128, 127)]
    assert found.layers[-1].errors.saturated == np.isin(scores, ends).sum() > 0
    for layer in found.to_dict()["layers"]:
        assert sum(layer["histogram"]) == layer["elements"]


def test_an_executor_that_does_not_exist(digits: np.ndarray):
    with pytest.raises(dnnc.DnncError, match="E0109"):
        compared.diff(MODELS / "lenet5.onnx", digits, on=("gpu",))
