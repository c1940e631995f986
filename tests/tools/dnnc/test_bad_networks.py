"""Networks that are wrong: damaged files, models that make no sense, texts with mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper

LENET = (Path(__file__).parents[2] / "models" / "lenet5.onnx").read_bytes()


def model(signature: str, body: str, opset: int = 20, imports: str = "") -> onnx.ModelProto:
    """`model("float[2,3] x => float[2,3] y", "y = Relu(x)")`."""
    inputs, _, outputs = signature.partition("=>")
    head = f'<ir_version: 8, opset_import: ["" : {opset}{imports}]>'
    return onnx.parser.parse_model(f"{head}\nnet ({inputs}) => ({outputs}) {{ {body} }}")


def plain() -> onnx.ModelProto:
    return model("float[1,4] x => float[1,4] y", "y = Relu(x)")


def changed(change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    """A small network after a change."""
    proto = plain()
    change(proto)
    return proto


def with_weights(**fields: object) -> onnx.ModelProto:
    """x + w, the tensor w made of these fields."""
    proto = model("float[1,4] x => float[1,4] y", "y = Add(x, w)")
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    for name, value in fields.items():
        getattr(tensor, name).extend(value) if isinstance(value, list) else setattr(tensor, name, value)
    proto.graph.initializer.append(tensor)
    return proto


def outside(location: str, length: int = 16) -> onnx.ModelProto:
    """x + w, the tensor w in another file."""
    proto = with_weights(data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        proto.graph.initializer[0].external_data.add(key=key, value=value)
    return proto


def branch_without_body() -> onnx.ModelProto:
    proto = model("float[1,4] x, bool c => float[1,4] y", "y = Relu(x)")
    del proto.graph.node[:]
    proto.graph.node.append(helper.make_node("If", ["c"], ["y"], name="choose"))
    return proto


ONNX: dict[str, bytes | onnx.ModelProto | Callable[[], onnx.ModelProto]] = {
    "empty file": b"",
    "text in place of a model": b"This is not a network.\n",
    "a page in place of a model": b"<!DOCTYPE html>\n<html><body>404 not found</body></html>\n",
    "a zip in place of a model": b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
    "pointer of git lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1725000\n",
    "cut after 10 bytes": LENET[:10],
    "cut in a tensor": LENET[: len(LENET) // 2],
    "cut before the end": LENET[:-7],
    "bytes changed": LENET[:40] + b"\xff" * 40 + LENET[80:],
    "channels of Conv": model("float[1,3,8,8] x, float[4,2,3,3] w => float[n,c,h,v] y", "y = Conv(x, w)"),
    "inner dimension of MatMul": model("float[2,3] x, float[2,3] z => float[a,b] y", "y = MatMul(x, z)"),
    "bias of Gemm": model("float[2,3] x, float[3,4] w, float[5] b => float[n,m] y", "y = Gemm(x, w, b)"),
    "elements of Reshape": model("float[2,3] x => float[a,b] y", "s = Constant<value_ints=[4,2]>() y = Reshape(x, s)"),
    "parts of Concat": model("float[2,3] x, float[3,3] z => float[a,b] y", "y = Concat<axis=1>(x, z)"),
    "shapes that do not broadcast": model("float[2,3] x, float[2] z => float[a,b] y", "y = Add(x, z)"),
    "permutation of Transpose": model("float[2,3] x => float[a,b] y", "y = Transpose<perm=[0,0]>(x)"),
    "axis of Softmax": model("float[2,3] x => float[2,3] y", "y = Softmax<axis=2>(x)"),
    "window of MaxPool": model("float[1,3,5,5] x => float[n,c,h,w] y", "y = MaxPool<kernel_shape=[7,7]>(x)"),
    "groups of Conv": model("float[1,4,8,8] x, float[6,1,3,3] w => float[n,c,h,v] y", "y = Conv<group=4>(x, w)"),
    "several mistakes": model(
        "float[2,3] x => float[a,b] y",
        "a = MatMul(x, x) b = Softmax<axis=5>(x) c = Concat(x, x) y = Relu(gone)",
    ),
    "unbound dimension": model("float[batch,4] x => float[batch,4] y", "y = Relu(x)"),
    "input without a type": lambda: changed(lambda m: m.graph.input[0].ClearField("type")),
    "input without a shape": lambda: changed(lambda m: m.graph.input[0].type.tensor_type.ClearField("shape")),
    "no outputs": lambda: changed(lambda m: m.graph.ClearField("output")),
    "unknown operator": model("float[2] x => float[2] y", "y = Rleu(x)"),
    "unknown domain": model("float[2] x => float[2] y", "y = com.example.Fancy(x)", imports=', "com.example" : 1'),
    "domain without a version": model("float[2] x => float[2] y", "y = com.example.Fancy(x)"),
    "integers into Erf": model("int32[3] x => int32[3] y", "y = Erf(x)"),
    "mixed element types": model("float[2] x, int32[2] z => float[2] y", "y = Add(x, z)"),
    "missing attribute": model("float[2,3] x => float[a,b] y", "y = Concat(x, x)"),
    "attribute of the wrong type": model("float[2,3] x => float[2,3] y", "y = Softmax<axis=1.5>(x)"),
    "unknown attribute": model("float[3] x => float[3] y", "y = Relu<colour=3>(x)"),
    "too few inputs": model("float[2] x => float[2] y", "y = Add(x)"),
    "too many inputs": model("float[2] x => float[2] y", "y = Relu(x, x)"),
    "raw data too short": with_weights(raw_data=b"\0" * 12),
    "float data too short": with_weights(float_data=[1.0, 2.0]),
    "negative size of a tensor": with_weights(dims=[-4], raw_data=b"\0" * 16),
    "element type that does not exist": with_weights(data_type=99, raw_data=b"\0" * 16),
    "tensor of strings": with_weights(data_type=TensorProto.STRING, string_data=[b"a", b"b", b"c", b"d"]),
    "external data missing": outside("w.bin"),
    "external data in a parent folder": outside("../w.bin"),
    "external data by an absolute path": outside("/etc/passwd"),
    "external data without a location": outside(""),
    "duplicate name": model("float[2] x => float[2] a", "a = Relu(x) a = Relu(x)"),
    "nodes in a circle": model("float[2] x => float[2] y", "a = Add(x, y) y = Relu(a)"),
    "undefined input": model("float[2] image => float[2] y", "y = Relu(imgae)"),
    "undefined output": model("float[2] x => float[2] scores", "score = Relu(x)"),
    "no opset": lambda: changed(lambda m: m.ClearField("opset_import")),
    "opset of the future": model("float[2] x => float[2] y", "y = Relu(x)", opset=99),
    "no graph": lambda: changed(lambda m: m.ClearField("graph")),
    "no nodes and an output of nothing": lambda: changed(lambda m: m.graph.ClearField("node")),
    "node without a type": lambda: changed(lambda m: m.graph.node[0].ClearField("op_type")),
    "branch without a body": branch_without_body,
}


@pytest.mark.parametrize("name", ONNX)
def test_an_onnx_model(name: str, refused):
    content = ONNX[name]
    made = content() if not isinstance(content, onnx.ModelProto) and callable(content) else content
    refused(f"onnx, {name}", "dnnc check net.onnx", {"net.onnx": made})


def test_external_data_that_is_too_short(refused):
    refused(
        "onnx, external data too short", "dnnc check net.onnx", {"net.onnx": outside("w.bin"), "w.bin": b"12345678"}
    )


DNN = {
    "empty": "",
    "only a comment": "# nothing yet\n",
    "misspelt operation": "input x: f32[1, 3, 8, 8]\ny = cnov(x, he(f32[4, 3, 3, 3]), pad=1)\noutput y\n",
    "misspelt argument": "input x: f32[1, 3, 8, 8]\ny = conv(x, he(f32[4, 3, 3, 3]), strid=2)\noutput y\n",
    "misspelt keyword": "inptu x: f32[1, 4]\ny = relu(x)\noutput y\n",
    "misspelt type": "input x: f3[1, 4]\noutput x\n",
    "open parenthesis": "input x: f32[1, 4]\ny = relu(x\nz = relu(y)\noutput z\n",
    "channels": "input x: f32[1, 3, 8, 8]\ny = conv(x, he(f32[4, 5, 3, 3]))\noutput y\n",
    "element types": "input x: f32[1, 4]\ninput z: f16[1, 4]\ny = add(x, z)\noutput y\n",
    "recursion": "input x: f32[1, 4]\ndef f(x) { return g(x) }\ndef g(x) { return f(x) }\ny = f(x)\noutput y\n",
    "no output": "input x: f32[1, 4]\ny = relu(x)\n",
    "several mistakes": "input x: f32[1, 4]\na = rleu(x)\nb = relu(z)\nc = softmax(x)\noutput a, b, c\n",
    "missing weights": 'weights "gone.safetensors"\nx = load("a")\noutput x\n',
    "missing import": 'import "blocks.dnn"\ninput x: f32[1]\noutput x\n',
    "calls nested too deeply": "input x: f32[1]\ny = " + "relu(" * 3000 + "x" + ")" * 3000 + "\noutput y\n",
    "characters that are not ASCII": "input x: f32[1, 4]\ny = relu(x) × 2\noutput y\n",
}


@pytest.mark.parametrize("name", DNN)
def test_a_dnn_text(name: str, refused):
    refused(f"dnn, {name}", "dnnc check net.dnn", {"net.dnn": DNN[name]})


def test_a_dnn_text_that_is_not_utf8(refused):
    refused(
        "dnn, not UTF-8", "dnnc check net.dnn", {"net.dnn": "# Größe\ninput x: f32[1]\noutput x\n".encode("latin-1")}
    )


def test_dnn_files_in_a_circle(refused):
    first = 'import "b.dnn"\ninput x: f32[1]\noutput x\n'
    refused("dnn, files in a circle", "dnnc check a.dnn", {"a.dnn": first, "b.dnn": 'import "a.dnn"\n'})


def test_a_key_that_is_misspelt(refused):
    text = 'weights "net.npz"\ninput x: f32[1, 4]\ny = x + load("conv1.wieght")\noutput y\n'
    files = {"net.dnn": text, "net.npz": {"conv1.weight": np.zeros(4, np.float32)}}
    refused("dnn, misspelt key", "dnnc check net.dnn", files)


def main(body: str, result: str = "tensor<4xf32>") -> str:
    """A module of one function."""
    return f"func.func @main(%x: tensor<4xf32>) -> {result} {{\n  {body}\n  func.return %y : {result}\n}}\n"


CONST = '%w = dnn.const key = "w" : () -> tensor<4xf32>\n  %y = dnn.add %x, %w : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>'
MLIR = {
    "empty": "",
    "syntax": main("%y = dnn.relu %x :"),
    "cut": main("%y = dnn.relu %x : (tensor<4xf32>) -> tensor<4xf32>")[:70],
    "unknown operation": main("%y = dnn.rleu %x : (tensor<4xf32>) -> tensor<4xf32>"),
    "unknown dialect": main("%y = nowhere.relu %x : (tensor<4xf32>) -> tensor<4xf32>"),
    "wrong result": main("%y = dnn.relu %x : (tensor<4xf32>) -> tensor<5xf32>", "tensor<5xf32>"),
    "undefined value": main("%y = dnn.relu %z : (tensor<4xf32>) -> tensor<4xf32>"),
    "dynamic shape": main("%y = dnn.relu %x : (tensor<?xf32>) -> tensor<?xf32>", "tensor<?xf32>"),
    "no main": "func.func @other(%x: tensor<4xf32>) -> tensor<4xf32> {\n  func.return %x : tensor<4xf32>\n}\n",
    "no weights beside it": main(CONST),
}


@pytest.mark.parametrize("name", MLIR)
def test_a_module(name: str, refused):
    refused(
        f"mlir, {name}", "dnnc run net.mlir -i in.npz", {"net.mlir": MLIR[name], "in.npz": {"x": np.zeros(4, "f4")}}
    )


STORES = {
    "weights of another network": {"other": np.zeros(4, np.float32)},
    "weights of another shape": {"w": np.zeros(5, np.float32)},
    "weights of another type": {"w": np.zeros(4, np.int8)},
    "weights that are damaged": b"\xff" * 50,
    "weights that are empty": b"",
}


@pytest.mark.parametrize("name", STORES)
def test_weights_of_a_module(name: str, refused):
    files = {"net.mlir": main(CONST), "net.safetensors": STORES[name], "in.npz": {"x": np.zeros(4, "f4")}}
    refused(f"mlir, {name}", "dnnc run net.mlir -i in.npz", files)
