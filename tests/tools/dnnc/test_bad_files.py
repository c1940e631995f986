"""Files beside a network that are wrong: targets, samples, programs, traces, pipelines, dnnc.toml, and paths that lead nowhere."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dnnc import cli

EDGE = (Path(__file__).parents[3] / "backends" / "npu" / "targets" / "edge.toml").read_text("utf-8")
NET = "input x: f32[1, 4]\ny = relu(x)\noutput y\n"
TARGETS = {
    "syntax": EDGE.replace("rows = 16", "rows = = 16"),
    "empty": "",
    "misspelt key": EDGE.replace("columns = 16", "colums = 16"),
    "misspelt table": EDGE.replace("[queues]", "[queue]"),
    "text for a number": EDGE.replace("rows = 16", 'rows = "16"'),
    "negative number": EDGE.replace("rows = 16", "rows = -16"),
    "number of zero": EDGE.replace("clock_mhz = 500", "clock_mhz = 0"),
    "number too large": EDGE.replace("rows = 16", "rows = 99999999999999999999"),
    "not a number": EDGE.replace("clock_mhz = 500", "clock_mhz = nan"),
    "unknown word": EDGE.replace('"weight-stationary"\ndata', '"weight-stationery"\ndata'),
    "missing table": EDGE.partition("[ppu]")[0] + "[queues]" + EDGE.partition("[queues]")[2],
    "missing memory": EDGE.replace('holds = ["accumulator"]', 'holds = ["input"]'),
    "key given twice": EDGE.replace("rows = 16", "rows = 16\nrows = 8"),
    "several mistakes": EDGE.replace("rows = 16", "rows = 0").replace("lanes = 16\n", "lanse = 16\n"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target(name: str, refused):
    refused(f"target, {name}", "dnnc report net.dnn -t mine.toml", {"net.dnn": NET, "mine.toml": TARGETS[name]})


PLACES = {
    "target not found": ("dnnc report net.dnn -t mine.toml", {"net.dnn": NET}),
    "target misspelt": ("dnnc report net.dnn -t egde", {"net.dnn": NET}),
    "target is a folder": ("dnnc report net.dnn -t mine.toml", {"net.dnn": NET, "mine.toml": None}),
    "target is not UTF-8": ("dnnc report net.dnn -t mine.toml", {"net.dnn": NET, "mine.toml": b"name = '\xff'\n"}),
    "model not found": ("dnnc check lenet.onnx", {"lenet5.onnx": b"", "digits.npz": b""}),
    "model is a folder": ("dnnc check net.onnx", {"net.onnx": None}),
    "model without an ending": ("dnnc check net", {"net": NET}),
    "model of PyTorch": ("dnnc check net.pt", {"net.pt": b"PK"}),
    "model of TensorFlow": ("dnnc check net.pb", {"net.pb": b"\0"}),
    "model of TensorFlow Lite": ("dnnc check net.tflite", {"net.tflite": b"\0"}),
    "model of Keras": ("dnnc check net.h5", {"net.h5": b"\x89HDF"}),
    "program in place of a model": ("dnnc compile net.npu", {"net.npu": b"\0"}),
    "name too long": (f"dnnc check {'n' * 300}.onnx", {}),
    "output in a missing folder": ("dnnc compile net.dnn --emit c -o out/net.c", {"net.dnn": NET}),
    "output of another kind": ("dnnc compile net.dnn --emit c -o net.npu", {"net.dnn": NET}),
    "output of ir of another kind": ("dnnc compile net.dnn --emit ir -o net.c", {"net.dnn": NET}),
    "output to a full disk": ("dnnc report net.dnn -o /dev/full", {"net.dnn": NET}),
    "output is a folder, program": ("dnnc compile net.dnn --emit c -o out", {"net.dnn": NET, "out": None}),
    "output is a folder, report": ("dnnc report net.dnn -o out", {"net.dnn": NET, "out": None}),
    "picture of another kind": ("dnnc view net.dnn -o net.gif", {"net.dnn": NET}),
    "output below a file": ("dnnc compile net.dnn --emit c -o net.dnn/net.c", {"net.dnn": NET}),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_path(name: str, refused):
    refused(f"path, {name}", *PLACES[name])


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC], ids=["permission", "space"])
def test_an_output_the_system_refuses(number: int, refused, monkeypatch):
    """What the operating system says of the last step, when the whole file gets its name."""

    def refuse(source: str, destination: Path) -> None:
        raise OSError(number, os.strerror(number), source)

    monkeypatch.setattr(os, "replace", refuse)
    refused(
        f"path, refused by the system, {errno.errorcode[number]}", "dnnc report net.dnn -o net.txt", {"net.dnn": NET}
    )


def test_a_process_prints_no_traceback(tmp_path):
    """The installed command in a process of its own."""
    (tmp_path / "net.onnx").write_bytes(b"\xff" * 9)
    line = [sys.executable, "-m", "dnnc", "check", "net.onnx"]
    ended = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1 and "[E0201]" in ended.stderr and "Traceback" not in ended.stderr


def ones(*shape: int, dtype: str = "f4") -> np.ndarray:
    return np.ones(shape, dtype)


SAMPLES = {
    "another shape": {"x": ones(2, 5)},
    "another element type": {"x": ones(2, 4, dtype="i8")},
    "text": {"x": np.array(["a", "b"])},
    "objects": {"x": np.array([None, {}], object)},
    "another name": {"image": ones(2, 4), "mask": ones(2, 4)},
    "no arrays": {},
    "no samples": {"x": ones(0, 4)},
    "not finite": {"x": np.full((2, 4), np.nan, "f4")},
    "labels of another number": {"x": ones(2, 4), "labels": np.zeros(3, int)},
    "empty file": b"",
    "no archive": b"PK\x03\x04 and nothing else",
    "text file": "x = 1\n",
}


@pytest.mark.parametrize("name", [n for n in SAMPLES if n != "not finite"])
def test_inputs(name: str, refused):
    refused(f"inputs, {name}", "dnnc run net.dnn -i in.npz --labels labels", {"net.dnn": NET, "in.npz": SAMPLES[name]})


@pytest.mark.parametrize("name", ["another shape", "another name", "no samples", "not finite", "no archive", "objects"])
def test_samples_to_calibrate_with(name: str, refused):
    files = {"net.dnn": NET, "in.npz": SAMPLES[name]}
    refused(f"samples, {name}", "dnnc compile net.dnn --calibrate in.npz", files)


TWO = "input a: f32[1, 4]\ninput b: f32[1, 4]\ny = a - b\noutput y\n"


def test_inputs_of_other_names(refused):
    """Two arrays whose names say nothing of which is which."""
    files = {"net.dnn": TWO, "in.npz": {"left": ones(2, 4), "right": ones(2, 4)}}
    refused("inputs, other names for two", "dnnc run net.dnn -i in.npz", files)


WORK = "input x: f32[1, 4]\ny = relu(matmul(x, he(f32[4, 3])))\noutput y\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A program and a trace of a small network."""
    here = tmp_path_factory.mktemp("made")
    (here / "net.dnn").write_text(WORK)
    np.savez(here / "in.npz", x=ones(2, 4))
    files = {n: str(here / n) for n in ("net.dnn", "in.npz", "net.npu", "net.trace")}
    assert cli.run(["compile", files["net.dnn"], "--calibrate", files["in.npz"], "-o", files["net.npu"]]) == 0
    assert cli.run(["run", files["net.npu"], "-i", files["in.npz"], "--trace", files["net.trace"]]) == 0
    return {n: (here / n).read_bytes() for n in files}


DAMAGES = {
    "empty": lambda b: b"",
    "text": lambda b: b"this is text, not what was expected here\n",
    "cut at the start": lambda b: b[:20],
    "cut in the middle": lambda b: b[: len(b) // 2],
    "cut before the end": lambda b: b[:-1],
    "longer": lambda b: b + b"more",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_program(name: str, refused, made):
    files = {"net.npu": DAMAGES[name](made["net.npu"]), "in.npz": {"x": ones(2, 4)}}
    refused(f"program, {name}", "dnnc run net.npu -i in.npz", files)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_trace(name: str, refused, made):
    refused(f"trace, {name}", "dnnc trace net.trace layers", {"net.trace": DAMAGES[name](made["net.trace"])})


LINES = {
    "program for another target": "dnnc run net.npu -i in.npz -t tiny",
    "scheme for a program": "dnnc run net.npu -i in.npz --scheme s.toml --scheme-out t.toml --on c",
    "trace of an unknown layer": "dnnc trace net.trace list --layer conv9",
    "trace of an unknown engine": "dnnc trace net.trace list --engine mn",
    "trace of cycles that are none": "dnnc trace net.trace list --cycles 10-20",
    "trace of a program": "dnnc trace net.npu",
}


@pytest.mark.parametrize("name", LINES)
def test_files_put_to_another_use(name: str, refused, made):
    refused(f"use, {name}", LINES[name], {**made, "in.npz": {"x": ones(2, 4)}})


PIPELINES = {
    "unknown pass": "simplify,\nfuse-gruops\n",
    "unknown option": "simplify,\nfuse-groups{max-opps=4}\n",
    "bad value": "simplify,\nfuse-groups{max-ops=many}\n",
    "open brace": "simplify,\nfuse-groups{max-ops=4\n",
    "two commas": "simplify,,fuse-groups\n",
    "not UTF-8": b"simplify # \xff\n",
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_file(name: str, refused):
    line = "dnnc-opt net.dnn --pipeline-file p.dnnp"
    refused(f"pipeline, {name}", line, {"net.dnn": NET, "p.dnnp": PIPELINES[name]})


CONFIGS = {
    "syntax": "[defaults]\ntarget = edge\n",
    "misspelt option": '[defaults]\ntraget = "edge"\n',
    "misspelt command": '[reprot]\ntarget = "edge"\n',
    "value of another kind": "[defaults]\ntarget = 3\n",
    "unknown value": '[compile]\nemit = "elf"\n',
    "no table": 'target = "edge"\n',
    "not UTF-8": b"[defaults]\ntarget = '\xff'\n",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_project_file(name: str, refused):
    refused(f"dnnc.toml, {name}", "dnnc compile net.dnn", {"net.dnn": NET, "dnnc.toml": CONFIGS[name]})


COMMANDS = {
    "unknown command": "dnnc complie net.dnn",
    "unknown option": "dnnc compile net.dnn --emitt c",
    "unknown value": "dnnc compile net.dnn --emit elf",
    "missing model": "dnnc compile",
    "missing value": "dnnc compile net.dnn -o",
    "two models": "dnnc compile net.dnn net.dnn",
    "contradiction": "dnnc compile net.dnn -p simplify --pipeline-file p.dnnp",
    "number that is none": "dnnc compile net.dnn --emit c --self-test many",
    "negative number": "dnnc compile net.dnn --emit c --self-test -1",
    "trace without a run": "dnnc run net.dnn -i in.npz --trace t",
    "inputs made up between nothing": "dnnc compile net.dnn --calibrate data-free:1..0",
    "pictures prepared without pictures": "dnnc compile net.dnn --preprocess resize=8",
    "dimension without a value": "dnnc check open.onnx --dim batch",
    "dimension of text": "dnnc check net.dnn --dim batch=two",
    "negative dimension": "dnnc check net.dnn --dim batch=-2",
    "unknown pass": "dnnc compile net.dnn --emit ir -p simplfy",
    "unknown option of a pass": "dnnc compile net.dnn --emit ir -p 'fuse-groups{max-opps=4}'",
    "value of a pass": "dnnc compile net.dnn --emit ir -p 'fuse-groups{max-ops=many}'",
    "pass out of order": "dnnc compile net.dnn --emit ir -p tile",
    "program without placing": "dnnc compile net.dnn --emit npu -p fuse",
    "unknown code": "dnnc explain E9999",
    "unknown stage": "dnnc view net.dnn --stage tilde",
    "unknown shell": "dnnc completion tcsh",
    "opt, unknown pass": "dnnc-opt net.dnn -p simplfy",
    "opt, missing file": "dnnc-opt gone.mlir",
    "opt, unknown stage": "dnnc-opt net.dnn --stage tilde",
    "opt, pass not in the pipeline": "dnnc-opt net.dnn -p simplify --stop-after tile",
    "opt, missing file of passes": "dnnc-opt net.dnn -p mine.py:count",
    "unknown pass to dump after": "dnnc compile net.dnn --emit ir --dump-after fuse-gruops",
    "opt, unknown pass to print after": "dnnc-opt net.dnn -p cse --print-after simplfy --print-after all",
    "opt, unknown pass to compare after": "dnnc-opt net.dnn --diff-after cse",
    "opt, abbreviated option": "dnnc-opt net.dnn --pass simplify",
    "opt, folder below a file": "dnnc-opt net.dnn -p simplify --save-after net.dnn",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_line(name: str, refused):
    refused(f"line, {name}", COMMANDS[name], {"net.dnn": WORK, "in.npz": {"x": ones(2, 4)}, "p.dnnp": "simplify\n"})
