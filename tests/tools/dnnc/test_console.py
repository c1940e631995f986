"""Tables, colour and progress: what a terminal shows, what a pipe gets."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dnnc import cli, console, progress

ESCAPE = "\x1b["
LENET = str(Path(__file__).parents[2] / "models" / "lenet5.onnx")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def shown(arguments: tuple[str, ...], out: io.StringIO, err: io.StringIO | None = None) -> str:
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err or io.StringIO()):
        cli.run(arguments)
    return out.getvalue()


@pytest.mark.parametrize("arguments", [("ops",), ("passes",), ("targets",), ("report", LENET), ("check", LENET)])
def test_a_pipe_gets_plain_lines_of_any_length(arguments):
    text = shown(arguments, io.StringIO())
    assert text.isascii() and ESCAPE not in text
    assert max(map(len, text.splitlines())) > 80
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("arguments", [("ops",), ("targets",), ("report", LENET)])
def test_a_terminal_gets_tables(arguments, monkeypatch):
    text = shown(arguments, Terminal())
    assert ESCAPE in text and "─" in text
    words = set(re.sub(r"\x1b\[[\d;]*m", "", text).split())
    assert set(shown(arguments, io.StringIO()).split()) <= words, "nothing is cut"


@pytest.mark.parametrize("columns", ["20", "40", "80"])
def test_a_narrow_terminal_loses_nothing(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    text = shown(("report", LENET), Terminal())
    assert "2,293,000" in text and "…" not in text


def test_no_color_leaves_the_table_and_takes_every_escape(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(("ops",), Terminal())
    assert ESCAPE not in text and "─" in text


def test_a_dumb_terminal_is_a_pipe(monkeypatch):
    plain = shown(("ops",), io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert shown(("ops",), Terminal()) == plain


def test_force_color_reaches_into_pipes(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert ESCAPE in shown(("ops",), io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "0")
    assert ESCAPE not in shown(("ops",), io.StringIO())


def test_json_is_never_coloured(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert ESCAPE not in shown(("ops", "--json"), Terminal())


def test_errors_are_red_on_a_terminal_and_point_to_their_page():
    terminal, pipe = Terminal(), io.StringIO()
    shown(("check", "none.onnx"), Terminal(), terminal)
    shown(("check", "none.onnx"), io.StringIO(), pipe)
    assert terminal.getvalue().startswith(f"{ESCAPE}1;31mdnnc: error:")
    assert "`dnnc explain E0101` says more" in terminal.getvalue()
    assert (
        pipe.getvalue()
        == "dnnc: error: none.onnx: expected a model file, found nothing there. Check the path. [E0101]\n"
    )


def test_brackets_are_no_markup():
    out = Terminal()
    with contextlib.redirect_stdout(out):
        console.table(["what"], [["[bold]x[/bold] :smile: ! [1, 2]"]])
    assert "[bold]x[/bold] :smile: ! [1, 2]" in out.getvalue()


def test_cells():
    assert console.table_text(
        ["a", "b", "c", "d"], [[1234567, 0.5, None, True], [1, 2.0, None, False]]
    ).splitlines() == [
        "        a      b  c  d",
        "1,234,567  0.500  -  yes",
        "        1  2.000  -  no",
    ]
    assert console.table_text(["a"], []) == "a"


def test_long_work_shows_on_a_terminal_and_only_there(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(console, "level", console.Level())
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        with contextlib.redirect_stderr(stream):
            for _ in progress.each(range(3), "samples"):
                progress_time()
            with progress.phase("outer"), progress.phase("inner"):
                progress_time()
    assert "samples" in terminal.getvalue() and "inner" in terminal.getvalue() and "2/3" in terminal.getvalue()
    assert pipe.getvalue() == ""


def test_short_work_shows_nothing(monkeypatch):
    monkeypatch.setattr(console, "level", console.Level())
    terminal = Terminal()
    with contextlib.redirect_stderr(terminal):
        assert list(progress.each([1, 2], "samples")) == [1, 2]
    assert terminal.getvalue() == ""


def progress_time() -> None:
    """Longer than a display takes to appear and to be drawn once."""
    import time

    time.sleep(0.25)


def test_as_a_library_dnnc_says_nothing():
    lines = f"import dnnc; dnnc.load({LENET!r}).report(); dnnc.compile({LENET!r}, emit='c')"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_on_a_real_terminal_compile_says_what_to_do_next(tmp_path):
    reader, writer = pty.openpty()
    line = [sys.executable, "-m", "dnnc", "compile", LENET, "--emit", "c", "-o", "l.c"]
    done = subprocess.run(line, stdout=writer, stderr=writer, cwd=tmp_path, env={**os.environ, "COLUMNS": "120"})
    os.close(writer)
    text = os.read(reader, 65536).decode()
    os.close(reader)
    assert done.returncode == 0
    assert "arena bytes 67,456" in text and "Build it: cc -std=c99 -O3 -c l.c" in text
