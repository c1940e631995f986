"""Every example in a help text is a command line that works, in the order in which it is printed."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dnnc import cli
from dnnc.commands import NAMES, command

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def folder(lenet_in: Callable[[str], Path]) -> Path:
    """The files the examples name: a network, a few digits, a trace, a program and its text."""
    path = lenet_in("examples")
    trace = ("run", path / "lenet5.onnx", "-i", path / "digits.npz", "--on", "npu", "--calibrate", path / "digits.npz")
    assert cli.run([*map(str, trace), "--trace", str(path / "lenet5.trace")]) == 0
    shutil.copy(path / "lenet5.trace", path / "before.trace")
    assert cli.run(["dis", str(path / "lenet5.npu"), "-o", str(path / "lenet5.s")]) == 0
    return path


LINES = [line for name in NAMES for line in command(name).EXAMPLES]


@pytest.mark.parametrize("line", [pytest.param(e, marks=[pytest.mark.full] * ("--budget" in e)) for e in LINES])
def test_an_example_works(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(folder)
    program, *arguments = shlex.split(line)
    assert program == "dnnc"
    assert cli.run(arguments) == 0, capsys.readouterr().err
    out, err = capsys.readouterr()
    assert out and err == ""


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_examples_of_its_own(name: str):
    assert command(name).EXAMPLES
    assert all(line.startswith(f"dnnc {name}") for line in command(name).EXAMPLES)
