"""Command lines that must fail: run in a folder of their own, with the whole output pinned."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from dnnc import cli, opt

MODELS = Path(__file__).parents[2] / "models"

Content = str | bytes | None | onnx.ModelProto | dict[str, np.ndarray] | Callable[[Path], object]
EXITS = {1: "an error in the input", 2: "a wrong command line", 3: "not supported"}


def write(path: Path, content: Content) -> None:
    """A file of text, bytes, a model or arrays; a folder for None."""
    path.parent.mkdir(parents=True, exist_ok=True)
    match content:
        case None:
            path.mkdir()
        case str():
            path.write_text(content, "utf-8")
        case bytes():
            path.write_bytes(content)
        case onnx.ModelProto():
            path.write_bytes(content.SerializeToString())
        case dict():
            save_file(content, path) if path.suffix == ".safetensors" else np.savez(path, **content)
        case _:
            content(path)


def listing(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, every folder with None."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def ended(line: str) -> int:
    """The exit code of a command run in this process."""
    program, *arguments = shlex.split(line)
    return cli.run(arguments) if program == "dnnc" else opt_ended(arguments)


def opt_ended(arguments: list[str]) -> int:
    """The exit code of dnnc-opt, also when its command line cannot be read."""
    try:
        return opt.run(arguments)
    except SystemExit as e:
        return int(e.code or 0)


USAGE = re.compile(
    r"^usage: .*?(?=^`dnnc|^dnnc-opt: |\Z)", re.MULTILINE | re.DOTALL
)  # Python's, and not of the same form in all
Refused = Callable[[str, str, Mapping[str, Content]], None]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], golden) -> Refused:
    """Run a line on files that are wrong: it is refused in the words of a golden file and leaves nothing behind."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")

    def check(name: str, line: str, files: Mapping[str, Content]) -> None:
        for path, content in files.items():
            write(here / path, content)
        before = listing(here)
        code = ended(line)
        out, err = capsys.readouterr()
        assert code in EXITS, f"exit code {code}: {err}"
        assert "Traceback" not in out + err and str(tmp_path) not in out + err
        assert listing(here) == before, "a refused command leaves the folder as it was"
        said = USAGE.sub("usage: ...\n", err)
        golden.check(f"{name}.txt", f"$ {line}\nexit code {code}: {EXITS[code]}\n--- stderr\n{said}--- stdout\n{out}")

    return check


@pytest.fixture(scope="session")
def lenet_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a folder with LeNet-5, three digits, and the program of both."""

    def make(name: str) -> Path:
        path = tmp_path_factory.mktemp(name)
        shutil.copy(MODELS / "lenet5.onnx", path)
        with np.load(MODELS / "digits_test.npz") as d:
            np.savez(path / "digits.npz", x=d["x"][:3], labels=d["labels"][:3])
        line = ("compile", path / "lenet5.onnx", "--calibrate", path / "digits.npz", "-o", path / "lenet5.npu")
        assert cli.run([*map(str, line)]) == 0
        return path

    return make
