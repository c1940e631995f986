"""Whole networks: the onnx package's light topologies with random weights agree with onnxruntime."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
# Gains that keep the activations of deep networks near 1.
GAIN = {"resnet50": 0.45, "shufflenet": 0.4}
NETWORKS = ["squeezenet", "shufflenet", "inception_v1"]
LARGE = ["resnet50", "inception_v2", "densenet121", "bvlc_alexnet", "zfnet512", "vgg19"]


def with_random_weights(name, seed=0):
    """A light model (all its weights are one number) with weights of variance 2 / fan-in, statistics near 0 and 1."""
    model, rng = onnx.load(LIGHT / f"light_{name}.onnx"), np.random.default_rng(seed)
    known = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    users = {i: (n, k) for n in reversed(model.graph.node) for k, i in enumerate(n.input)}
    kept = []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(known[node.input[0]])
        user, place = users[node.output[0]]
        while user.op_type == "Unsqueeze":
            user, place = users[user.output[0]]
        noise = rng.standard_normal(shape).astype(np.float32)
        if user.op_type in ("Conv", "Gemm", "MatMul") and place == 1:
            fan = np.prod(shape[1:]) if user.op_type == "Conv" else shape[-1]
            noise *= np.sqrt(2 / fan)
        elif user.op_type == "BatchNormalization":
            noise = {1: GAIN.get(name, 1) + noise / 10, 4: 1 + np.abs(noise) / 3}.get(place, noise / 10)
        elif user.op_type == "Mul":
            noise = 1 + noise / 10
        else:
            noise = noise / 20
        model.graph.initializer.append(numpy_helper.from_array(noise.astype(np.float32), node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


def check(models, name):
    """The network agrees to 1e-4 of its largest output."""
    model = with_random_weights(name)
    x = next(i for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer})
    shape = [d.dim_value for d in x.type.tensor_type.shape.dim]
    arrays = [np.random.default_rng(1).standard_normal(shape).astype(np.float32)]
    model.ir_version = max(model.ir_version, 4)
    del model.graph.input[:]
    model.graph.input.append(x)
    (ours,), (theirs,) = models.run(model, arrays), models.reference(model, arrays)
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()
    assert np.ptp(theirs) > 1e-3 * np.abs(theirs).max()  # not one number everywhere


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(models, name):
    check(models, name)


@pytest.mark.full
@pytest.mark.parametrize("name", LARGE)
def test_large_networks(models, name):
    check(models, name)
