"""The runner of `.mlir` files and the golden files themselves: what is wrong must fail, with a text that helps."""

from pathlib import Path

import pytest


@pytest.fixture
def runner(request: pytest.FixtureRequest):
    """The module tests/conftest.py."""
    return request.config.pluginmanager.get_plugin(str(Path(__file__).with_name("conftest.py")))


@pytest.fixture
def run(runner, request, tmp_path):
    """Run one RUN line on a text."""

    def run(command: str, text: str) -> None:
        path = tmp_path / "x.mlir"
        path.write_text(text)
        file = runner.MlirFile.from_parent(request.session, path=path)
        runner.MlirRun.from_parent(file, name="x", number=1, command=command).runtest()

    return run


TEXT = "// CHECK: func.return\n// LAST: func.func\n// LAST: func.return\nfunc.func @main() {\n  func.return\n}\n"


def test_what_matches_passes(run):
    run("dnnc-opt %s | filecheck %s", TEXT)
    run(
        "dnnc-opt %s -p cse | dnnc-opt --print-op-generic | filecheck %s --check-prefix LAST",
        TEXT.replace("LAST: f", 'LAST: "f'),
    )


@pytest.mark.parametrize(
    ("command", "text", "message"),
    [
        ("dnnc-opt %s | filecheck %s", TEXT.replace("CHECK: func.return", "CHECK: func.call"), "Couldn't match"),
        ("dnnc-opt %s | filecheck %s", TEXT.replace("CHECK", "TYPO"), "No check strings found"),
        (
            "dnnc-opt %s | filecheck %s",
            TEXT.replace("  func", "  fun"),
            "x.mlir:5:3: expected a known operation, not 'fun.return'.",
        ),
        ("dnnc-opt %s -p nothing | filecheck %s", TEXT, "expected a pass or a pipeline, not 'nothing'"),
        ("mlir-opt %s | filecheck %s", TEXT, "expected dnnc-opt or filecheck, not 'mlir-opt'"),
    ],
)
def test_what_does_not_match_fails(runner, run, command: str, text: str, message: str):
    with pytest.raises(runner.MlirFailure) as e:
        run(command, text)
    assert message in str(e.value)


def test_run_lines_may_be_joined(runner):
    text = "// RUN: dnnc-opt %s \\\n// RUN:   | filecheck %s\nx\n// RUN: dnnc-opt %s\n"
    assert runner.run_lines(text) == [(1, "dnnc-opt %s | filecheck %s"), (4, "dnnc-opt %s")]


def test_golden_files(runner, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "TESTS", tmp_path / "tests")
    folder = tmp_path / "tests" / "golden"
    with pytest.raises(pytest.fail.Exception, match="write it with `pytest --bless`"):
        runner.Golden(folder, bless=False).check("a.txt", "one")
    runner.Golden(folder, bless=True).check("a.txt", "one")
    runner.Golden(folder, bless=False).check("a.txt", "one")
    with pytest.raises(AssertionError, match="pytest --bless"):
        runner.Golden(folder, bless=False).check("a.txt", "two")
