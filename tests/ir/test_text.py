"""Programs as text: a fixed point, with locations, with weights beside them; every mistake has a place."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import FileLineColLoc, NameLoc, NoneAttr, StringAttr

from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, where
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.text import load, parse, save, text_of, weight_keys, weights_path
from dnnc.ir.types import dtype, tensor_of
from dnnc.ir.weights import WeightStore, store_of

OPS = Path(__file__).parent / "dnn" / "ops.mlir"


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("locations", [False, True])
def test_text_is_a_fixed_point(generic: bool, locations: bool):
    first = parse(make_context(), OPS.read_text(), OPS.name)
    module = parse(make_context(), text_of(first, generic, locations), OPS.name)
    text = text_of(module, generic, locations)
    again = parse(make_context(), text, OPS.name)
    assert text_of(again, generic, locations) == text
    assert again.is_structurally_equivalent(module)


def test_operations_know_their_line():
    text = (
        "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n\n  %y = dnn.relu %x : (tensor<2xf32>) -> tensor<2xf32>\n\
  func.return %y : tensor<2xf32>\n}"
    )
    relu = main_function(parse(make_context(), text, "net.mlir")).body.block.first_op
    assert isinstance(relu.location, FileLineColLoc)
    assert where(relu.location) == "net.mlir:3:3"


def test_node_names_survive(program):
    module, _ = program(
        'func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n  %y = dnn.relu %x : (tensor<2xf32>) -> tensor<2xf32> \
loc("layer1/Relu:0 \\"q\\"")\n  func.return %y : tensor<2xf32>\n}'
    )
    for _ in range(2):
        relu = main_function(module).body.block.first_op
        assert relu.location == NameLoc(StringAttr('layer1/Relu:0 "q"'), NoneAttr())
        module, _ = program(text_of(module, locations=True))


def const_program(program, array: np.ndarray):
    store = WeightStore()
    type_ = tensor_of(array)
    module, _ = program(
        f"func.func @main() -> {type_} {{\n  %c = dnn.const value = dense<0> : {type_} : () -> {type_}\n\
  func.return %c : {type_}\n}}".replace("dense<0>", "dense<0.0>" if array.dtype.kind == "f" else "dense<0>")
    )
    block = main_function(module).body.block
    old = block.first_op
    new = ConstOp.of(array, store, "w")
    block.insert_op_before(new, old)
    old.result.replace_all_uses_with(new.result)
    block.erase_op(old)
    return module, store


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=16))
def test_floats_in_the_text_keep_their_bits(bits):
    array = np.array(bits, np.uint32).view(np.float32)
    const = ConstOp.of(array, store := WeightStore(), "w")
    if const.value is None:
        np.testing.assert_array_equal(store["w"].view(np.uint32), array.view(np.uint32))
    else:
        text = f"func.func @main() {{\n  {const!s}\n  func.return\n}}"
        again = main_function(parse(make_context(), text)).body.block.first_op
        np.testing.assert_array_equal(again.array(store).view(np.uint32), array.view(np.uint32))


@pytest.mark.parametrize("kind", ["float64", "int64", "bool", "float16", "int8"])
def test_program_and_weights_read_back(program, tmp_path: Path, kind: str):
    array = np.random.default_rng(1).integers(0, 2, (40, 3)).astype(kind)
    module, store = const_program(program, array)
    ctx = make_context(store)
    path = tmp_path / "net.mlir"
    save(module, ctx, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.mlir", "net.safetensors"]
    again, again_ctx = load(path)
    assert text_of(again) == text_of(module) and weight_keys(again) == ["w"]
    got = evaluate(again, [], store_of(again_ctx))[0]
    assert got.dtype == dtype(tensor_of(array).element_type)
    np.testing.assert_array_equal(got, array)
    save(again, again_ctx, path)  # over the file its own weights are mapped from; the text now has its own lines
    first = path.read_bytes(), weights_path(path).read_bytes()
    save(*load(path), path)
    assert (path.read_bytes(), weights_path(path).read_bytes()) == first


def test_without_weights_there_is_no_file(main_program, tmp_path: Path):
    module, ctx = main_program("dnn.relu %a", "tensor<2xf32>", result="tensor<2xf32>")
    save(module, ctx, tmp_path / "net.mlir")
    assert [p.name for p in tmp_path.iterdir()] == ["net.mlir"]


def test_missing_and_foreign_weights_are_told(program):
    text = 'func.func @main() -> tensor<2xf32> {\n  %w = dnn.const key = "w" : () -> tensor<2xf32>\n\
  func.return %w : tensor<2xf32>\n}'
    with pytest.raises(DnncError) as e:
        evaluate(program(text)[0], [], WeightStore())
    assert str(e.value) == (
        "test.mlir:2:3: 'dnn.const' expected weights with the key 'w', not found in the store. "
        "Give the .safetensors file that belongs to this text. [E0411]"
    )
    store = WeightStore()
    store.add("w", np.zeros((3, 1)))
    with pytest.raises(DnncError) as e:
        evaluate(program(text)[0], [], store)
    assert str(e.value) == (
        "test.mlir:2:3: 'dnn.const' expected weights 'w' of shape [2] and type float32, not [3, 1] and float64. "
        "The text and the .safetensors file do not belong together. [E0411]"
    )


def test_what_is_no_text_is_told(tmp_path: Path):
    path = tmp_path / "x.mlir"
    path.write_bytes(b"abc\xff")
    with pytest.raises(DnncError) as e:
        load(path)
    assert (
        str(e.value)
        == f"{path}: expected UTF-8 text, not the byte at 3. Give an .mlir file, or a model as .onnx. [E0106]"
    )


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str):
    try:
        parse(make_context(), text)
    except DnncError as e:
        assert e.findings[0].where


def test_cut_and_mangled_programs_are_read_or_refused():
    rng = np.random.default_rng(4)
    whole = OPS.read_text()
    start = whole.index("func.func @contraction")
    text = (
        whole[:start].split("\n// CHECK-LABEL")[0] + whole[start : whole.index("// CHECK-LABEL: func.func @reduction")]
    )
    for _ in range(60):
        at, length = rng.integers(0, len(text)), rng.integers(1, 12)
        mangled = text[:at] + (text[at + length :] if rng.integers(2) else "%<]"[rng.integers(3)] + text[at:])
        try:
            parse(make_context(), mangled)
        except DnncError as e:
            assert e.findings


def test_every_operation_parses_without_a_property_it_may_lack():
    for op in parse(make_context(), OPS.read_text()).walk():
        if isinstance(op, DnnOp):
            assert op.clone().verify() is None


@pytest.mark.parametrize("end", ["", "\\q", "\v", '\n"'])
def test_a_string_left_open_is_told_at_once(end: str):
    text = (
        'func.func private @f() -> () loc("a // b")\nfunc.func private @g() -> () loc("' + "energy problem " * 40 + end
    )
    with pytest.raises(DnncError, match=r'^open:2:34: expected a string with a closing quote, not "energy') as e:
        parse(make_context(), text, "open")
    assert e.value.findings[0].code == "E0401"
