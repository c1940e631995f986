"""Pipeline files: definitions, comments, options of pipelines, and where their mistakes are."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnnc.ir.diagnostics import DnncError
from dnnc.passes import PIPELINES
from dnnc.passes.fuse_groups import FuseGroupsPass
from dnnc.passes.pipeline import names, parse, read
from dnnc.passes.pipeline.options import Unfit, size
from dnnc.passes.tile import TilePass


def written(folder: Path, text: str) -> Path:
    path = folder / "p.dnnp"
    path.write_text(text, "utf-8")
    return path


def test_definitions_comments_and_line_ends(tmp_path: Path):
    path = written(
        tmp_path,
        "\ufeff# front end\nfront = (simplify, back,),\n".replace("back", "cse # again\n")
        + "both = (front, dce),\n\n both,   # all of it\r\nfuse-groups {\n  max-ops = 4\n},\n",
    )
    passes = read(path)
    assert names(passes) == [*(p.name for p in PIPELINES["simplify"]), "cse", "dce", "fuse-groups"]
    assert passes[-1] == FuseGroupsPass(max_ops=4)
    assert read(written(tmp_path, "# nothing\n")) == []


def test_options_go_to_the_pass_that_has_them():
    passes = parse("npu{slack=3 fuse-groups.max-ops=2}")
    assert TilePass(slack=3) in passes and FuseGroupsPass(max_ops=2) in passes
    assert parse("front=(cse,fuse-groups{max-ops=2}),front{max-ops=3}")[-1] == FuseGroupsPass(max_ops=3)


def test_every_mistake_at_its_place(tmp_path: Path):
    path = written(
        tmp_path,
        "simplfy,\ncse{x=1},\n  fuse-groups{max-ops=many max_op=3 max-ops=2},\nint8{slack=2},\nsimplify{sweeps=a},\n"
        "two = (cse), two = (dce),\ncse = (dce),\nquantize-weights,\n./no.py:f,\nmixed = (tile, simplify),\nmixed{slck=1},",
    )
    with pytest.raises(DnncError) as e:
        read(path)
    found = [(f.where.removeprefix(f"{tmp_path}/"), f.message.split(".")[0], f.code) for f in e.value.findings]
    assert found == [
        ("p.dnnp:1:1", "expected a pass or a pipeline, not 'simplfy'", "E0502"),
        ("p.dnnp:2:5", "pass 'cse': expected no option x", "E0503"),
        ("p.dnnp:3:15", "pass 'fuse-groups': expected values of the options' types, not max-ops=many", "E0503"),
        ("p.dnnp:3:28", "pass 'fuse-groups': expected no option max-op", "E0503"),
        ("p.dnnp:3:37", "pass 'fuse-groups': expected the option max-ops once, not twice", "E0503"),
        ("p.dnnp:4:6", "pipeline 'int8': expected an option of one of its passes, not slack", "E0503"),
        ("p.dnnp:5:10", "pass 'canonicalize': expected values of the options' types, not sweeps=a", "E0503"),
        ("p.dnnp:6:14", "expected a new name, not 'two', which is taken", "E0503"),
        ("p.dnnp:7:1", "expected a new name, not 'cse', which is taken", "E0503"),
        ("p.dnnp:8:1", "pass 'quantize-weights': expected the option bits, not none", "E0503"),
        ("p.dnnp:9:1", "expected a Python file at ", "E0506"),
        ("p.dnnp:11:7", "pipeline 'mixed': expected an option of one of its passes, not slck", "E0503"),
    ]


def test_an_option_two_passes_have(tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "def a(module, ctx, *, n: int = 0): ...\ndef b(module, ctx, *, n: int = 0): ...\n"
    )
    both = "both = (./mine.py:a, ./mine.py:b), "
    with pytest.raises(
        DnncError, match=r"p.dnnp:1:41: pipeline 'both': .* not n, which 2 have. Write a.n or b.n. \[E0503\]"
    ):
        read(written(tmp_path, both + "both{n=1}"))
    a, b = read(written(tmp_path, both + "both{b.n=1}"))
    assert (a.n, b.n) == (0, 1)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cse dce", r":1:5: expected ',' and the next pass, not 'dce'."),
        (
            "cse,\n{}",
            r":2:1: expected the name of a pass, not '{'|:2:1: expected the name of a pass or a pipeline, not '{'",
        ),
        ("a = cse", r":1:5: expected '\(' and the passes 'a' stands for, not 'cse'"),
        ("a = (cse", r":1:9: expected ',' and the next pass, or '\)', not the end of the text"),
        ("cse{a=}", r":1:7: expected a value .*, not '}'"),
        ("cse{a=1, b=2}", r":1:8: expected a space between options, not ','"),
        ("cse{=1}", r":1:5: expected the name of an option, or '}', not '='"),
        ("cse)", r":1:4: expected ',' and the next pass, not '\)'"),
        ('cse{a="x', r":1:7: expected a name, a value or one of"),
        ("cse;dce", r":1:4: expected a name, a value or one of , { } = \( \), not ';'"),
    ],
)
def test_text_that_cannot_be_read(tmp_path: Path, text: str, message: str):
    with pytest.raises(DnncError, match=message) as e:
        read(written(tmp_path, text))
    assert "[E0501]" in str(e.value)


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(DnncError, match=r"none.dnnp: expected a pipeline file, found nothing there. .*E0504"):
        read(tmp_path / "none.dnnp")
    (tmp_path / "b.dnnp").write_bytes(b"cse\xff")
    with pytest.raises(DnncError, match=r"b.dnnp: expected a pipeline as UTF-8 text, not the byte at 3. .*E0504"):
        read(tmp_path / "b.dnnp")
    with pytest.raises(DnncError, match=r"expected a pipeline as UTF-8 text, not Is a directory"):
        read(tmp_path)


def test_places_are_relative_to_the_file(tmp_path: Path):
    (tmp_path / "mine.py").write_text("def nothing(module, ctx): ...\n")
    assert names(read(written(tmp_path, "./mine.py:nothing"))) == ["nothing"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("64KB", 65536), ("64KiB", 65536), ("64k", 65536), ("1.5MB", 3 << 19), ("2GB", 1 << 31), ("7B", 7)],
)
def test_sizes(text: str, value: int):
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "KB", "-1", "1.3B", "4iB", "4TB", "1e3"])
def test_what_is_no_size(text: str):
    with pytest.raises(Unfit):
        size(text)
