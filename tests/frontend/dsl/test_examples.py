"""The examples of docs/examples: built, run, counted, and equal to their ONNX twins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dnnc
from dnnc.api import Network
from dnnc.ir.dnn import DnnOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.text import text_of
from dnnc.ir.types import shape_of, tensor_text
from dnnc.opt import run
from dnnc.zoo import PUBLISHED, ZOO

FOLDER = Path(__file__).parents[3] / "docs" / "examples"
MACS = {
    "mlp": PUBLISHED["lenet_300_100"].macs,
    "lenet5": PUBLISHED["lenet5"].macs,
    "alexnet": PUBLISHED["alexnet"].macs,
    "vgg16": PUBLISHED["vgg16"].macs,
    "residual": 2 * 16 * 16 * 16 * 16 * 9 + 8 * 8 * 32 * (16 * 9 + 32 * 9 + 16),
    "inception": 28 * 28 * (192 * (64 + 96 + 16 + 32) + 96 * 128 * 9 + 16 * 32 * 25),
    "separable": 16 * 16 * (8 * 27 + 8 * 9 + 8 * 16) + 8 * 8 * (16 * 9 + 16 * 32 + 32 * 9 + 32 * 32) + 320,
    "quantized": 144 * 8 * 9 + 16 * 4 * 8 * 9 + 64 * 10,
    "xor": 6,
}
LARGE = ("alexnet", "vgg16")  # built and counted; a run takes seconds
TWINS = {"mlp": "lenet_300_100", "lenet5": "lenet5", "alexnet": "alexnet", "vgg16": "vgg16"}


def load(name: str) -> Network:
    return dnnc.load(FOLDER / f"{name}.dnn")


def sample(network: Network) -> np.ndarray:
    (type_,) = main_function(network.module).function_type.inputs.data
    return np.random.default_rng(0).standard_normal(shape_of(type_), dtype=np.float32)


def layers(network: Network) -> list[tuple[str, str, int]]:
    """What is computed, operation by operation."""
    ops = (op for op in network.module.walk() if isinstance(op, DnnOp) and not isinstance(op, ConstOp))
    return [(op.name, tensor_text(op.results[0].type), op.work().macs) for op in ops]


def test_every_example_is_here():
    assert {p.stem for p in FOLDER.glob("*.dnn")} == {*MACS, "layers"}


@pytest.mark.parametrize("name", MACS)
def test_macs(name: str):
    assert sum(macs for _, _, macs in layers(load(name))) == MACS[name]


@pytest.mark.parametrize("name", [n for n in MACS if n not in LARGE])
def test_runs_alike_every_time(name: str):
    network = load(name)
    x = sample(network)
    (y,) = network.run(x)
    assert np.isfinite(y).all() and (np.ptp(y) > 0 or y.size == 1)
    assert load(name).run(x)[0].tobytes() == y.tobytes()


@pytest.mark.parametrize("name", [n for n in MACS if n not in LARGE and n != "quantized"])
def test_as_c(name: str):
    network = load(name)
    x = sample(network)
    (want,), (got,) = network.run(x), dnnc.compile(network, emit="c").run(x)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("name", [n for n in MACS if n not in LARGE and n != "quantized"])
def test_as_c_of_integers(name: str):
    """The C of an int8 network gives the bits of the interpreter."""
    network = load(name)
    x = sample(network)
    samples = np.stack([x, -x])
    want = dnnc.compile(network, emit="ir", pipeline="int8", calibrate=samples).run(x)
    assert dnnc.compile(network, emit="c", calibrate=samples).run(x)[0].tobytes() == want[0].tobytes()


@pytest.mark.parametrize("name", TWINS)
def test_twins_have_the_same_layers(name: str):
    assert layers(load(name)) == layers(dnnc.load(ZOO[TWINS[name]](shapes_only=True)))


@pytest.mark.parametrize("name", ["mlp", "lenet5"])
def test_twins_agree_bit_for_bit(name: str):
    """The weights are drawn alike, so the outputs are the same bits."""
    network, twin = load(name), dnnc.load(ZOO[TWINS[name]]())
    x = sample(network)
    assert network.run(x)[0].tobytes() == twin.run(x)[0].tobytes()


@pytest.mark.full
def test_alexnet_agrees_with_its_twin_bit_for_bit():
    network, twin = load("alexnet"), dnnc.load(ZOO["alexnet"]())
    x = sample(network)
    assert network.run(x)[0].tobytes() == twin.run(x)[0].tobytes()


def test_quantized_on_the_accelerator():
    """The example needs no `quantize`: the simulator gives the bits of the interpreter."""
    network = load("quantized")
    x = sample(network)
    program = dnnc.compile(network, pipeline="fuse-groups,tile,plan-memory")
    assert program.run(x)[0].tobytes() == network.run(x)[0].tobytes()


RANGED = """
input x: f32[1, 2] {range=[0, 1]}
sum = dense(x, const(1.0, f32[2, 2]), const([0.0, -1.0], f32[2])) {range=[-1, 2]}
hidden = relu(sum) {range=[0, 2]}
y = dense(hidden, const([[1.0, -2.0]], f32[1, 2])) {range=[0, 1]}
output y
"""


def test_a_range_in_the_text_stands_in_for_calibration(tmp_path: Path):
    (tmp_path / "xor.dnn").write_text(RANGED)
    program = dnnc.compile(tmp_path / "xor.dnn")
    pairs = [np.array([[a, b]], np.float32) for a in (0, 1) for b in (0, 1)]
    assert [round(program.run(x)[0].item()) for x in pairs] == [0, 1, 1, 0]


def test_xor():
    pairs = [np.array([[a, b]], np.float32) for a in (0, 1) for b in (0, 1)]
    assert [load("xor").run(x)[0].item() for x in pairs] == [0, 1, 1, 0]


def test_opt_reads_and_writes(tmp_path: Path):
    out = tmp_path / "out.dnn"
    assert run([str(FOLDER / "residual.dnn"), "-p", "simplify", "-o", str(out)]) == 0
    assert run([str(out), "-o", str(tmp_path / "again.mlir")]) == 0
    assert 'weights "out.safetensors"\n\ninput x: f32[1, 16, 16, 16]\n' in out.read_text()
    x = sample(load("residual"))
    want, got = load("residual").run(x)[0], dnnc.load(tmp_path / "again.mlir").run(x)[0]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    assert text_of(dnnc.load(out).module) == text_of(dnnc.load(tmp_path / "again.mlir").module)
