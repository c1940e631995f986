"""Every code has a page, every page's example is run, and what it prints is what the page says."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from dnnc import cli, errors, opt
from dnnc.ir.diagnostics import DnncError
from dnnc.passes.analysis.images import Preprocessing, read_image

ROOT = Path(__file__).parents[3]
PAGES = sorted(errors.FOLDER.glob("E*.md"))
NOT_HERE = "This cannot be provoked on a healthy machine, so there is no example."
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"E0\d{3}")


def example(page: Path) -> str:
    """The part of a page that is run."""
    return page.read_text("utf-8").partition("\n## Example\n")[2].partition("\n## What to do\n")[0]


def run_line(line: str) -> None:
    """One command line, in this process, as a shell would run it."""
    program, *arguments = shlex.split(line)
    match program:
        case "dnnc":
            cli.run(arguments)
        case "dnnc-opt":
            with contextlib.suppress(SystemExit):
                opt.run(arguments, io.StringIO())
        case "python":
            run_script(arguments[0])
        case _:
            raise AssertionError(f"expected dnnc, dnnc-opt or python, not {program}.")


def run_script(name: str) -> None:
    """A script; an error at its end is told as Python does, without the lines between."""
    try:
        runpy.run_path(name, run_name="__main__")
    except DnncError as e:
        kind = f"{type(e).__module__}.{type(e).__qualname__}"
        print(f"Traceback (most recent call last):\n  ...\n{kind}: {e}", file=sys.stderr)


def run(text: str) -> Iterator[str]:
    """Make the files of an example here, and give what each of its commands prints."""
    for _, name, content in BLOCK.findall(text):
        if name:
            Path(name).write_text(content, "utf-8")
        if name == "make.py":
            runpy.run_path(name)
    for language, _, content in BLOCK.findall(text):
        if language == "sh":
            both = io.StringIO()
            with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
                for line in content.splitlines():
                    run_line(line)
            yield both.getvalue()


def refreshed(text: str, outputs: Iterator[str]) -> str:
    """The example with these outputs in its text blocks."""
    return BLOCK.sub(lambda m: f"```text\n{next(outputs)}```" if m[1] == "text" and not m[2] else m[0], text)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_an_example_prints_what_its_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    before = example(page)
    if NOT_HERE in before:
        return
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    outputs = list(run(before))
    assert any(f"[{page.stem}]" in out for out in outputs), f"no [{page.stem}] in: {outputs}"
    after = refreshed(before, iter(outputs))
    if request.config.getoption("--bless"):
        page.write_text(page.read_text("utf-8").replace(before, after), "utf-8")
        return
    assert before == after, f"not as in {page.relative_to(ROOT)}. If the new text is right: `pytest --bless`."


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_has_its_form(page: Path):
    text = page.read_text("utf-8")
    assert re.match(rf"# {page.stem}: [^\n]+\n\n[A-Za-z`]", text), "expected a title and sentences."
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Example", "What to do"]
    languages = [language for language, name, _ in BLOCK.findall(example(page)) if not name]
    assert NOT_HERE in text or languages.count("sh") == languages.count("text") > 0


def test_pages_name_codes_that_exist():
    for page in PAGES:
        assert set(CODE.findall(page.read_text("utf-8"))) <= {p.stem for p in PAGES}, page


def test_explain():
    assert errors.explain("e0301") == errors.explain("E0301") == (errors.FOLDER / "E0301.md").read_text("utf-8")
    assert errors.titles()["E0301"] and list(errors.titles()) == [p.stem for p in PAGES]
    assert {c[:3] for c in errors.titles()} == set(errors.RANGES)
    with pytest.raises(DnncError, match=r"not 'E9301'\. Did you mean .*E0301"):
        errors.explain("E9301")
    with pytest.raises(DnncError, match=r"not 'help'\. `dnnc explain` lists all codes\. \[E0105\]"):
        errors.explain("help")


def starved(args: object) -> None:
    raise MemoryError


def surprised(args: object) -> None:
    raise KeyError("tile")


def without_pillow(args: object) -> None:
    with patch.dict(sys.modules, {"PIL": None}):
        read_image(Path("cat.png"), Preprocessing())


PROVOKED = {
    "E0126": (starved, 1, r"dnnc: error: expected enough memory"),
    "E0130": (without_pillow, 1, r"dnnc: error: cat\.png: expected Pillow"),
    "E0999": (surprised, 70, r"dnnc: internal error: KeyError at test_errors\.py:\d+: 'tile'"),
}


@pytest.mark.parametrize("code", [p.stem for p in PAGES if NOT_HERE in p.read_text("utf-8")])
def test_what_a_healthy_machine_does_not_show(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    raised, status, message = PROVOKED[code]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dnnc.commands.targets.run", raised)
    assert cli.run(["targets"]) == status
    assert re.match(rf"{message}.* \[{code}\]\n", capsys.readouterr().err)
