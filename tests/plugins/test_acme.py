"""What a package adds is there wherever dnnc's own is: in text, .dnn, ONNX, interpreter, C, simulator, lists and pipelines."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import dnnc
from dnnc import cli, opt
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.weights import store_of
from dnnc.passes.pipeline import parse

pytestmark = pytest.mark.usefixtures("acme")

TEXT = """func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %y = acme.snake %x alpha = 2.0 : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %z = acme.rotate_half %y : (tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return %z : tensor<1x4xf32>
}
"""
LENET = Path(__file__).parent.parent / "models" / "lenet5.onnx"
X = np.array([[1, -2, 3, 0.5]], np.float32)


def snake(x: np.ndarray, alpha: float) -> np.ndarray:
    return x + np.sin(alpha * x) ** 2 / alpha


def rotate_half(x: np.ndarray) -> np.ndarray:
    return np.concatenate([-x[..., 2:], x[..., :2]], -1)


def run_opt(text: str, *arguments: str) -> str:
    out = io.StringIO()
    assert opt.run(["-", *arguments], io.StringIO(text), out) == 0
    return out.getvalue()


def model(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "acme",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.acme", 1)])


def node(name: str, x: str, y: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(name, [x], [y], domain="com.acme", name=name.lower(), **attributes)


def test_text_in_both_forms():
    custom = run_opt(TEXT)
    assert "acme.snake %x alpha = 2.0" in custom
    assert run_opt(run_opt(TEXT, "--print-op-generic")) == custom


def test_the_language_and_the_interpreter(tmp_path: Path):
    path = tmp_path / "net.dnn"
    path.write_text("input x: f32[1, 4]\ny = acme.snake(x, alpha=2.0)\nz = acme.rotate_half(y)\noutput z\n")
    network = dnnc.load(path)
    np.testing.assert_allclose(network.run(X)[0], rotate_half(snake(X, 2)), rtol=1e-6)
    assert "acme.rotate_half(" in run_opt(TEXT, "-o", str(tmp_path / "out.dnn")) + (tmp_path / "out.dnn").read_text()


def test_a_misspelt_operation_is_told(tmp_path: Path):
    path = tmp_path / "net.dnn"
    path.write_text("input x: f32[1, 4]\ny = acme.snakes(x)\noutput y\n")
    with pytest.raises(dnnc.DnncError, match=r"not 'acme.snakes'. Did you mean 'acme.snake'"):
        dnnc.load(path)


def test_onnx_operators_of_the_domain():
    network = dnnc.load(
        model(node("Snake", "x", "a", alpha=0.5), node("ErfGate", "a", "b"), node("RotateHalf", "b", "y"))
    )
    assert [op.name for op in network.module.walk() if op.name.startswith(("acme", "dnn.e", "dnn.m"))] == [
        "acme.snake", "dnn.mul", "dnn.erf", "dnn.mul", "acme.rotate_half",
    ]  # fmt: skip
    a = snake(X, 0.5)
    erf = np.vectorize(__import__("math").erf)
    np.testing.assert_allclose(network.run(X)[0], rotate_half(a * erf(a)), rtol=1e-5)


def test_onnx_mistakes_are_told_as_for_our_own_operators():
    with pytest.raises(
        dnnc.UnsupportedError, match=r"node 'snake': com.acme.Snake .opset 1.: expected no attribute 'beta'"
    ):
        dnnc.load(model(node("Snake", "x", "y", beta=0.5)))
    with pytest.raises(dnnc.UnsupportedError, match=r"com.acme.Python .* are not supported. A plug-in may add them"):
        dnnc.load(model(node("Python", "x", "y")))


def test_c_of_what_works_on_an_element():
    network = dnnc.load(model(node("Snake", "x", "y", alpha=0.5)))
    program = dnnc.compile(network, emit="c")
    np.testing.assert_allclose(program.run(X)[0], network.run(X)[0], rtol=1e-6)


def test_c_refuses_the_rest_by_name():
    with pytest.raises(
        dnnc.UnsupportedError, match=r"node 'rotatehalf': expected an operation the C .*'acme.rotate_half'"
    ):
        dnnc.compile(model(node("RotateHalf", "x", "y")), emit="c")


def test_a_table_of_it_runs_on_the_accelerator(tmp_path: Path):
    """An int8 network with a snake in the middle: simulator, C and interpreter agree to the bit."""
    path = tmp_path / "net.dnn"
    layers = "a = conv(x, he(f32[4, 2, 3, 3]), pad=1)\nb = acme.snake(a, alpha=0.5)\nc = conv(b, he(f32[3, 4, 3, 3]), pad=1)\n"
    path.write_text(f"input x: f32[1, 2, 6, 6]\n{layers}output c\n")
    samples = np.random.default_rng(0).standard_normal((4, 1, 2, 6, 6)).astype(np.float32)
    reference = dnnc.compile(path, "acme-one", "ir", pipeline="int8", calibrate=samples)
    assert "dnn.table" in str(reference.network)
    for emit, pipeline in (("npu", None), ("c", "int8")):
        program = dnnc.compile(path, "acme-one", emit, pipeline, calibrate=samples)
        assert program.run(samples[0])[0].tobytes() == reference.run(samples[0])[0].tobytes()


def test_its_passes_with_their_options():
    network = dnnc.load(LENET)
    (one,) = parse("acme-prune{below=0.5 least=1KB}")
    assert (one.below, one.least) == (0.5, 1024)  # pyright: ignore[reportAttributeAccessIssue]
    assert str(dnnc.Pipeline([one])) == "acme-prune{below=0.5 least=1KB}"
    small, none = (
        zeros(dnnc.Pipeline(f"simplify,acme-prune{{below=0.5 least={n}}}").run(network)) for n in ("64", "16MB")
    )
    assert none == zeros(dnnc.Pipeline("simplify").run(network)) < small
    assert "acme.snake" not in run_opt(TEXT, "-p", "acme-skip-snake")
    with pytest.raises(dnnc.DnncError, match=r"'acme-prun'. Did you mean acme-prune"):
        parse("acme-prun")


def zeros(network: dnnc.Network) -> int:
    consts = [op.array(store_of(network.ctx)) for op in network.module.walk() if isinstance(op, ConstOp)]
    return sum(int((c == 0).sum()) for c in consts)


@pytest.mark.parametrize(
    ("command", "name"), [("passes", "acme-prune"), ("targets", "acme-one"), ("ops", "acme.rotate_half")]
)
def test_lists_say_where_it_comes_from(command: str, name: str, capsys: pytest.CaptureFixture[str]):
    assert cli.run([command]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(name))
    assert "dnnc-acme 1.2" in line
    assert cli.run([command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    rows = told["passes"] if command == "passes" else told
    assert next(row["from"] for row in rows if row["name"] == name) == "dnnc-acme 1.2"


def test_its_accelerator_by_name(tmp_path: Path):
    network = dnnc.load(model(node("Snake", "x", "y")))
    assert "acme-one" in str(network.report("acme-one").json())
    with pytest.raises(dnnc.DnncError, match="Did you mean acme-one"):
        network.report("acme-on")


@pytest.mark.full
def test_installed_by_pip(tmp_path: Path):
    """The package as a stranger installs it, run as a command."""
    source = shutil.copytree(Path(__file__).parent / "acme", tmp_path / "source")  # building writes beside it
    arguments = ["-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path / "site"), str(source)]
    subprocess.run([sys.executable, *arguments], check=True)
    code = "import sys; sys.path.insert(0, sys.argv[1]); from dnnc.cli import run; sys.exit(run(['passes']))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "site")], capture_output=True, text=True, check=True
    )
    assert "dnnc-acme 1.2" in done.stdout and not done.stderr
