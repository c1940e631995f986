"""What every command prints with --json is what its schema says, and every schema says what each field is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from dnnc import cli, schemas
from dnnc.commands import NAMES

MODELS = Path(__file__).parents[2] / "models"
LENET, SAMPLES = str(MODELS / "lenet5.onnx"), str(MODELS / "digits_calibration.npz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two digits, and the trace of one of them."""
    path = tmp_path_factory.mktemp("json")
    with np.load(MODELS / "digits_test.npz") as d:
        np.savez(path / "x.npz", x=d["x"][:2])
        np.savez(path / "labels.npz", x=d["x"][:2], labels=d["labels"][:2])
    run = ("run", LENET, "-i", path / "x.npz", "--on", "npu", "--calibrate", SAMPLES, "--trace", path / "t.trace")
    assert cli.run(list(map(str, run))) == 0
    return path


LINES = {
    "run of a vector": "run {lenet} -i {folder}/x.npz",
    "run with labels": "run {lenet} -i {folder}/labels.npz -o {folder}/y.npz",
    "run checked": "run {lenet} -i {folder}/x.npz --on npu --calibrate {samples} --check --traces {folder}/traces",
    "run of timing": "run {lenet} --on npu --calibrate {samples} --timing-only --trace {folder}/timed.trace",
    "run until a layer": "run {lenet} -i {folder}/x.npz --on npu --calibrate {samples} --until layer=ip1 --dump arena={folder}/a",
    "run and a memory": "run {lenet} -i {folder}/x.npz --on npu --calibrate {samples} --dump weight={folder}/w.npy",
    "report": "report {lenet}",
    "report of int8": "report {lenet} -p simplify -t tiny",
    "report of the compiled": "report {lenet} --calibrate {samples}",
    "report of the zoo": "report --zoo",
    "check": "check {lenet}",
    "check with samples": "check {lenet} --calibrate {samples}",
    "memory": "memory {lenet} --calibrate {samples}",
    "memory of c": "memory {lenet} --emit c",
    "compile npu": "compile {lenet} --calibrate {samples} -o {folder}/l.npu",
    "compile c": "compile {lenet} --emit c -o {folder}/l.c",
    "compile ir": "compile {lenet} --emit ir -o {folder}/l.mlir",
    "compile report": "compile {lenet} --emit report -o {folder}/l.txt",
    **{
        f"trace {view}": f"trace {{folder}}/t.trace {view}"
        for view in (
            "summary",
            "stacks",
            "layers",
            "steps",
            "tiles",
            "stalls",
            "timeline",
            "list",
            "path",
            "what-if --dma 2",
        )
    },
    **{
        f"trace path by {level}": f"trace {{folder}}/t.trace path --by {level}"
        for level in ("stack", "layer", "step", "tile", "instruction")
    },
    **{
        f"trace diff by {level}": f"trace {{folder}}/t.trace diff {{folder}}/t.trace --by {level}"
        for level in ("stack", "layer", "step", "tile")
    },
    "trace of nothing": "trace {folder}/t.trace list --cycles 900000:900001",
    "diff": "diff {lenet} -i {folder}/x.npz --calibrate {samples}",
    "diff of floats": "diff {lenet} -i {folder}/x.npz --on c",
    "eval": "eval {lenet} --data {folder}/labels.npz",
    "eval against float": "eval {lenet} --data {folder}/labels.npz --on reference,npu --calibrate {samples} --against float",
    "scheme": "scheme {lenet} --calibrate {samples}",
    "scheme of a budget": "scheme {lenet} --calibrate {samples} --budget-bits 4",
    "targets": "targets",
    "a target": "targets tiny",
    "passes": "passes",
    "ops": "ops",
    "explain a code": "explain E0101",
    "explain": "explain",
    "version": "version",
}


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=[pytest.mark.full] * (c == "scheme of a budget")) for c in LINES]
)
def test_output_is_what_the_schema_says(case: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    line = LINES[case].format(lenet=LENET, folder=folder, samples=SAMPLES)
    assert cli.run([*line.split(), "--json"]) == 0
    Draft202012Validator(schema(line.split()[0])).validate(json.loads(capsys.readouterr().out))


def test_a_network_no_backend_but_one_takes_is_described_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "n.dnn").write_text("input x: f16[1, 4]\ny = relu(x)\noutput y\n")
    assert cli.run(["check", str(tmp_path / "n.dnn"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    Draft202012Validator(schema("check")).validate(said)
    assert said["backends"]["c"]["verdict"] == "no" and said["backends"]["c"]["reasons"][0]["code"]


def test_every_command_that_takes_json_has_a_schema():
    parsers = cli.parsers(cli.parser())
    takes = {name for name, p in parsers.items() if any("--json" in a.option_strings for a in p.actions)}
    assert takes == set(schemas.names())
    assert set(schemas.names()) <= set(NAMES)


def schema(name: str) -> dict[str, Any]:
    return json.loads(schemas.text(name))


def parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema within a schema that stands for a field."""
    if isinstance(node, dict):
        for inner in node.get("properties", {}).values():
            yield inner
        for inner in node.values():
            yield from parts(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from parts(inner)


@pytest.mark.parametrize("name", schemas.names())
def test_a_schema_is_one_and_describes_every_field(name: str, capsys: pytest.CaptureFixture[str]):
    one = schema(name)
    Draft202012Validator.check_schema(one)
    assert one["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert one["title"] and one["description"]
    for field in parts(one):
        assert field["description"].endswith("."), field
    assert cli.run(["schema", name]) == 0
    assert json.loads(capsys.readouterr().out) == one


def test_schema_without_a_command_lists_them(capsys: pytest.CaptureFixture[str]):
    assert cli.run(["schema"]) == 0
    assert capsys.readouterr().out.split() == list(schemas.names())
    assert cli.run(["schema", "chek"]) == 2
    assert "Did you mean check or scheme?" in capsys.readouterr().err
