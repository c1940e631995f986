"""The networks of the zoo: valid ONNX, counts as published, same seed same bytes, shapes-only alike, sane to run."""

from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, numpy_helper

from dnnc.zoo import PUBLISHED, ZOO, with_weights

SMALL = ["lenet5", "lenet_300_100", "resnet8", "ds_cnn", "mobilenet_v1_025", "toyadmos_autoencoder"]
LARGE = [name for name in ZOO if name not in SMALL]
CLASSES = {"lenet5": 10, "lenet_300_100": 10, "resnet8": 10, "ds_cnn": 12, "mobilenet_v1_025": 2}


@dataclass
class Counted:
    conv_weights: int = 0
    conv_macs: int = 0
    fc_weights: int = 0
    fc_macs: int = 0
    layers: dict[str, int] = field(default_factory=dict)


def shapes_of(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes by ONNX's own inference: independent of those the builder follows."""
    graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True).graph
    infos = [*graph.input, *graph.value_info, *graph.output]
    shapes = {info.name: tuple(d.dim_value for d in info.type.tensor_type.shape.dim) for info in infos}
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def count(model: ModelProto, biases: bool) -> Counted:
    shapes, total = shapes_of(model), Counted()
    for node in model.graph.node:
        total.layers[node.op_type] = total.layers.get(node.op_type, 0) + 1
        if node.op_type not in ("Conv", "Gemm"):
            continue
        weights = sum(prod(shapes[name]) for name in node.input[1 : 3 if biases else 2])
        macs = prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
        if node.op_type == "Conv":
            total.conv_weights, total.conv_macs = total.conv_weights + weights, total.conv_macs + macs
        else:
            total.fc_weights, total.fc_macs = total.fc_weights + weights, total.fc_macs + macs
    return total


def run(model: ModelProto, seed: int = 1) -> np.ndarray:
    data = model.graph.input[0]
    shape = [d.dim_value for d in data.type.tensor_type.shape.dim]
    x = np.random.default_rng(seed).random(shape, dtype=np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {data.name: x})[0])


def check_result(name: str, model: ModelProto) -> None:
    y = run(model)
    expected = (1, 640) if name == "toyadmos_autoencoder" else (1, CLASSES.get(name, 1000))
    assert y.shape == expected
    assert np.isfinite(y).all()
    if model.graph.node[-1].op_type == "Softmax":
        assert y.sum() == pytest.approx(1, abs=1e-5)
        assert 1 / y.size < y.max() < 0.999, "the random weights leave the softmax flat or saturated"
    else:
        assert 0.1 < y.std() < 10


def test_every_network_has_published_counts():
    assert list(ZOO) == list(PUBLISHED)
    assert all(p.source and p.convention for p in PUBLISHED.values())


@pytest.mark.parametrize("name", ZOO)
def test_is_valid_onnx(name: str):
    model = ZOO[name](shapes_only=True)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 21)]
    assert model.ir_version == 10
    names = [node.name for node in model.graph.node]
    assert all(names) and len(names) == len(set(names))
    output = model.graph.output[0]
    declared = tuple(d.dim_value for d in output.type.tensor_type.shape.dim)
    del output.type.tensor_type.shape.dim[:]
    output.type.tensor_type.ClearField("shape")
    assert shapes_of(model)[output.name] == declared


@pytest.mark.parametrize("name", ZOO)
def test_counts_are_the_published_ones(name: str):
    published = PUBLISHED[name]
    counted = count(ZOO[name](shapes_only=True), published.biases_counted)
    assert (counted.conv_weights, counted.conv_macs) == (published.conv_weights, published.conv_macs)
    assert (counted.fc_weights, counted.fc_macs) == (published.fc_weights, published.fc_macs)


def test_totals_of_the_table():
    totals = {name: (p.weights, p.macs) for name, p in PUBLISHED.items()}
    assert totals["lenet5"] == (431_080, 2_293_000)
    assert totals["alexnet"] == (60_954_656, 724_406_816)
    assert totals["overfeat_fast"] == (145_909_792, 2_801_403_904)
    assert totals["vgg16"] == (138_344_128, 15_470_264_320)
    assert totals["resnet50"] == (25_502_912, 3_857_973_248)


def test_layers():
    def layers(name: str) -> dict[str, int]:
        return count(ZOO[name](shapes_only=True), biases=False).layers

    assert layers("googlenet")["Conv"] == 57 and layers("googlenet")["LRN"] == 2
    assert layers("resnet50")["Conv"] == 53 and layers("resnet50")["BatchNormalization"] == 53
    assert layers("vgg16")["Conv"] == 13 and layers("alexnet")["LRN"] == 2
    assert layers("mobilenet_v1_025")["Conv"] == 27 and layers("toyadmos_autoencoder")["BatchNormalization"] == 9


@pytest.mark.parametrize("name", SMALL)
def test_same_seed_same_bytes(name: str):
    first = ZOO[name](seed=3).SerializeToString()
    assert first == ZOO[name](seed=3).SerializeToString()
    assert first != ZOO[name](seed=4).SerializeToString()


@pytest.mark.parametrize("name", SMALL)
def test_shapes_only_differs_in_the_weights_alone(name: str):
    seeded, bare = ZOO[name](), ZOO[name](shapes_only=True)
    filled = {node.output[0] for node in bare.graph.node if node.op_type == "ConstantOfShape"}
    assert filled == {tensor.name for tensor in seeded.graph.initializer}
    kept = [node for node in bare.graph.node if node.op_type != "ConstantOfShape"]
    assert kept == list(seeded.graph.node)
    assert bare.graph.input == seeded.graph.input and bare.graph.output == seeded.graph.output
    shapes = shapes_of(bare)
    assert {t.name: tuple(t.dims) for t in seeded.graph.initializer} == {name: shapes[name] for name in filled}


@pytest.mark.parametrize("name", ZOO)
def test_shapes_only_is_small(name: str):
    assert len(ZOO[name](shapes_only=True).SerializeToString()) < 100_000


@pytest.mark.parametrize("name", SMALL)
def test_runs(name: str):
    check_result(name, ZOO[name]())


@pytest.mark.parametrize("name", SMALL)
def test_shapes_only_runs(name: str):
    assert np.isfinite(run(ZOO[name](shapes_only=True))).all()


@pytest.mark.full
@pytest.mark.parametrize("name", LARGE)
def test_large_runs(name: str):
    model = ZOO[name]()
    onnx.checker.check_model(model)
    check_result(name, model)
    assert np.isfinite(run(ZOO[name](shapes_only=True))).all()


def test_weights_are_he_initialised():
    tensors = {t.name: numpy_helper.to_array(t) for t in ZOO["lenet5"]().graph.initializer}
    for name in ("conv1.weight", "conv2.weight", "ip1.weight", "ip2.weight"):
        assert tensors[name].std() == pytest.approx(np.sqrt(2 / prod(tensors[name].shape[1:])), rel=0.1)


def test_a_weight_depends_on_its_name_not_on_its_place():
    tensors = {t.name: numpy_helper.to_array(t) for t in ZOO["resnet8"]().graph.initializer}
    assert not np.array_equal(tensors["stack1_conv1.weight"], tensors["stack1_conv2.weight"])
    other = {t.name: numpy_helper.to_array(t) for t in ZOO["mobilenet_v1_025"]().graph.initializer}
    shared = np.array_equal(tensors["conv1_bn.mean"][:8], other["conv1_bn.mean"])
    assert shared, "the same seed and name start the same stream in every network"


def test_with_weights():
    model = ZOO["lenet_300_100"]()
    weights = {t.name: numpy_helper.to_array(t) * 2 for t in model.graph.initializer}
    doubled = with_weights(model, weights)
    assert all(np.array_equal(numpy_helper.to_array(t), weights[t.name]) for t in doubled.graph.initializer)
    assert doubled.graph.node == model.graph.node
    weights["ip1.weight"] = weights["ip1.weight"].T
    with pytest.raises(ValueError, match=r"ip1\.weight: \(300, 784\), not \(784, 300\)"):
        with_weights(model, weights)
