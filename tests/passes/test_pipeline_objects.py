"""Pipelines as objects: what may stand in one, its text, its hooks, what is verified and who is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from xdsl.dialects.builtin import UnitAttr
from xdsl.ir import ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern
from xdsl.rewriter import Rewriter

import dnnc
from dnnc.ir.dnn.activation import ReluOp, SigmoidOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import I8, shape_of, tensor
from dnnc.passes import PIPELINES, pipeline
from dnnc.passes.cse import CsePass
from dnnc.passes.dce import DcePass
from dnnc.passes.fuse_groups import FuseGroupsPass
from dnnc.passes.pipeline import checks

LENET = Path(__file__).parent.parent / "models" / "lenet5.onnx"


@dnnc.pattern
def relu_of_relu(op: ReluOp, rewriter: PatternRewriter):
    """relu(relu(x)) = relu(x)."""
    if isinstance(op.x.owner, ReluOp):
        rewriter.replace(op, [], [op.x])


@dataclass
class Smooth(RewritePattern):
    """relu(x) becomes sigmoid(x), marked."""

    mark: str = "smooth"

    def match_and_rewrite(self, op, rewriter: PatternRewriter, /) -> None:
        if isinstance(op, ReluOp):
            rewriter.replace(op, new := SigmoidOp(op.x))
            new.attributes[self.mark] = UnitAttr()


def note(module, ctx, *, text: str, times: int = 1, only: tuple[str, ...] = ()):
    """Leave a note on the module."""
    module.attributes[text * times] = UnitAttr()


@dataclass(frozen=True)
class EveryKindPass(ModulePass):
    """Has an option of every type."""

    name = "every-kind"
    number: int = 0
    real: float = 0.5
    flag: bool = False
    word: str = "a"
    size: dnnc.Bytes = 0
    sizes: tuple[dnnc.Bytes, ...] = ()
    limit: int | None = None
    mode: Literal["fast", "small"] = "fast"
    names: tuple[str, ...] = ("x",)

    def apply(self, ctx, op) -> None:
        """Change nothing."""


@pytest.fixture
def network(main_program) -> dnnc.Network:
    module, ctx = main_program("dnn.relu %a", "tensor<2xf32>", result="tensor<2xf32>")
    return dnnc.Network(module, ctx)  # pyright: ignore[reportCallIssue]


def test_everything_that_can_be_an_item():
    inner = dnnc.Pipeline("cse,dce")
    whole = dnnc.Pipeline(["simplify", CsePass, DcePass(), FuseGroupsPass(max_ops=2), relu_of_relu, Smooth, inner])
    own = [p.name for p in whole][len(PIPELINES["simplify"]) :]
    assert own == ["cse", "dce", "fuse-groups", "relu-of-relu", "smooth", "cse", "dce"]
    assert len(whole) == len(list(whole)) and isinstance(whole[-1], DcePass)
    assert whole[-2:] == inner and whole != inner and inner != "cse,dce"


@pytest.mark.parametrize(
    "given",
    [
        {"number": -3, "real": 1e-07, "flag": True},
        {"word": "true", "names": ()},
        {"word": "two words", "names": ("a b", "c,d", 'e"f')},
        {"size": 65536, "sizes": (1, 1 << 20, 1536), "limit": 4},
        {"mode": "small", "number": 12},
    ],
)
def test_text_reads_back_to_the_same(given: dict[str, object]):
    whole = dnnc.Pipeline(
        ["simplify", EveryKindPass(**given), relu_of_relu, Smooth(mark="m"), FuseGroupsPass(max_ops=3)]
    )  # pyright: ignore
    again = dnnc.Pipeline(str(whole))
    assert again == whole and str(again) == str(whole)


def test_text_is_as_one_would_write_it():
    assert str(dnnc.Pipeline([FuseGroupsPass(max_ops=4), EveryKindPass(size=65536)])).endswith("{size=64KB}")
    assert str(dnnc.Pipeline("cse,fuse-groups{max-ops=4}")) == "cse,fuse-groups{max-ops=4}"
    assert repr(dnnc.Pipeline("cse")) == "Pipeline('cse')"


def test_run_leaves_the_network_as_it_is(network: dnnc.Network):
    before = str(network)
    result = dnnc.Pipeline([Smooth]).run(network)
    assert "dnn.sigmoid" in str(result) and str(network) == before
    assert dnnc.Pipeline([Smooth(mark="other")]).run(network, in_place=True) is network
    assert "other" in str(network)


def test_a_function_with_options(network: dnnc.Network):
    place = f"{__file__}:note"
    result = dnnc.Pipeline([f"{place}{{text=seen times=2}}"]).run(network)
    assert "seenseen" in str(result)
    with pytest.raises(dnnc.DnncError, match=r"expected the option text of pass 'note', not none"):
        dnnc.Pipeline([note])


def test_hooks_of_nested_pipelines(network: dnnc.Network):
    seen: list[str] = []
    inner = dnnc.Pipeline("cse", before=lambda one, _: seen.append(f"< {one.name}"))
    whole = dnnc.Pipeline(
        [inner, "dce"], after=[lambda one, _: seen.append(f"{one.name} >"), lambda *_: seen.append("!")]
    )
    inner.after.append(lambda one, module: seen.append(f"{one.name} {module is network.module}"))
    whole.run(network, in_place=True)
    assert seen == ["< cse", "cse >", "!", "cse True", "dce >", "!"]
    seen.clear()
    whole[:1].run(network, in_place=True)
    assert seen == ["< cse", "cse >", "!", "cse True"]


def test_compile_takes_one():
    seen: list[str] = []
    given = dnnc.Pipeline(["simplify", Smooth, "fuse-groups"], after=lambda one, _: seen.append(one.name))
    program = dnnc.compile(LENET, emit="c", pipeline=given)
    assert "dnn.sigmoid" in str(program.network) and seen == [p.name for p in given]
    assert "dnn.relu" in str(dnnc.compile(LENET, emit="ir", pipeline=dnnc.Pipeline()).network)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([3], r"pipeline item 0: expected a pass, a pattern, a function .*, not 3. \[E0507\]"),
        ([[]], r"pipeline item 0: "),
        (
            ["cse", lambda m: None],
            r"pipeline item 1: expected a function <lambda>\(module, ctx\), its options after a \*",
        ),
        ([lambda m, c, *, n: None], r"expected a type for the option n of <lambda>, as in n: int"),
        (["./nowhere.py:f"], r"expected a Python file at ./nowhere.py, found nothing there. Check the path. \[E0506\]"),
        (["no.such.module:f"], r"expected 'no.such.module' to import, not ModuleNotFoundError: No module named 'no'"),
        (["json:nothing"], r"expected 'nothing' in json, found"),
        (["shutil:copyfileobj"], r"expected a function copyfileobj\(module, ctx\), its options after a \*"),
        (["every-kind"], r"expected a pass or a pipeline, not 'every-kind'"),
    ],
)
def test_what_is_no_item(items: list[object], message: str):
    with pytest.raises(dnnc.DnncError, match=message):
        dnnc.Pipeline(items)


def test_all_wrong_items_at_once():
    with pytest.raises(dnnc.DnncError) as e:
        dnnc.Pipeline([3, "csee,dcee", "cse", 4])
    assert [f.where for f in e.value.findings] == ["pipeline item 0", "pipeline", "pipeline", "pipeline item 3"]


def test_a_pattern_needs_a_class():
    with pytest.raises(dnnc.DnncError, match=r"pattern '<lambda>': expected its first argument to name a class"):
        dnnc.pattern(lambda op, rewriter: None)


@irdl_attr_definition
class Foreign(ParametrizedAttribute):
    name = "foreign.mark"


def raises(module, ctx):
    raise KeyError("x")


@dnnc.pattern
def stumbles(op: ReluOp, rewriter: PatternRewriter):
    op.nothing()  # pyright: ignore[reportAttributeAccessIssue]


def returns(module, ctx):
    return module


def breaks(module, ctx):
    for op in module.walk():
        if isinstance(op, ReluOp):
            op.properties["steep"] = UnitAttr()


def unreadable(module, ctx):
    module.attributes["mark"] = Foreign()


def weightless(module, ctx):
    for op in [op for op in module.walk() if isinstance(op, ReluOp)]:
        Rewriter.replace_op(op, ConstOp.keyed("lost", op.result.type))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (raises, r"pass 'raises': expected it to run, not KeyError: 'x' \(test_pipeline_objects.py:\d+\). Correct the pass."),
        (stumbles, r"test.mlir:2:3: pass 'stumbles': expected it to run, not AttributeError: .* \(test_pipeline_objects.py:\d+\)"),
        (returns, r"pass 'returns': expected it to change the module in place and return nothing, not ModuleOp"),
        (breaks, r"test.mlir:2:3: after pass 'breaks': .*steep"),
        (unreadable, r"pass 'unreadable': expected a module whose text reads back, not one with: .*foreign.mark.* \[E0508\]"),
        (weightless, r"pass 'weightless': expected weights that exist, not the keys lost. .* \[E0509\]"),
    ],
)  # fmt: skip
def test_a_pass_that_goes_wrong_is_named(network: dnnc.Network, item: object, message: str):
    with pytest.raises(dnnc.DnncError, match=message):
        dnnc.Pipeline([item]).run(network, verify="strict")


def retypes(module, ctx):
    for op in module.walk():
        if isinstance(op, ReluOp):
            Rewriter.replace_value_with_new_type(op.result, tensor(I8, shape_of(op.result.type)))


def keeps(module, ctx):
    """Changes nothing."""


def test_what_a_pass_leaves_alone_is_verified_once(network: dnnc.Network, monkeypatch: pytest.MonkeyPatch):
    seen = []
    monkeypatch.setattr(checks, "verify", seen.append)
    dnnc.Pipeline([keeps, keeps, lambda module, ctx: note(module, ctx, text="new"), keeps]).run(network)
    assert len(seen) == 2


@pytest.mark.parametrize("item", [breaks, retypes])
def test_what_a_pass_breaks_behind_others_is_found(network: dnnc.Network, item: object):
    with pytest.raises(dnnc.DnncError, match=f"after pass '{item.__name__}'"):  # pyright: ignore
        dnnc.Pipeline([keeps, keeps, item, keeps]).run(network)


def test_how_much_is_verified(network: dnnc.Network):
    for item in (unreadable, weightless):
        dnnc.Pipeline([item]).run(network)
    mended = [
        breaks,
        lambda module, ctx: [op.properties.clear() for op in module.walk() if isinstance(op, ReluOp)] and None,
    ]
    dnnc.Pipeline(mended).run(network, verify="end")
    with pytest.raises(dnnc.DnncError, match="steep"):
        dnnc.Pipeline([breaks]).run(network, verify="end")


def test_a_list_of_passes_runs_as_before(network: dnnc.Network):
    pipeline.run([CsePass(), DcePass()], network.module, network.ctx)
