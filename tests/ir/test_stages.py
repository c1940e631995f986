"""What is legal after each stage, and that everything illegal is reported at once, with its place."""

import pytest

from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.stages import BY_NAME, STAGES, check
from dnnc.ir.text import parse

F = "tensor<1x2x4x4xf32>"
Q = "tensor<2x!dnn.q<i8, 0.5, 0>>"
C = "tensor<2xf32>"


def refused(module, stage: str) -> list[str]:
    with pytest.raises(DnncError) as e:
        check(module, stage)
    return [str(f) for f in e.value.findings]


def test_stages_are_known_by_name():
    assert (
        list(BY_NAME) == ["imported", "simplified", "quantized", "fused", "tiled", "placed"] == [s.name for s in STAGES]
    )
    assert all(s.promise and s.rules for s in STAGES)


def test_shapes_are_folded_after_simplified(main_program):
    module, _ = main_program("dnn.shape %a", F, result="tensor<4xi64>")
    check(module, "imported")
    assert refused(module, "simplified") == [
        "test.mlir:2:3: after stage 'simplified' expected shapes folded to constants. [E0448]"
    ]


def test_batch_norms_with_constant_statistics_are_folded_after_simplified(program, main_program):
    module, _ = main_program("dnn.batch_norm %a, %b, %c, %d, %e", F, *[C] * 4, result=F)
    check(module, "simplified")  # statistics that are inputs cannot be folded
    module, _ = program(f"""func.func @main(%x: {F}) -> {F} {{
  %c = dnn.const value = dense<1.0> : {C} : () -> {C}
  %y = dnn.batch_norm %x, %c, %c, %c, %c : ({F}, {C}, {C}, {C}, {C}) -> {F}
  func.return %y : {F}
}}""")
    assert refused(module, "simplified") == [
        "test.mlir:3:3: after stage 'simplified' expected batch norms with constant statistics folded or scaled and "
        "shifted. [E0448]"
    ]


def test_no_floats_after_quantized(program):
    module, _ = program(f"""func.func @main(%x: {C}) -> {C} {{
  %q = dnn.quantize %x to = !dnn.q<i8, 0.5, 0> : ({C}) -> {Q}
  %r = dnn.relu %q : ({Q}) -> {Q}
  %d = dnn.dequantize %r : ({Q}) -> {C}
  %e = dnn.exp %d : ({C}) -> {C}
  %f = dnn.sin %e attributes {{dnn.island}} : ({C}) -> {C}
  %g = dnn.cos %f : ({C}) -> {C}
  func.return %g : {C}
}}""")
    text = "after stage 'quantized' expected quantized values, not floats. Quantize it or mark it as an island. [E0448]"
    assert refused(module, "quantized") == [f"test.mlir:5:3: {text}", f"test.mlir:7:3: {text}"]


def test_what_computes_is_grouped_after_fused(program):
    module, _ = program(f"""func.func @main(%x: {F}) -> tensor<32xf32> {{
  %y = dnn.relu %x : ({F}) -> {F}
  %t = dnn.transpose %y perm = [0, 1, 3, 2] : ({F}) -> {F}
  %r = dnn.reshape %t shape = [32] : ({F}) -> tensor<32xf32>
  func.return %r : tensor<32xf32>
}}""")
    assert refused(module, "fused") == [
        "test.mlir:2:3: after stage 'fused' expected 'dnn.relu' inside a dnn.group. [E0448]",
        "test.mlir:3:3: after stage 'fused' expected 'dnn.transpose' inside a dnn.group. [E0448]",
    ]


def test_other_dialects_are_refused(program):
    module, _ = program('func.func @main() {\n  %b = sched.buffer "x" in <inputs> : memref<2xf32>\n  func.return\n}')
    assert refused(module, "imported") == [
        "test.mlir:2:3: after stage 'imported' expected operations of the dnn dialect, not 'sched.buffer'. [E0448]"
    ]


def test_a_program_has_a_main(program):
    module, _ = program("func.func @other() {\n  func.return\n}")
    assert refused(module, "imported") == ["module: expected a function @main, found none. [E0449]"]


def test_tiled_and_placed_say_what_is_missing():
    text = """
    func.func @main() {
      %0 = sched.buffer "x" in <input> : memref<4xi8>
      %1 = dnn.const value = dense<1.0> : tensor<1xf32> : () -> tensor<1xf32>
      func.return
    }"""
    module = parse(make_context(), text, "test.mlir")
    assert refused(module, "tiled") == [
        "test.mlir:4:7: after stage 'tiled' expected operations of the sched dialect, not 'dnn.const'. [E0448]",
    ]
    assert refused(module, "placed")[0].endswith('expected an offset for buffer "x", none is planned. [E0448]')
