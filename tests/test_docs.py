"""The blocks of the pages people copy from are run as they stand, in order."""

from __future__ import annotations

import io
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from dnnc import cli, opt

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "tests" / "models" / "lenet5.onnx", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["python"])


def run_command(line: str) -> None:
    program, *arguments = shlex.split(line)
    run = {"dnnc": cli.run, "dnnc-opt": lambda a: opt.run(a, io.StringIO(), io.StringIO())}[program]
    assert run(arguments) == 0, line


@pytest.mark.parametrize("page", ["pipelines.md", "plugins.md"])
def test_blocks_run(page: str, capsys: pytest.CaptureFixture[str]):
    before = set(sys.modules)
    for language, name, text in BLOCK.findall((ROOT / "docs" / page).read_text("utf-8")):
        if language == "sh":
            for line in text.splitlines():
                run_command(line)
        elif name:
            Path(name).write_text(text, "utf-8")
        if language == "python":
            path = Path(name or "block.py")
            path.write_text(text, "utf-8")
            runpy.run_path(str(path))
    for name in {"operations", "onnx_rules"} & (set(sys.modules) - before):
        del sys.modules[name]
    assert "error" not in capsys.readouterr().err
