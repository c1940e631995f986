"""The sessions of README.md and of pages are typed in again, and print today what the pages show."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from dnnc import cli, opt

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
GAP = "...\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "tests" / "models", tmp_path / "tests" / "models")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")


def typed(line: str) -> str:
    """What a command line prints; the commands of dnnc and Python scripts run in this process."""
    program, *arguments = shlex.split(line)
    if program not in ("dnnc", "dnnc-opt", "python"):
        done = subprocess.run(line, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}"
        return done.stdout
    both = io.StringIO()
    with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
        match program:
            case "dnnc":
                cli.run(arguments)
            case "dnnc-opt":
                opt.run(arguments, io.StringIO(), both)
            case _:
                runpy.run_path(arguments[0], run_name="__main__")
    return both.getvalue()


def agrees(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed: a line `...` stands for any lines, `...` inside a line for any text."""
    parts = [".*?".join(map(re.escape, line.split("..."))) + "\n" for line in shown.splitlines()]
    return re.fullmatch("".join("(?:.*\n)*" if p == ".*?\n" else p for p in parts), printed) is not None


def cut(shown: str, printed: str) -> str:
    """What was printed, cut where the page cut it: as many lines before and after its first line `...`."""
    if GAP not in shown.splitlines(keepends=True):
        return printed
    lines, keep = printed.splitlines(keepends=True), shown.splitlines(keepends=True)
    before, after = keep.index(GAP), len(keep) - keep.index(GAP) - 1
    return "".join([*lines[:before], GAP, *lines[len(lines) - after :]])


def replayed(page: str) -> str:
    """The page as it should be today."""

    def command(match: re.Match[str]) -> str:
        line, shown = match[1], match[2]
        blank = "\n" if shown.endswith("\n\n") or shown == "\n" else ""
        shown, printed = shown.removesuffix("\n") if blank else shown, typed(line)
        return f"$ {line}\n{shown if agrees(shown, printed) else cut(shown, printed)}{blank}"

    def block(match: re.Match[str]) -> str:
        language, name, text = match.groups()
        if name:
            Path(name).write_text(text, "utf-8")
        return f"```console\n{COMMAND.sub(command, text)}```" if language == "console" else match[0]

    return BLOCK.sub(block, page)


@pytest.mark.parametrize(
    "page",
    ["README.md", *(pytest.param(f"docs/{page}.md", marks=pytest.mark.full) for page in ("simulator", "tutorial"))],
)
def test_a_session_prints_what_its_page_shows(page: str, request: pytest.FixtureRequest):
    path = ROOT / page
    shown = path.read_text("utf-8")
    today = replayed(shown)
    if request.config.getoption("--bless"):
        path.write_text(today, "utf-8")
    else:
        assert today == shown, f"If the new text is right: `pytest --bless {Path(__file__).relative_to(ROOT)}`."


def test_gaps():
    assert agrees("a\n...\nz\n", "a\nb\nc\nz\n") and agrees("took ... ms\n", "took 12 ms\n")
    assert not agrees("a\n...\nz\n", "a\nb\n") and not agrees("took ... ms\n", "took 12 s\n")
    assert cut("old\n...\nend\n", "new\nb\nc\nlast\n") == "new\n...\nlast\n"


def test_links_lead_somewhere():
    """Each relative link of a page names a file, and each `#part` a heading of it."""
    broken = []
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8")):
            name, _, part = target.partition("#")
            other = page.parent / name if name else page
            if not other.exists() or (part and part not in headings(other)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def headings(page: Path) -> set[str]:
    """The anchors that headings of a page get."""
    lines = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}
