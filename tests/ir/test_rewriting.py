"""Laws: bounded, and what is known of an operation goes to what replaces it."""

import pytest
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr, UnitAttr
from xdsl.ir import Operation
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.diagnostics import InternalError
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.elementwise import ClipOp
from dnnc.ir.dnn.function import AbsOp, NegOp
from dnnc.ir.interpret import main_function
from dnnc.ir.rewriting import apply_laws, gated
from dnnc.passes import PASSES


class ReluBecomesClip(RewritePattern):
    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReluOp, rewriter: PatternRewriter, /):
        rewriter.replace(op, ClipOp(op.x, low=0.0))


class ClipBecomesRelu(RewritePattern):
    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ClipOp, rewriter: PatternRewriter, /):
        rewriter.replace(op, ReluOp(op.x))


class AbsOfNegation(RewritePattern):
    """|x| = |-(-x)|, in three operations."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: AbsOp, rewriter: PatternRewriter, /):
        if not isinstance(op.x.owner, NegOp):
            a = NegOp(op.x)
            b = NegOp(a, location=NameLoc(StringAttr("own"), NoneAttr()))
            rewriter.replace(op, [a, b, AbsOp(b)])


@pytest.fixture
def relu(main_program):
    return main_program("dnn.relu %a", "tensor<2xf32>", result="tensor<2xf32>")[0]


def test_laws_that_undo_each_other_are_our_bug(relu):
    with pytest.raises(InternalError) as e:
        apply_laws(relu, [ReluBecomesClip(), ClipBecomesRelu()], 7)
    assert str(e.value).startswith("expected the rewrite laws to settle within 7 sweeps, still firing: ")
    assert "ClipBecomesRelu" in str(e.value) or "ReluBecomesClip" in str(e.value)


def test_what_fired_is_counted(relu):
    assert apply_laws(relu, [ReluBecomesClip()]) == {"ReluBecomesClip": 1}
    assert apply_laws(relu, [ReluBecomesClip()]) == {}


def test_locations_and_attributes_follow(main_program):
    module, _ = main_program("dnn.abs %a", "tensor<2xf32>", result="tensor<2xf32>")
    op = main_function(module).body.block.first_op
    op.location = NameLoc(StringAttr("node"), NoneAttr())
    op.attributes["note"] = UnitAttr()
    apply_laws(module, [AbsOfNegation()])
    ops = list(main_function(module).body.block.ops)[:3]
    assert [o.location.desc.data for o in ops] == ["node", "own", "node"]
    assert ["note" in o.attributes for o in ops] == [False, False, True]  # only what makes the value has its notes


class Two:
    """A gate that lets two rewrites through."""

    def __init__(self):
        self.laws: list[str] = []

    def opens(self, law: str, op: Operation) -> bool:
        return len(self.laws) < 2

    def passed(self, law: str) -> None:
        self.laws.append(law)


def test_a_gate_stops_the_laws_after_any_number_of_rewrites(program):
    lines = "\n".join(f"%{i} = dnn.relu %x : (tensor<2xf32>) -> tensor<2xf32>" for i in range(4))
    module, _ = program(f"func.func @main(%x: tensor<2xf32>) {{\n{lines}\nfunc.return\n}}")
    gate = Two()
    with gated(gate):
        assert apply_laws(module, [ReluBecomesClip()]) == {"ReluBecomesClip": 2}
    assert gate.laws == ["ReluBecomesClip"] * 2
    assert apply_laws(module, [ReluBecomesClip()]) == {"ReluBecomesClip": 2}  # no gate is left behind


@pytest.mark.parametrize(
    ("name", "law", "line"),
    [
        ("cse", "EqualOperations", "dnn.relu %x : (tensor<2xf32>) -> tensor<2xf32>"),
        ("fold-constants", "ConstantOperands", "dnn.relu %c : (tensor<2xf32>) -> tensor<2xf32>"),
        ("fuse-groups", "Group", "dnn.relu %x : (tensor<2xf32>) -> tensor<2xf32>"),
        ("decompose", "Definition", "dnn.softmax %x axis = 0 : (tensor<2xf32>) -> tensor<2xf32>"),
    ],
)
def test_passes_that_are_no_list_of_laws_ask_for_each_rewrite(program, name, law, line):
    constant = "%c = dnn.const value = dense<[1.0, 2.0]> : tensor<2xf32> : () -> tensor<2xf32>"
    body = f"{constant}\n%a = {line}\n%b = {line}\n%d = {line}\nfunc.return %a, %b, %d"
    types = ", ".join(["tensor<2xf32>"] * 3)
    gate = Two()
    with gated(gate):
        module, ctx = program(f"func.func @main(%x: tensor<2xf32>) -> ({types}) {{\n{body} : {types}\n}}")
        PASSES[name]().apply(ctx, module)
    assert gate.laws == [law] * 2
