"""dnnc.toml: a project's own defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dnnc import cli

LENET = str(Path(__file__).parents[2] / "models" / "lenet5.onnx")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, within the project's folder."""
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    return tmp_path / "dnnc.toml"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.run(arguments)
    return (code, *capsys.readouterr())


def target(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code, out, err = run(capsys, "report", LENET, "--json", *arguments)
    assert code == 0, err
    return json.loads(out)["target"]["name"]


def test_defaults_then_the_table_of_the_command_then_the_line(project, capsys):
    assert target(capsys) == "edge"
    project.write_text('[defaults]\ntarget = "tiny"\n')
    assert target(capsys) == "tiny"
    project.write_text('[report]\ntarget = "edge"\n[defaults]\ntarget = "tiny"\n')
    assert target(capsys) == "edge"
    assert target(capsys, "-t", "tiny") == "tiny"
    project.write_text('[defaults]\ntarget = "tiny"\n')
    assert target(capsys, "-t", "edge") == "edge"
    assert target(capsys, "--no-config") == "edge"


def test_a_default_of_one_command_is_nothing_to_another(project, capsys):
    project.write_text('[defaults]\nemit = "c"\n[trace]\nlimit = 3\n')
    assert target(capsys) == "edge"
    code, _, _ = run(capsys, "compile", LENET)
    assert code == 0 and sorted(f.name for f in Path.cwd().iterdir()) == ["lenet5.c", "lenet5.h"]


def test_paths_are_meant_from_the_folder_of_the_file(project, capsys):
    (project.parent / "passes.dnnp").write_text("simplify,fuse-groups\n")
    project.write_text('[compile]\npipeline-file = "passes.dnnp"\nemit = "ir"\noutput = "l.mlir"\n')
    assert run(capsys, "compile", LENET)[0] == 0
    assert "dnn.group" in (project.parent / "l.mlir").read_text()


def test_what_a_command_requires_may_come_from_the_file(project, capsys):
    project.write_text('[run]\ninput = "none.npz"\n')
    code, _, err = run(capsys, "run", LENET)
    assert code == 1 and "none.npz: expected an .npz or .npy file, found nothing there." in err


def test_the_nearest_file_counts_and_verbose_says_which(project, capsys):
    project.write_text('[defaults]\ntarget = "tiny"\n')
    near = Path("dnnc.toml")
    near.write_text('[defaults]\ntarget = "edge"\n')
    assert target(capsys) == "edge"
    assert f"dnnc.toml: {near.resolve()}" in run(capsys, "-v", "ops")[2]


def test_all_mistakes_are_told_at_once_each_with_its_line(project, capsys):
    project.write_text(
        'target = "edge"\n\n[defaults]\ntarget = 3\nwidee = true\n\n[compile]\nemit = "verilog"\njson = "yes"\n'
        'dim = ["n=1", 2]\n\n[complie]\n\n[trace]\nlimit = true\n'
    )
    code, out, err = run(capsys, "ops")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "dnnc: error: ../dnnc.toml:1: expected tables, not the key 'target'. "
        "Put it below [defaults] or the name of a command. [E0124]",
        "../dnnc.toml:4: target: expected a string, not 3. [E0125]",
        "../dnnc.toml:5: expected an option of some command, not 'widee'. Did you mean wide? [E0124]",
        "../dnnc.toml:8: emit: expected one of npu, c, ir, report, not 'verilog'. [E0125]",
        "../dnnc.toml:9: json: expected true or false, not 'yes'. [E0125]",
        "../dnnc.toml:10: dim: expected an array of strings, not 2. [E0125]",
        "../dnnc.toml:12: expected [defaults] or the name of a command, not [complie]. "
        "Did you mean compile or completion? [E0124]",
        "../dnnc.toml:15: limit: expected a whole number, not true. [E0125]",
    ]
    assert run(capsys, "ops", "--no-config")[0] == 0
    assert run(capsys, "ops", "--help")[0] == 0


def test_a_file_that_is_not_toml_is_located(project, capsys):
    project.write_text("[defaults\n")
    code, _, err = run(capsys, "ops")
    assert code == 1 and err.startswith("dnnc: error: ../dnnc.toml: expected TOML, not this (") and "line 1" in err
