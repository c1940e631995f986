"""IR -> .dnn -> IR gives the same text: of every operation, of the networks of the zoo, of files with weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, ModuleOp, NameLoc
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region

from dnnc.frontend.dsl import dnn_text, parse_dnn, read_dnn, save_dnn
from dnnc.frontend.dsl.signatures import operations
from dnnc.frontend.dsl.values import CONVERSIONS
from dnnc.frontend.onnx.importer import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn import DnnOp
from dnnc.ir.dnn.attributes import WindowAttr
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.stages import CALIBRATED
from dnnc.ir.text import load, parse, text_of
from dnnc.ir.types import Quantized, QuantType
from dnnc.ir.weights import store_of
from dnnc.passes.pipeline import parse as pipeline
from dnnc.passes.pipeline import run
from dnnc.zoo import ZOO

TESTS = Path(__file__).parents[2]


def nodes(module: ModuleOp) -> list[str | None]:
    """Names of the nodes the operations come from."""
    places = [op.location for op in module.walk() if isinstance(op, DnnOp)]
    return [p.desc.data if isinstance(p, NameLoc) else None for p in places]


def check_round_trip(module: ModuleOp, ctx: Context) -> None:
    again = parse_dnn(dnn_text(module), ctx)
    assert text_of(again) == text_of(module)
    assert nodes(again) == nodes(module)


@pytest.mark.parametrize("name", ZOO)
def test_networks_of_the_zoo(name: str):
    ctx = make_context()
    check_round_trip(import_onnx(ZOO[name](shapes_only=True), ctx), ctx)


def example_operations() -> list[tuple[str, Operation]]:
    """Each operation of ops.mlir, with its place in the file."""
    module, _ = load(TESTS / "ir" / "dnn" / "ops.mlir")
    ops = [op for op in module.walk() if isinstance(op, DnnOp) and not op.regions and not op.attributes]
    return [(f"{i}-{op.name}", op) for i, op in enumerate(ops)]


def alone(op: Operation) -> ModuleOp:
    """A program of one operation on its operands."""
    block = Block(arg_types=[v.type for v in op.operands])
    clone = op.clone(dict(zip(op.operands, block.args)))
    block.add_ops([clone, ReturnOp(*clone.results)])
    types = FunctionType.from_lists(block.arg_types, [r.type for r in clone.results])
    module = ModuleOp([FuncOp("main", types, Region(block))])
    return parse(make_context(), text_of(module))


@pytest.mark.parametrize(("name", "op"), example_operations(), ids=lambda v: v if isinstance(v, str) else "")
def test_every_operation(name: str, op: Operation):
    """Whatever ops.mlir holds can be written as .dnn: a new operation is here without a word."""
    module, ctx = alone(op), make_context()
    if isinstance(op, ConstOp) and op.key is not None:
        type_ = op.result.type
        store_of(ctx).add(op.key.data, np.zeros(type_.get_shape(), np.float32))  # pyright: ignore
    elements = [v.type.element_type for v in (*op.operands, *op.results)]  # pyright: ignore
    if any(isinstance(e, Quantized) and not isinstance(e, QuantType) for e in elements):
        with pytest.raises(UnsupportedError, match=r"\.dnn has"):
            dnn_text(module)
        return
    again = parse_dnn(dnn_text(module), ctx)
    assert body(again) == body(module)


def body(module: ModuleOp) -> str:
    """The text of the one operation; inputs and outputs of .dnn have names, those of `alone` have none."""
    lines = text_of(module).splitlines()
    return "\n".join(line for line in lines if "func.func" not in line)


def test_every_parameter_has_a_form():
    for signature in operations().values():
        assert set(signature.parameters.values()) <= {*CONVERSIONS, WindowAttr}, signature.name
        assert len(set(signature.names())) == len(signature.names()), signature.name


def test_files_with_weights(tmp_path: Path):
    ctx = make_context()
    module = import_onnx(TESTS / "models" / "lenet5.onnx", ctx)
    save_dnn(module, ctx, tmp_path / "lenet5.dnn")
    other = make_context()
    again, name = read_dnn(tmp_path / "lenet5.dnn", other)
    assert (name, text_of(again)) == ("lenet5", text_of(module))
    x = np.load(TESTS / "models" / "digits_test.npz")["x"][:1].reshape(1, 1, 28, 28).astype(np.float32)
    (want,), (got,) = evaluate(module, [x], store_of(ctx)), evaluate(again, [x], store_of(other))
    assert want.tobytes() == got.tobytes()


def test_a_quantized_network():
    """After `quantize-lower`: integers, scales for each channel, requantize."""
    ctx = make_context()
    module = import_onnx(TESTS / "models" / "lenet5.onnx", ctx)
    samples = TESTS / "models" / "digits_calibration.npz"
    run(pipeline(f'simplify,calibrate{{data="{samples}"}},quantize,quantize-lower'), module, ctx)
    text = dnn_text(module)
    assert "type q0 = q<i8, axis 0, [" in text and "requantize(" in text
    assert text.startswith("# calibrated: min-max")
    del module.attributes[CALIBRATED]
    check_round_trip(module, ctx)


ODD = """func.func @main(%input: tensor<2xf32> {dnn.name = "in:0"}, %f32: tensor<2xf32> {dnn.name = "b"})
    -> (tensor<2xf32> {dnn.name = "out/y"}, tensor<2xf32> {dnn.name = "linear"}) {
  %return = dnn.relu %input : (tensor<2xf32>) -> tensor<2xf32> loc("a \\"quoted\\" node")
  %true = dnn.add %return, %f32 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %0 = dnn.relu %true : (tensor<2xf32>) -> tensor<2xf32>
  %return_1 = dnn.relu %0 : (tensor<2xf32>) -> tensor<2xf32>
  %q = dnn.const value = dense<[1.0, -3.5e-07]> : tensor<2xf32> : () -> tensor<2xf32>
  %c = dnn.const value = dense<0.5> : tensor<2xf32> : () -> tensor<2xf32>
  %i = dnn.const value = dense<[true, false]> : tensor<2xi1> : () -> tensor<2xi1>
  %linear = dnn.where %i, %q, %return_1 : (tensor<2xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return %linear, %c : tensor<2xf32>, tensor<2xf32>
}"""


def test_odd_names():
    """Names that are keywords, words or types elsewhere, names twice, values without one."""
    ctx = make_context()
    module = parse(ctx, ODD, "odd.mlir")
    text = dnn_text(module)
    assert text_of(parse_dnn(text, ctx)) == text_of(module)
    assert 'input input: f32[2] @ "in:0"\ninput f32.1: f32[2] @ "b"\n' in text
    assert 'return = relu(input) @ "a \\"quoted\\" node"\n' in text
    assert "return.1 = relu(_0)\nq = const([1.0, -3.5e-07], f32[2])\nc = const(0.5, f32[2])\n" in text


def test_what_cannot_be_written():
    ctx = make_context()
    module = import_onnx(TESTS / "models" / "lenet5.onnx", ctx)
    run(pipeline("fuse"), module, ctx)
    with pytest.raises(
        UnsupportedError,
        match=r"expected an operation .dnn has a form for, not 'dnn.group' as it is. Write the program before",
    ):
        dnn_text(module)
