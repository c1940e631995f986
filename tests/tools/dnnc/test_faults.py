"""A fault of dnnc: one line, a bundle to report it by, exit code 70."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from zipfile import ZipFile

import pytest

import dnnc
from dnnc import cli
from dnnc.ir.diagnostics import InternalError
from dnnc.passes.tile import TilePass

MODELS = Path(__file__).parents[2] / "models"
LENET, SAMPLES = str(MODELS / "lenet5.onnx"), str(MODELS / "digits_calibration.npz")
LINE = ("compile", LENET, "--calibrate", SAMPLES, "-o", "l.npu")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plant(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """A pass that fails half way."""

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(TilePass, "apply", fail)


def bundle(folder: Path) -> dict[str, str]:
    (path,) = folder.glob("dnnc-fault-*.zip")
    with ZipFile(path) as z:
        return {name: z.read(name).decode() for name in z.namelist()}


def test_one_line_and_the_path_of_the_bundle(here, monkeypatch, capsys):
    plant(monkeypatch, ZeroDivisionError("by zero"))
    assert cli.run(LINE) == 70
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert out == "" and "Traceback" not in err
    assert re.fullmatch(r"dnnc: internal error: ZeroDivisionError at test_faults\.py:\d+: by zero \[E0999\]", first)
    (path,) = here.glob("dnnc-fault-*.zip")
    assert second == f"This is a fault of dnnc; please report it with {path}, which says all about it."


def test_the_bundle_has_all_that_is_needed(here, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("SOME_TOKEN", "hidden")
    (here / "dnnc.toml").write_text('[defaults]\ntarget = "tiny"\n')
    plant(monkeypatch, ZeroDivisionError("by zero"))
    assert cli.run(LINE) == 70
    files = bundle(here)
    assert files["traceback.txt"].startswith("Traceback") and "ZeroDivisionError: by zero" in files["traceback.txt"]
    assert files["command.txt"] == f"dnnc compile {LENET} --calibrate {SAMPLES} -o l.npu\n"
    versions = json.loads(files["versions.json"])
    assert versions["dnnc"] == dnnc.__version__ and versions["dependencies"]["xdsl"]
    assert json.loads(files["environment.json"])["OMP_NUM_THREADS"] == "3"
    assert not any("hidden" in text for text in files.values())
    assert files["dnnc.toml"] == '[defaults]\ntarget = "tiny"\n'
    assert "tile" in files["pipeline.txt"]
    model = json.loads(files["files.json"])[0]
    assert model["sha256"] == hashlib.sha256(Path(LENET).read_bytes()).hexdigest()
    assert (model["name"], model["bytes"]) == ("lenet5.onnx", Path(LENET).stat().st_size)
    assert '"name" = "tiny"' in files["module.mlir"] and "dnn.group" in files["module.mlir"]
    assert len(files["module.mlir"]) < 50_000, "weights stay out"


def test_the_module_of_the_bundle_can_be_read_again(here, monkeypatch):
    plant(monkeypatch, ZeroDivisionError("by zero"))
    cli.run(LINE)
    (here / "module.mlir").write_text(bundle(here)["module.mlir"])
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert cli.run(("report", "module.mlir")) == 0


def test_a_broken_invariant_is_told_in_its_own_words(here, monkeypatch, capsys):
    plant(monkeypatch, InternalError("expected a placed buffer, not one without an offset.", "E0999"))
    assert cli.run(LINE) == 70
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "dnnc: internal error: expected a placed buffer, not one without an offset. [E0999]"
    assert bundle(here)


def test_verbose_prints_the_traceback_as_well(monkeypatch, capsys):
    plant(monkeypatch, ZeroDivisionError("by zero"))
    assert cli.run(("-v", *LINE)) == 70
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_sends_the_bundle_elsewhere(here, monkeypatch, capsys, tmp_path_factory):
    other = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("dnnc.bug_report.os.access", lambda *arguments: False)
    monkeypatch.setattr("tempfile.tempdir", str(other))
    plant(monkeypatch, ZeroDivisionError("by zero"))
    assert cli.run(LINE) == 70
    assert bundle(other) and not list(here.glob("*.zip"))


def test_a_fault_before_anything_is_loaded_leaves_a_bundle_too(here, monkeypatch):
    monkeypatch.setattr("dnnc.api.load", lambda *arguments, **named: 1 / 0)
    assert cli.run(LINE) == 70
    files = bundle(here)
    assert "module.mlir" not in files and "files.json" in files


def test_an_interrupt_is_quiet(monkeypatch, capsys):
    plant(monkeypatch, KeyboardInterrupt())
    assert cli.run(LINE) == 130
    assert capsys.readouterr() == ("", "")


def test_too_little_memory_is_no_fault(here, monkeypatch, capsys):
    plant(monkeypatch, MemoryError())
    assert cli.run(LINE) == 1
    assert capsys.readouterr().err.endswith("[E0126]\n")
    assert not list(here.glob("*.zip"))
