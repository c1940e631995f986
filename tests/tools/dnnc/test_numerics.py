"""`dnnc-opt --check-numerics` finds the pass that changes results, and no other."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc import opt
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.function import AbsOp
from dnnc.passes import canonicalize

MODELS = Path(__file__).parents[2] / "models"

PROGRAM = """
func.func @main(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %a = dnn.relu %x : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %b = dnn.reshape %a shape = [2, 8] : (tensor<2x8xf32>) -> tensor<2x8xf32>
  func.return %b : tensor<2x8xf32>
}
"""


def check(*arguments: str, text: str = "") -> int:
    return opt.run([*arguments, "--check-numerics"], io.StringIO(text), io.StringIO())


class WrongLaw(RewritePattern):
    """relu(x) = |x|: wrong for negative x."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReluOp, rewriter: PatternRewriter, /):
        rewriter.replace(op, AbsOp(op.x))


def test_right_passes_are_the_same_to_the_end(capsys):
    assert check("-p", "simplify,fuse-groups", text=PROGRAM) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 8 and all(line.endswith(": same") for line in lines)


def test_a_wrong_law_is_named_with_its_pass(monkeypatch, capsys):
    monkeypatch.setattr(canonicalize, "laws", lambda store: [WrongLaw()])
    assert check("-p", "fold-constants,canonicalize,dce", text=PROGRAM) == 1
    err = capsys.readouterr().err
    assert "fold-constants: same" in err and "dce" not in err
    assert (
        "pass 'canonicalize': expected a relative difference of at most 1.3e-06 in output 'output0' on "
        "random values, not a relative difference of" in err
    )


@pytest.mark.parametrize("name", ["lenet5"])
def test_the_whole_way_to_the_schedule_on_a_trained_network(name, capsys):
    samples = MODELS / "digits_calibration.npz"
    spec = f'simplify,calibrate{{data="{samples}"}},quantize,quantize-lower,canonicalize,cse,dce,fuse-groups'
    assert check(str(MODELS / f"{name}.onnx"), "-p", spec) == 0
    err = capsys.readouterr().err
    assert "quantize: new reference, exact from here on" in err
    assert err.splitlines()[-1] == "fuse-groups: same"


def test_one_bit_counts_after_quantize(monkeypatch, capsys):
    samples = MODELS / "digits_calibration.npz"

    class OffByOne(RewritePattern):
        """Another rounding: a few results move by one step."""

        def match_and_rewrite(self, op, rewriter: PatternRewriter, /):
            if op.name == "dnn.requantize" and op.rounding.data != "trunc":
                rewriter.replace(op, type(op)(op.x, to=op.to, rounding="trunc"))

    spec = f'simplify,calibrate{{data="{samples}"}},quantize,quantize-lower,canonicalize'
    real = canonicalize.laws
    monkeypatch.setattr(canonicalize, "laws", lambda store: [*real(store), OffByOne()])
    assert check(str(MODELS / "lenet5.onnx"), "-p", spec) == 1
    assert "pass 'canonicalize': expected the same bits in output '" in capsys.readouterr().err
