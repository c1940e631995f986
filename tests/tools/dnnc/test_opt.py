"""dnnc-opt: what it shows of a pipeline, where it starts and stops, what it keeps."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from dnnc import opt
from dnnc.ir.text import load, text_of

LENET = str(Path(__file__).parents[2] / "models" / "lenet5.onnx")
NET = """func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c = dnn.const value = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> : () -> tensor<4xf32>
  %d = dnn.const value = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> : () -> tensor<4xf32>
  %a = dnn.add %x, %c : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = dnn.add %x, %d : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %y = dnn.mul %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %y : tensor<4xf32>
}
"""


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]):
    """A function that runs the command: exit code, stdout, stderr."""

    def run(*arguments: str, text: str = NET) -> tuple[int, str, str]:
        out = io.StringIO()
        code = opt.run(arguments, io.StringIO(text), out)
        return code, out.getvalue(), capsys.readouterr().err

    return run


def test_diffs_are_of_passes_that_changed_something(told, golden):
    code, out, err = told("-", "-p", "cse,dce,cse", "--diff-after", "all")
    assert code == 0 and out.count("dnn.const") == 1
    golden.check("diff.txt", err)
    assert told("-", "-p", "cse,dce", "--diff-after", "dce")[2] == ""


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours(told, monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    colour = "\x1b[31m"
    assert (colour in told("-", "-p", "cse", "--diff-after", "all")[2]) == coloured


def test_sizes_after_each_pass(told, golden):
    golden.check("stats.txt", told("-", "-p", "cse,dce,fuse-groups", "--stats")[2])
    lines = told(LENET, "-p", "simplify", "--stats")[2].splitlines()
    assert all("1,724,320" in line and "2,293,000" in line for line in lines[1:])


def test_a_file_for_each_pass_to_go_on_from(told, tmp_path: Path):
    steps = tmp_path / "steps"
    whole = told(LENET, "-p", "fuse", "--save-after", str(steps))[1]
    names = [p.name for p in sorted(steps.glob("*.mlir"))]
    assert names[0] == "01-fold-constants.mlir" and names[-1] == "09-fuse-groups.mlir" and len(names) == 9
    for at in ("7", "dce"):
        assert told(str(steps / "07-dce.mlir"), "-p", "fuse", "--start-after", at)[1] == whole
    assert text_of(load(steps / "09-fuse-groups.mlir")[0]) == whole
    weights = sorted(steps.glob("*.safetensors"))
    assert len(weights) == 9 and len({p.stat().st_ino for p in weights}) < 9, "weights that stay the same are kept once"
    told(str(steps / "07-dce.mlir"), "-p", "fuse", "--start-after", "7", "--save-after", str(tmp_path / "rest"))
    assert (tmp_path / "rest" / "09-fuse-groups.mlir").exists()


def test_stop_after_a_pass_a_number_a_stage(told):
    for at in ("cse", "1"):
        out = told("-", "-p", "cse,dce,fuse-groups", "--stop-after", at)[1]
        assert out == told("-", "-p", "cse")[1]
    assert told("-", "-p", "cse,fuse-groups,dce", "--stop-after", "fused")[1] == told("-", "-p", "cse,fuse-groups")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "cse,dce", "--start-after", "3"], "--start-after: expected a pass of the pipeline (1 cse, 2 dce), not '3'."),
        (["--stop-after", "cse"], "--stop-after: expected a pass of the pipeline (none: name some with -p), not 'cse'."),
        (["--stage", "fuse"], "--stage: expected one of imported, simplified, quantized, fused, tiled, placed, not 'fuse'."),
        (["--pipeline-file", "none.dnnp"], "none.dnnp: expected a pipeline file, found nothing there. Check the path."),
    ],
)  # fmt: skip
def test_mistakes(told, arguments: list[str], message: str):
    code, _, err = told("-", *arguments)
    assert code == 1 and err.partition(" [E05")[0] == message


def test_a_file_that_is_not_there(told):
    code, _, err = told("none.mlir")
    assert code == 1 and err.startswith("none.mlir: expected a model file, found nothing there.")


def test_a_pipeline_file(told, tmp_path: Path):
    path = tmp_path / "p.dnnp"
    path.write_text("cse,  # once\ndce,\n")
    assert told("-", "--pipeline-file", str(path))[1] == told("-", "-p", "cse,dce")[1]
    with pytest.raises(SystemExit):
        told("-", "-p", "cse", "--pipeline-file", str(path))


def test_how_much_is_verified(told, tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "from xdsl.dialects.builtin import UnitAttr\n"
        "from dnnc.ir.dnn.elementwise import MulOp\n"
        "def spoil(module, ctx):\n  for op in module.walk():\n"
        "    if isinstance(op, MulOp): op.properties['odd'] = UnitAttr()\n"
        "def mend(module, ctx):\n  for op in module.walk():\n    op.properties.pop('odd', None)\n"
    )
    both = f"{tmp_path}/mine.py:spoil,{tmp_path}/mine.py:mend"
    code, _, err = told("-", "-p", both)
    assert code == 1 and "after pass 'spoil': " in err
    assert told("-", "-p", both, "--no-verify-each")[0] == 0
    assert told("-", "-p", "cse,dce", "--verify-each")[0] == 0


def test_help_names_every_example_and_imports_no_compiler():
    code = "import sys; from dnnc import opt\ntry: opt.run(['--help'])\n"
    code += "except SystemExit: print('xdsl' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert opt.EXAMPLES in done.stdout and done.stdout.endswith("False False\n")
