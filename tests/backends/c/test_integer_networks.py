"""Quantized networks as C: every bit of the outputs is the interpreter's, whatever the compiler and the machine's vectors."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from dnnc import api
from dnnc.backends.c.api import STACK_BYTES
from dnnc.backends.c.load import compile_and_load
from dnnc.backends.c.target import emit, write
from dnnc.zoo import ZOO
from dnnc.zoo.network import Network

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "tests/models"
WAYS = {
    "no vectors": ("-O2", "-DDNNC_QUAD_DOT=0"),
    "plain vectors": ("-O1", "-DDNNC_QUAD_DOT=1"),
    "128 bits": ("-O2", "-DDNNC_DOUBLES=0"),
    "256 bits": ("-O3", "-mavx2"),
    "native": ("-O3", "-march=native"),
    "unoptimised": ("-O0", "-march=native"),
}


def without_softmax(model: ModelProto) -> ModelProto:
    """A network up to its scores: a softmax in float is the machine's to the last bit."""
    last = model.graph.node[-1]
    if last.op_type == "Softmax":
        model.graph.output[0].name = last.input[0]
        del model.graph.node[-1]
    return model


def samples(model: ModelProto, count: int) -> np.ndarray:
    """Random inputs [count, ...]."""
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    return np.random.default_rng(1).standard_normal((count, *shape[1:])).astype(np.float32)


def quantized(model, data) -> api.Network:
    """The int8 network."""
    return api.compile(model, emit="ir", pipeline="int8", calibrate=data).network


def check(network: api.Network, inputs, run) -> None:
    """Every bit of every output for each input."""
    for x in inputs:
        for got, want in zip(run(x), network.run(x), strict=True):
            assert got.tobytes() == want.tobytes()


def small_residual() -> ModelProto:
    """A residual block with a strided shortcut, as in ResNet-8, on 12x12 images."""
    net = Network("small_residual", (1, 3, 12, 12), 0, False)
    x = net.relu("r1", net.batch_norm("b1", net.conv("c1", net.input, 8, 3, pads=1), 1e-3))
    y = net.relu("r2", net.conv("c2", x, 12, 3, stride=2, pads=(0, 0, 1, 1)))
    y = net.conv("c3", y, 12, 3, pads=1)
    y = net.relu("r3", net.add("a", net.conv("s", x, 12, 1, stride=2), y))
    y = net.flatten("f", net.average_pool("p", y, 6))
    return net.model(net.fully_connected("d", y, 10))


def small_separable() -> ModelProto:
    """Depthwise-separable layers with strides, as in DS-CNN and MobileNetV1, on 25x10 maps."""
    net = Network("small_separable", (1, 1, 25, 10), 0, False)
    x = net.relu("r1", net.conv("c1", net.input, 12, (10, 4), 2, (4, 1, 5, 1)))
    for i, (filters, stride) in enumerate(((12, 1), (20, 2), (20, 1))):
        channels = net.shapes[x][1]
        pads = 1 if stride == 1 else (0, 0, 1, 1)
        x = net.relu(f"dr{i}", net.conv(f"dw{i}", x, channels, 3, stride, pads, channels))
        x = net.relu(f"pr{i}", net.conv(f"pw{i}", x, filters, 1))
    x = net.flatten("f", net.average_pool("p", x, net.shapes[x][2:]))
    return net.model(net.fully_connected("d", x, 5))


def small_autoencoder() -> ModelProto:
    """Fully connected layers through a narrow one, as in the autoencoder of MLPerf Tiny."""
    net = Network("small_autoencoder", (1, 70), 0, False)
    x = net.input
    for i, outputs in enumerate((33, 8, 33)):
        x = net.relu(f"r{i}", net.fully_connected(f"d{i}", x, outputs))
    return net.model(net.fully_connected("last", x, 70))


@pytest.mark.parametrize("build", [small_residual, small_separable, small_autoencoder])
def test_small_networks(build):
    data = samples(build(), 6)
    network = quantized(build(), data)
    check(network, data[:, None], compile_and_load(emit(network.module, network.ctx, "net"), flags=("-O2",)))


@pytest.mark.full
@pytest.mark.parametrize("build", [small_residual, small_separable, small_autoencoder])
def test_small_networks_are_clean(build, as_process):
    data = samples(build(), 4)
    network = quantized(build(), data)
    program = emit(network.module, network.ctx, "net")
    check(network, data[:2, None], lambda x: as_process(program, x))


@pytest.mark.full
@pytest.mark.parametrize("name", ["resnet8", "ds_cnn", "mobilenet_v1_025", "toyadmos_autoencoder"])
def test_networks_of_the_zoo(name):
    data = samples(ZOO[name](), 3)
    network = quantized(without_softmax(ZOO[name]()), data)
    program = emit(network.module, network.ctx, name)
    check(network, data[:, None], compile_and_load(program, flags=("-O2", "-march=native")))
    assert program.arena_bytes <= 1.05 * program.plan.lower_bound


@pytest.fixture(scope="module")
def lenet():
    """LeNet-5 in int8, the C of it, and digits."""
    with np.load(MODELS / "digits_calibration.npz") as d, np.load(MODELS / "digits_test.npz") as t:
        network = quantized(MODELS / "lenet5.onnx", d["x"][:32])
        return network, emit(network.module, network.ctx, "lenet5"), t["x"][:, None], t["labels"]


@pytest.mark.parametrize("way", WAYS)
def test_lenet_on_every_machine(lenet, way):
    network, program, images, _ = lenet
    check(network, images[:4], compile_and_load(program, flags=(*WAYS[way], "-std=c99", "-Wall", "-Wextra", "-Werror")))


@pytest.mark.parametrize(
    "flags", [("-O0", "-march=native"), ("-Os",), ("-O2",), ("-O3", "-mavx2"), ("-O3", "-march=native")]
)
def test_stack_stays_below_what_the_header_states(lenet, tmp_path, flags):
    """The frames of the run function, of the largest layer and of the three largest kernels, each of a fixed size."""
    source = next(p for p in write(lenet[1], tmp_path) if p.suffix == ".c")
    subprocess.run(["cc", *flags, "-fstack-usage", "-c", source, "-o", tmp_path / "net.o"], check=True)
    rows = [row.split("\t") for row in (tmp_path / "net.su").read_text().splitlines()]
    frames = {where.rsplit(":", 1)[-1]: int(size) for where, size, _ in rows}
    kernels = sorted(size for name, size in frames.items() if name.startswith("dnnc_"))[-3:]
    layers = [size for name, size in frames.items() if name.startswith("lenet5_") and name != "lenet5_run"]
    assert not [kind for *_, kind in rows if "dynamic" in kind and "bounded" not in kind]
    used = frames["lenet5_run"] + max(layers, default=0) + sum(kernels)
    assert used <= STACK_BYTES * (2 if "-O0" in flags else 1)


def test_lenet_reads_digits(lenet):
    _, program, images, labels = lenet
    run = compile_and_load(program)
    assert sum(int(run(x)[0].argmax()) == y for x, y in zip(images, labels)) == 399


def test_network_quantized_in_the_language():
    network = api.compile(ROOT / "docs/examples/quantized.dnn", emit="ir", pipeline="fuse").network
    program = api.compile(ROOT / "docs/examples/quantized.dnn", emit="c")
    data = np.random.default_rng(0).standard_normal((20, 1, 1, 12, 12)).astype(np.float32) * 3
    check(network, data, program.run)
