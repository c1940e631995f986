"""What a wrong .dnn text is told: the whole message, pinned; several mistakes in one run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dnnc.frontend.dsl import read_dnn
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, UnsupportedError

# Name of the case -> the text of net.dnn; other files stand behind a line `--- name`.
BAD = {
    "misspelt operation": "input x: f32[1, 3, 8, 8]\ny = cnov(x, he(f32[4, 3, 3, 3]), pad=1)\noutput y\n",
    "misspelt name": "input image: f32[1, 4]\ny = relu(imgae)\noutput y\n",
    "misspelt parameter": "input x: f32[1, 3, 8, 8]\ny = conv(x, he(f32[4, 3, 3, 3]), strid=2)\noutput y\n",
    "misspelt keyword": "inptu x: f32[1, 4]\ny = relu(x)\noutput y\n",
    "misspelt type": "input x: f3[1, 4]\noutput x\n",
    "open parenthesis": "input x: f32[1, 4]\ny = relu(x\nz = relu(y)\noutput z\n",
    "open brace": "def f(x) {\n  return relu(x)\n\ninput x: f32[1]\noutput x\n",
    "missing comma": "input x: f32[1, 4]\ny = add(x x)\noutput y\n",
    "open string": 'input x: f32[1, 4] @ "in\noutput x\n',
    "stray character": "input x: f32[1, 4]\ny = relu(x);\noutput y\n",
    "several of syntax": "input x f32[1, 4]\ny = = relu(x)\nz = relu(y) relu\noutput\n",
    "operands missing": "input x: f32[1, 3, 8, 8]\ny = conv(x)\noutput y\n",
    "parameter missing": "input x: f32[1, 4]\ny = softmax(x)\noutput y\n",
    "kernel missing": "input x: f32[1, 3, 8, 8]\ny = max_pool(x)\noutput y\n",
    "too many operands": "input x: f32[1, 4]\ny = reshape(x, [4, 1])\noutput y\n",
    "given twice": "input x: f32[1, 4]\ny = softmax(x, axis=1, axis=0)\nz = relu(x, x=x)\noutput y\n",
    "channels differ": "input x: f32[1, 3, 8, 8]\ny = conv(x, he(f32[4, 5, 3, 3]))\noutput y\n",
    "types differ": "input x: f32[1, 4]\ninput z: f16[1, 4]\ny = add(x, z)\noutput y\n",
    "shapes do not broadcast": "input a: f32[2, 3]\ninput b: f32[2, 4]\ny = a + b\noutput y\n",
    "window too large": "input x: f32[1, 3, 4, 4]\ny = max_pool(x, kernel=5)\noutput y\n",
    "pads of wrong number": "input x: f32[1, 3, 8, 8]\ny = max_pool(x, kernel=2, pad=[1, 1, 1])\noutput y\n",
    "word for a number": "input x: f32[1, 3, 8, 8]\ny = lrn(x, size=5, alpha=big)\nz = softmax(x, axis=1.5)\noutput y\n",
    "number for a tensor": "y = relu(0.5)\noutput y\n",
    "negative dimension": "input x: f32[1, -4]\noutput x\n",
    "zero point outside": "type act = q<i8, 0.1, 300>\ninput x: act[4]\noutput x\n",
    "scale of zero": "input x: q<i8, 0.0, 0>[4]\noutput x\n",
    "random integers": "x = he(i32[4])\noutput x\n",
    "values of wrong shape": "x = const([1, 2, 3], f32[2])\ny = const([0.5, 1], i32[2])\nz = const([300], i8[1])\noutput x\n",
    "name given twice": "input x: f32[1, 4]\ny = relu(x)\ny = relu(y)\noutput y\n",
    "used before": "input x: f32[1, 4]\ny = relu(z)\nz = relu(x)\noutput y\n",
    "recursion": "input x: f32[1, 4]\ndef f(x) { return g(x) }\ndef g(x) { return f(x) }\ny = f(x)\noutput y\n",
    "no return": "input x: f32[1, 4]\ndef f(x) { y = relu(x) }\ny = f(x)\noutput y\n",
    "arguments of a function": (
        "def f(x, size) { return x }\ninput x: f32[4]\na = f(x)\nb = f(x, 1, 2)\nc = f(x, sise=1)\noutput x\n"
    ),
    "inside a call": (
        "def block(x, filters) {\n  w = he(f32[filters, 3, 3, 3])\n  return relu(conv(x, w))\n}\n"
        "input x: f32[1, 3, 8, 8]\na = block(x, 8)\nb = block(a, 8)\nc = block(a, 16)\noutput c\n"
    ),
    "number of results": "input x: f32[1, 4]\ny = top_k(x, k=2)\na, b = relu(x)\noutput x\n",
    "no output": "input x: f32[1, 4]\ny = relu(x)\n",
    "no weights file": 'weights "gone.safetensors"\nx = load("a")\noutput x\n',
    "weights of another kind": 'weights "net.onnx"\nx = zeros(f32[1])\noutput x\n',
    "damaged weights": 'weights "damaged.safetensors"\nweights "damaged.npz"\nx = zeros(f32[1])\noutput x\n',
    "misspelt key": 'weights "good.npz"\nx = load("conv1.wieght")\noutput x\n',
    "type of a key": 'weights "good.npz"\nx = load("conv1.weight", f32[3, 4])\noutput x\n',
    "no weights statement": 'x = load("conv1.weight")\noutput x\n',
    "missing import": 'import "gone.dnn"\ninput x: f32[1]\noutput x\n',
    "circular import": 'import "a.dnn"\ninput x: f32[1]\noutput x\n--- a.dnn\nimport "b.dnn"\n--- b.dnn\nimport "a.dnn"\n',
    "import of itself": 'import "net.dnn"\ninput x: f32[1]\noutput x\n',
    "mistake in an import": (
        'import "layers.dnn"\ninput x: f32[1, 4]\ny = twice(x)\noutput y\n--- layers.dnn\ndef twice(x) {\n  return reluu(x)\n}\n'
    ),
    "names of two imports": (
        'import "a.dnn"\nimport "b.dnn"\ninput x: f32[1]\noutput x\n'
        "--- a.dnn\ndef f(x) { return x }\n--- b.dnn\ndef f(x) { return x }\n"
    ),
    "division": "input x: f32[4, 6]\ny = reshape(x, shape=[dim(x, 2), 24 // 0])\nz = reshape(x, shape=[8, 4])\noutput y\n",
    "several": (
        "input x: f32[1, 3, 8, 8]\nc = conv(x, he(f32[4, 3, 3, 3]), stride=0)\nr = relu(c)\nm = maxpool(r)\n"
        "s = softmax(x, axis=7)\noutput m, t\n"
    ),
    "notes": "input x: f32[4]\ninput w: f32[4] {range=[-1]}\ny = relu(x) {islnd}\nz = relu(x) {island=2}\noutput x {island}\n",
    "a name for a number": 'n = 5 @ "five"\nx = zeros(f32[n])\noutput x\n',
}


def told(folder: Path) -> str:
    """What the language says about net.dnn in a folder, paths of this machine taken out."""
    with pytest.raises(DnncError) as caught:
        read_dnn(folder / "net.dnn", make_context())
    return str(caught.value).replace(str(folder), "<folder>") + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with weights, good and bad."""
    np.savez(tmp_path / "good.npz", **{"conv1.weight": np.ones((4, 3), np.float32)})
    (tmp_path / "damaged.safetensors").write_bytes(b"\x00" * 4)
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 no archive")
    return tmp_path


@pytest.mark.parametrize("case", BAD)
def test_message(case: str, folder: Path, golden):
    first, *others = BAD[case].split("--- ")
    (folder / "net.dnn").write_text(first)
    for part in others:
        name, text = part.split("\n", 1)
        (folder / name).write_text(text)
    golden.check(f"{case.replace(' ', '-')}.txt", told(folder))


def test_not_text(folder: Path):
    (folder / "net.dnn").write_bytes(b"\xff\xfe")
    assert told(folder) == "<folder>/net.dnn: expected UTF-8 text, not the byte at 0. Give a .dnn file. [E0106]\n"


def test_what_the_dialect_lacks_is_unsupported(folder: Path):
    text = "input x: i32[1, 1, 4, 4]\ny = resize(x, size=[1, 1, 8, 8], mode=linear)\noutput y\n"
    (folder / "net.dnn").write_text(text)
    with pytest.raises(UnsupportedError, match=r"net.dnn:2:5: resize: expected a float input for mode linear, not i32"):
        read_dnn(folder / "net.dnn", make_context())
