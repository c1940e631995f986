"""What the language means: names, weights, functions, windows, types, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp, TensorType

from dnnc.frontend.dsl import parse_dnn, read_dnn
from dnnc.frontend.dsl.program import hint
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import where
from dnnc.ir.dnn import DnnOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.types import tensor_text
from dnnc.ir.weights import store_of, write_safetensors


class Text:
    """A text's program: its operations by short name, what it computes."""

    def __init__(self, text: str, folder: Path = Path(".")):
        self.ctx = make_context()
        self.module: ModuleOp = parse_dnn(text, self.ctx, "net.dnn", folder)
        self.ops = [op for op in self.module.walk() if isinstance(op, DnnOp) and not isinstance(op, ConstOp)]
        self.constants = [op for op in self.module.walk() if isinstance(op, ConstOp)]

    def __call__(self, *inputs: np.ndarray) -> list[np.ndarray]:
        return evaluate(self.module, inputs, store_of(self.ctx))

    def op(self, name: str) -> DnnOp:
        (found,) = [op for op in self.ops if op.name == f"dnn.{name}"]
        return found

    def shape(self, name: str) -> str:
        return tensor_text(self.op(name).results[0].type)


def window(arguments: str, rank: int = 2) -> str:
    """The window of a pool over an input of size 9."""
    size = ", ".join(["9"] * rank)
    text = Text(f"input x: f32[1, 2, {size}]\ny = max_pool(x, {arguments})\noutput y\n")
    return text.op("max_pool").properties["window"].text()  # pyright: ignore


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("kernel=3", "<[3, 3]>"),
        ("kernel=[3, 2], stride=2, pad=1", "<[3, 2], stride [2, 2], pad [1, 1, 1, 1]>"),
        ("kernel=3, pad=[1, 0]", "<[3, 3], pad [1, 0, 1, 0]>"),
        ("kernel=3, pad=[0, 0, 1, 1], ceil=true", "<[3, 3], pad [0, 0, 1, 1], ceil>"),
        ("kernel=3, stride=2, pad=same", "<[3, 3], stride [2, 2], pad [1, 1, 1, 1]>"),
        ("kernel=4, pad=same", "<[4, 4], pad [1, 1, 2, 2]>"),
        ("kernel=2, dilation=3", "<[2, 2], dilation [3, 3]>"),
    ],
)
def test_windows(arguments: str, expected: str):
    assert window(arguments) == expected


def test_a_window_has_the_rank_of_its_input():
    assert window("kernel=3, stride=2", rank=1) == "<[3], stride [2]>"
    assert window("kernel=3, pad=1", rank=3) == "<[3, 3, 3], pad [1, 1, 1, 1, 1, 1]>"


def test_kernel_comes_from_the_weights():
    text = Text("input x: f32[1, 3, 8, 8]\ny = conv(x, he(f32[4, 3, 5, 3]), pad=[2, 1])\noutput y\n")
    assert text.shape("conv") == "1x4x8x8 f32"


def test_operands_by_position_by_name_and_in_lists():
    text = "input a: f32[1, 2]\ninput b: f32[1, 3]\n"
    for call in ("concat(a, b, axis=1)", "concat([a, b], axis=1)", "concat(axis=1, xs=[a, b])"):
        assert Text(f"{text}y = {call}\noutput y\n").shape("concat") == "1x5 f32"
    x = np.arange(2, dtype=np.float32)
    (y,) = Text("input a: f32[2]\ny = sub(b=a, a=[1.0, 1.0])\noutput y\n")(x)
    assert y.tolist() == [1, 0]


def test_arithmetic_on_tensors_and_numbers():
    x = np.array([1, 2, 3], np.float32)
    (y,) = Text("input x: f32[3]\nn = 2 * (3 - 1) // 3 % 2 + 7 / 2\ny = -(x * n) + x / 2\noutput y\n")(x)
    np.testing.assert_array_equal(y, -(x * np.float32(4.5)) + x / 2)


def test_numbers_take_the_type_of_their_neighbour():
    text = Text("input x: f16[3]\ny = max(x, 0.5)\nz = gather(y, [0, 2])\noutput z\n")
    assert [tensor_text(c.result.type) for c in text.constants] == ["scalar f16", "2 i64"]


def test_several_results():
    text = Text("input x: f32[4]\nvalues, places = top_k(x, k=2)\n_, last = top_k(values, k=1)\noutput places, last\n")
    places, last = text(np.array([3, 1, 4, 2], np.float32))
    assert (places.tolist(), last.tolist()) == ([2, 0], [0])


BLOCKS = """
def scaled(x, factor=2) {
  return x * factor
}
def block(x, m) {
  w = he(f32[m, dim(x, 1)])
  y = relu(dense(x, w))
  return scaled(y), y
}
input x: f32[1, 3]
a, b = block(x, 4)
c, d = block(a, m=5)
output c, d
"""


def test_functions_name_layers_and_weights_by_call():
    text = Text(BLOCKS)
    assert [c.key.data for c in text.constants if c.key is not None] == ["c.w"]  # 12 elements of a.w are in the text
    assert [where(op.location) for op in text.ops] == [
        "node 'a.y.dense' (net.dnn:7:12)",
        "node 'a.y' (net.dnn:7:7)",
        "node 'a' (net.dnn:3:10)",
        "node 'c.y.dense' (net.dnn:7:12)",
        "node 'c.y' (net.dnn:7:7)",
        "node 'c' (net.dnn:3:10)",
    ]
    c, d = text(np.ones((1, 3), np.float32))
    assert c.shape == (1, 5)
    np.testing.assert_array_equal(c, 2 * d)


def test_a_function_of_the_text_comes_before_an_operation():
    """An operation dnnc gets later does not change what an old text means."""
    (y,) = Text("def relu(x) { return neg(x) }\ninput x: f32[1]\ny = relu(x)\noutput y\n")(np.ones(1, np.float32))
    assert y.tolist() == [-1]


def test_draws_depend_on_name_and_seed_alone():
    def drawn(text: str) -> bytes:
        program = Text(f"{text}\noutput b\n")
        return program()[0].tobytes()

    one = drawn("b = he(f32[8, 4])")
    assert one == drawn("a = he(f32[8, 4])\nb = he(f32[8, 4])")
    assert one == drawn("seed 0\nb = he(f32[8, 4], seed=0)")
    assert one != drawn("seed 1\nb = he(f32[8, 4])") == drawn("b = he(f32[8, 4], seed=1)")


def test_initialisers():
    text = """
h = he(f32[256, 64, 3, 3])
g = glorot(f32[300, 200])
n = normal(f32[100, 100], mean=2, deviation=0.5)
u = uniform(f64[100, 100], -1, 3)
o = ones(bf16[40])
f = full(i32[40], 7)
q = full(q<i8, 0.5, 1>[40], 2.0)
output h, g, n, u, o, f, q
"""
    h, g, n, u, o, f, q = Text(text)()
    assert abs(h.std() / np.sqrt(2 / 576) - 1) < 0.01 and abs(h.mean()) < 1e-3
    assert abs(np.abs(g).max() / np.sqrt(6 / 500) - 1) < 0.01
    assert abs(n.mean() - 2) < 0.02 and abs(n.std() - 0.5) < 0.02
    assert -1 <= u.min() < -0.9 and 2.9 < u.max() < 3 and u.dtype == np.float64
    assert (o == 1).all() and (f == 7).all() and (q == 5).all() and q.dtype == np.int8


def test_quantized_types():
    text = Text(
        "type act = q<i8, 0.5>\ninput x: f32[4]\ny = quantize(x, to=act)\nz = quantize(x, to=q<ui8, 0.25, 128>)\n"
        "w = const([[1], [2]], q<i8, axis 0, [0.5, 0.25]>[2, 1])\nv = dequantize(w)\noutput y, z, v\n"
    )
    y, z, v = text(np.array([-1, 0, 1, 100], np.float32))
    assert (y.tolist(), z.tolist(), v.tolist()) == ([-2, 0, 2, 127], [124, 128, 132, 255], [[0.5], [0.5]])


def test_weights_from_files(tmp_path: Path):
    np.savez(tmp_path / "a.npz", **{"w/0": np.arange(40, dtype=np.float32).reshape(2, 20)})
    write_safetensors(tmp_path / "b.safetensors", {"q": np.full((2, 20), 3, np.int8)})
    text = Text(
        'weights "a.npz"\nweights "b.safetensors"\nname = "w"\na = load(name + "/0")\n'
        'b = load("q", q<i8, 0.5, 1>[2, 20])\nc = dequantize(b)\nd = load("w/0")\noutput a, c, d\n',
        tmp_path,
    )
    a, c, d = text()
    assert a.tobytes() == d.tobytes() == np.arange(40, dtype=np.float32).tobytes() and (c == 1).all()
    assert list(store_of(text.ctx)) == ["w/0", "q"]


def test_imports_and_prefixes(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.dnn").write_text("type act = q<i8, 0.5>\ndef twice(x) { return x + x }\n")
    (tmp_path / "mid.dnn").write_text('import "sub/deep.dnn"\ndef four(x) { return twice(twice(x)) }\n')
    text = 'network n\nimport "mid.dnn" as m\nimport "sub/deep.dnn" as d\ninput x: f32[1]\n'
    text += "y = m.four(d.twice(x))\nz = quantize(y, to=d.act)\noutput z\n"
    (tmp_path / "net.dnn").write_text(text)
    ctx = make_context()
    module, name = read_dnn(tmp_path / "net.dnn", ctx)
    (z,) = evaluate(module, [np.ones(1, np.float32)], store_of(ctx))
    assert (name, z.tolist()) == ("n", [16])


def test_outside_names_and_notes():
    text = Text(
        'input x: f32[2] {range=[-1, 2]} @ "in:0"\ny = relu(x) {range=[0, 2], island} @ "Relu_1"\noutput y @ "out:0"\n'
    )
    assert text.op("relu").attributes["dnn.range"].data == (0, 2)  # pyright: ignore
    assert where(text.op("relu").location) == "node 'Relu_1' (net.dnn:2:5)"
    head = str(text.module).splitlines()[1]
    assert 'dnn.name = "in:0", dnn.range = #dnn.reals<[-1.0, 2.0]>' in head and 'dnn.name = "out:0"' in head


def test_layout_is_free_inside_brackets():
    one = Text("input x: f32[1, 3, 8, 8]\ny = conv(x, he(f32[4, 3, 3, 3]), pad=1)\noutput y\n")
    other = Text(
        "# a comment\r\n\r\ninput x: f32[1, 3,   # channels\r\n  8, 8]\r\n\ty = conv(\r\n  x,\r\n  he(f32[4, 3, 3, 3]),\r\n"
        "  pad=1,\r\n)  # done\r\noutput y"
    )
    assert str(one.module) == str(other.module)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("conv1", "conv1"), ("b1.conv", "b1_conv"), ("conv1_2", "conv1n2"), ("x.1", "x"), ("_3", None), ("é", "_")],
)
def test_hints(name: str, expected: str | None):
    assert hint(name) == expected


def test_constants_bear_the_name_of_their_first_user():
    text = Text('w = he(f32[3, 4])\nk = ones(f32[2]) @ "K"\ninput x: f32[1, 4]\ny = dense(x, w) @ "fc"\noutput y, k\n')
    assert [where(c.location) for c in text.constants] == ["node 'fc' (net.dnn:1:5)", "node 'K' (net.dnn:2:5)"]


def test_types_of_the_signature():
    main = next(iter(Text("input a: f32[]\ninput b: i1[0, 2]\noutput b, a\n").module.body.block.ops))
    types = main.function_type.outputs.data  # pyright: ignore
    assert [tensor_text(t) for t in types if isinstance(t, TensorType)] == ["0x2 i1", "scalar f32"]
