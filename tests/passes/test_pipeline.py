"""Pipelines as text, and what is wrong in them."""

import pytest

from dnnc.ir.diagnostics import DnncError
from dnnc.passes import PASSES, PIPELINES, pipeline
from dnnc.passes.fuse_groups import FuseGroupsPass


def test_names_and_options():
    passes = pipeline.parse("simplify,fuse-groups{max-ops=4}")
    assert pipeline.names(passes) == [p.name for p in PIPELINES["simplify"]] + ["fuse-groups"]
    assert passes[-1] == FuseGroupsPass(max_ops=4)
    assert pipeline.parse("") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fuse-group", "pipeline: expected a pass or a pipeline, not 'fuse-group'. Did you mean fuse-groups? [E0502]"),
        ("simplify,fuse-groups{", "pipeline: expected the name of an option, or '}', not the end of the text in"),
        ("simplify cse", "pipeline: expected ',' and the next pass, not 'cse' in 'simplify cse', column 10."),
        ("cse{x=1}", "pass 'cse': expected no option x. It has no options. [E0503]"),
        (
            "fuse-groups{max-op=4}",
            "pass 'fuse-groups': expected no option max-op. Did you mean max-ops? Options: max-ops (int). [E0503]",
        ),
        ("fuse-groups{max-ops=many}", "pass 'fuse-groups': expected values of the options' types, not max-ops=many."),
        (
            "quantize-weights",
            "pass 'quantize-weights': expected the option bits, not none. "
            "Options: bits (int), scale (Literal['largest', 'least-error']). [E0503]",
        ),
    ],
)
def test_errors(text: str, message: str):
    with pytest.raises(DnncError) as e:
        pipeline.parse(text)
    assert message in str(e.value)
    assert len(str(e.value).splitlines()) == 1


def test_all_errors_at_once():
    with pytest.raises(DnncError) as e:
        pipeline.parse("nothing,cse{x=1},else")
    assert [f.where for f in e.value.findings] == ["pipeline", "pass 'cse'", "pipeline"]


def test_every_pass_is_found_by_name():
    made = {p.name: p for passes in PIPELINES.values() for p in passes}
    assert made.items() <= PASSES.items()
    assert list(PASSES) == sorted(PASSES)


def test_run_calls_after_each_pass(main_program):
    module, ctx = main_program("dnn.relu %a", "tensor<2xf32>", result="tensor<2xf32>")
    seen = []
    pipeline.run(pipeline.parse("cse,dce"), module, ctx, lambda one, m: seen.append((one.name, m is module)))
    assert seen == [("cse", True), ("dce", True)]
