"""`dnnc view` and `Network.view`: stages named, files written, data that fits its schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import dnnc
from dnnc import cli, schemas
from dnnc.backends.view.graph import Constant, Edge, Graph, Group, Node
from dnnc.backends.view.schedule import Buffer, Nest, Schedule, Step
from dnnc.commands.view import STAGES
from dnnc.ir.stages import BY_NAME
from dnnc.passes import REACHES

MODELS = Path(__file__).parents[2] / "models"
LENET, SAMPLES = str(MODELS / "lenet5.onnx"), str(MODELS / "digits_calibration.npz")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.run(("view", *arguments))
    return code, *capsys.readouterr()


def reaching(stage: str) -> str:
    return next(kind.name for kind, reached in REACHES.items() if reached == stage)


def test_every_stage_can_be_named():
    assert set(STAGES) == set(BY_NAME)


@pytest.mark.parametrize(
    ("where", "title"),
    [
        ((), "after dce"),
        (("-p", ""), "lenet5"),
        (("-p", "fuse"), "after fuse-groups"),
        (("--stage", "imported"), "lenet5"),
        (("--stage", "simplified"), "after dce"),
        (("--stage", "quantized"), f"after {reaching('quantized')}"),
        (("--stage", "fused"), f"after {reaching('fused')}"),
        (("--stage", "tiled"), f"after {reaching('tiled')}"),
        (("--stage", "placed"), f"after {reaching('placed')}"),
        (("--after", "canonicalize"), "after canonicalize"),
        (("-p", "fuse", "--after", "cse"), "after cse"),
    ],
)
def test_every_stage_by_its_name(where, title, capsys):
    code, out, _ = run(capsys, LENET, *where, "--calibrate", SAMPLES, "--json")
    said = json.loads(out)
    assert code == 0 and said["title"].endswith(title)
    jsonschema.validate(said, json.loads(schemas.text("view")))


def test_the_schema_names_every_field():
    """Of the dataclasses the data is made of."""
    schema = json.loads(schemas.text("view"))
    graph, schedule = (s["properties"] for s in schema["oneOf"])
    node = graph["nodes"]["items"]["properties"]
    layer = schedule["layers"]["items"]["properties"]
    pairs = [
        (Node, node),
        (Constant, node["constants"]["items"]["properties"]),
        (Edge, graph["edges"]["items"]["properties"]),
        (Group, graph["groups"]["items"]["properties"]),
        (Nest, layer),
        (Buffer, layer["buffers"]["items"]["properties"]),
        (Step, schema["$defs"]["step"]["properties"]),
    ]
    own = {"schema", "title", "level"}
    for kind, properties in [*pairs, (Graph, graph), (Schedule, schedule)]:
        assert set(properties) - own == set(kind.__dataclass_fields__), kind


@pytest.mark.parametrize("ending", ["svg", "html", "json"])
def test_files_are_written(ending, tmp_path, capsys):
    path = tmp_path / f"net.{ending}"
    code, out, _ = run(capsys, LENET, "-o", str(path))
    assert code == 0 and path.stat().st_size > 3000
    assert out.startswith(f"{path}  {path.stat().st_size:,} bytes\n") and "8 layers, 2.29 M MACs" in out


def test_a_page_is_written_beside_by_default(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, LENET)[0] == 0
    assert (tmp_path / "lenet5.html").read_text().startswith("<!doctype html>")


def test_what_the_passes_do_not_run_to_is_an_error(capsys):
    code, _, err = run(capsys, LENET, "-p", "simplify", "--stage", "tiled")
    assert code == 1 and err.rstrip().endswith(
        "--stage: expected one that the passes run to (none), not 'tiled'. Give other passes with -p. [E0907]"
    )
    code, _, err = run(capsys, LENET, "-p", "fuse", "--after", "tile")
    assert code == 1 and "dce, expand-weights, fuse-groups), not 'tile'" in err


def test_networks_show_themselves(tmp_path):
    network = dnnc.load(LENET)
    shown = network.view(tmp_path / "x.svg", "as imported")
    assert (tmp_path / "x.svg").read_text() == shown.svg() and "lenet5, as imported" in shown.svg()
    assert "<svg" in network._repr_html_()
