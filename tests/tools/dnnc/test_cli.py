"""The `dnnc` command as a user meets it: what it writes, what it says, and how it fails."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import dnnc
from dnnc import cli
from dnnc.commands import NAMES
from dnnc.commands.check import told_once

MODELS = Path(__file__).parents[2] / "models"
LENET, DIGITS, SAMPLES = (str(MODELS / n) for n in ("lenet5.onnx", "digits_test.npz", "digits_calibration.npz"))


@pytest.fixture
def few(tmp_path: Path) -> str:
    """Twenty held-out digits: enough to run, few enough for the suite."""
    with np.load(DIGITS) as d:
        np.savez(tmp_path / "few.npz", x=d["x"][:20], labels=d["labels"][:20])
    return str(tmp_path / "few.npz")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.run(arguments)
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def small(path: Path, *nodes: onnx.NodeProto, shape: tuple[int | str, ...] = (1, 4)) -> str:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(list(nodes), "small", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]), path)
    return str(path)


@pytest.mark.parametrize("on", ["reference", "c", "npu"])
def test_three_executors_agree_on_the_digits(on, few, capsys):
    code, out, _ = run(capsys, "run", LENET, "-i", few, "--on", on, "--calibrate", SAMPLES, "--json")
    assert code == 0
    said = json.loads(out)
    assert {k: v for k, v in said.items() if k != "outputs"} == {
        "on": on,
        "samples": 20,
        "correct": 20,
        "accuracy": 1.0,
    }
    assert said["outputs"][0]["shape"] == [1, 10]


def test_program_runs_like_the_interpreter_and_leaves_a_trace(few, tmp_path, capsys):
    npu, ir = str(tmp_path / "l.npu"), str(tmp_path / "l.mlir")
    assert run(capsys, "compile", LENET, "--calibrate", SAMPLES, "-o", npu)[0] == 0
    assert run(capsys, "compile", LENET, "--emit", "ir", "-p", "int8", "--calibrate", SAMPLES, "-o", ir)[0] == 0
    assert run(capsys, "run", npu, "-i", few, "-o", str(tmp_path / "a.npz"), "--trace", str(tmp_path / "t"))[0] == 0
    assert run(capsys, "run", ir, "-i", few, "-o", str(tmp_path / "b.npz"))[0] == 0
    a, b = np.load(tmp_path / "a.npz"), np.load(tmp_path / "b.npz")
    assert a[a.files[0]].shape == (20, 10)
    assert a[a.files[0]].tobytes() == b[b.files[0]].tobytes()
    code, out, _ = run(capsys, "trace", str(tmp_path / "t"), "layers", "--json")
    layers = {row["layer"]: row for row in json.loads(out)}
    assert code == 0
    assert {n: r["macs"] for n, r in layers.items()} == {"conv1": 288000, "conv2": 1600000, "ip1": 400000, "ip2": 5000}
    total = json.loads(run(capsys, "trace", str(tmp_path / "t"), "summary", "--json")[1])[0]
    assert total["bytes"] == sum(r["bytes"] for r in layers.values())
    assert total["macs"] == 2_293_000
    part = json.loads(
        run(capsys, "trace", str(tmp_path / "t"), "list", "--layer", "ip2", "--engine", "mm", "--json")[1]
    )
    assert part and {(r["layer"], r["engine"]) for r in part} == {("ip2", "mm")}
    assert run(capsys, "trace", str(tmp_path / "t"), "export", "-o", str(tmp_path / "p.json"))[0] == 0
    assert "expected what is faster, one of --dma" in run(capsys, "trace", str(tmp_path / "t"), "what-if")[2]
    events = json.loads((tmp_path / "p.json").read_text())["traceEvents"]
    assert sum(e["ph"] == "X" for e in events) == total["instructions"]


def test_compile_writes_the_same_bytes_twice(tmp_path, capsys):
    for name in ("a", "b"):
        for emit, ending in (("npu", "npu"), ("c", "c"), ("ir", "mlir")):
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            args = ("compile", LENET, "--emit", emit, "--calibrate", SAMPLES, "-o", str(folder / f"lenet5.{ending}"))
            assert run(capsys, *args)[0] == 0
    files = sorted(f.name for f in (tmp_path / "a").iterdir())
    assert files == ["lenet5.c", "lenet5.h", "lenet5.mlir", "lenet5.npu", "lenet5.safetensors", "lenet5.scheme.toml"]
    for f in files:
        assert (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes(), f


def test_report_in_its_three_forms(capsys):
    code, out, _ = run(capsys, "report", LENET, "--json")
    assert code == 0 and json.loads(out)["totals"]["macs"] == 2_293_000
    assert run(capsys, "report", LENET, "--csv")[1].splitlines()[1].startswith("conv1,")
    assert "2,293,000" in run(capsys, "report", LENET)[1]
    rows = {r["network"]: r for r in json.loads(run(capsys, "report", "--zoo", "--json")[1])["networks"]}
    assert (rows["lenet5"]["weights"], rows["lenet5"]["macs"]) == (431_080, 2_293_000)
    assert all(r["match"] for r in rows.values())


def test_check_says_who_takes_the_network(capsys):
    code, out, _ = run(capsys, "check", LENET, "--calibrate", SAMPLES, "--json")
    said = json.loads(out)
    assert code == 0 and {v["verdict"] for v in said["backends"].values()} == {"yes"}
    assert said["macs"] == 2_293_000
    compiled = json.loads(run(capsys, "check", LENET, "--json")[1])["backends"]
    assert [v["verdict"] for v in compiled.values()] == ["yes", "yes", "once calibrated"]
    sizes = [{k: v for k, v in b["npu"].items() if k.endswith("_bytes")} for b in (said["backends"], compiled)]
    assert sizes[0] == sizes[1], "sizes do not hang on the ranges"


def test_check_tells_what_compile_would_write(tmp_path, capsys):
    npu = json.loads(run(capsys, "check", LENET, "--calibrate", SAMPLES, "--json")[1])["backends"]["npu"]
    path = str(tmp_path / "l.npu")
    written = json.loads(run(capsys, "compile", LENET, "--calibrate", SAMPLES, "-o", path, "--json")[1])
    assert npu["program_bytes"] == 16 * written["instructions"]
    assert npu["memory_bytes"] == written["dram_bytes"]


def test_check_tells_the_same_reason_once():
    reasons = [{"where": f"node 'n{i}'", "message": "no int8 form.", "code": "E0703"} for i in range(5)]
    reasons.insert(1, {"where": "input 'x'", "message": "expected f32, not f16.", "code": ""})
    assert list(told_once(reasons)) == [
        "node 'n0', node 'n1', node 'n2' and 2 more: no int8 form. [E0703]",
        "input 'x': expected f32, not f16.",
    ]


def test_check_evaluates_nothing(monkeypatch, capsys):
    def refuse(*arguments, **named):
        raise AssertionError("the reference was evaluated")

    for module in ("dnnc.network", "dnnc.passes.calibrate"):
        monkeypatch.setattr(f"{module}.evaluate", refuse)
    assert run(capsys, "check", LENET)[0] == 0


@pytest.mark.parametrize("samples, dims, shape", [(1, (), [5, 4]), (5, ("--dim", "N=1"), [1, 4])])
def test_open_dimensions_take_the_size_of_the_inputs(samples, dims, shape, tmp_path, capsys):
    model = small(tmp_path / "r.onnx", helper.make_node("Relu", ["x"], ["y"], "n1"), shape=("N", 4))
    x = np.arange(20, dtype=np.float32).reshape(5, 4) - 9
    np.savez(tmp_path / "x.npz", x=x)
    out = str(tmp_path / "y.npz")
    code, said, _ = run(capsys, "run", model, "-i", str(tmp_path / "x.npz"), "-o", out, "--json", *dims)
    assert code == 0
    assert (json.loads(said)["samples"], json.loads(said)["outputs"][0]["shape"]) == (samples, shape)
    assert np.array_equal(np.load(out)["y"].reshape(5, 4), np.maximum(x, 0))


def test_labels_of_a_name_have_to_be_there(few, capsys):
    code, _, err = run(capsys, "run", LENET, "-i", few, "--labels", "digits")
    assert code == 1
    assert "expected labels in an array 'digits', not only x, labels. Name one with --labels. [E0116]" in err


def test_a_batch_has_as_many_labels(tmp_path, capsys):
    model = small(tmp_path / "r.onnx", helper.make_node("Identity", ["x"], ["y"], "n1"), shape=("N", 4))
    np.savez(tmp_path / "x.npz", x=np.eye(4, dtype=np.float32), labels=np.array([0, 1, 2, 0]))
    said = json.loads(run(capsys, "run", model, "-i", str(tmp_path / "x.npz"), "--json")[1])
    assert (said["correct"], said["accuracy"]) == (3, 0.75)


def test_run_names_the_best_classes(tmp_path, capsys):
    model = small(tmp_path / "r.onnx", helper.make_node("Identity", ["x"], ["y"], "n1"))
    np.savez(tmp_path / "x.npz", x=np.array([[0.5, 3, -1, 2]], np.float32))
    out = run(capsys, "run", model, "-i", str(tmp_path / "x.npz"))[1]
    assert "y: 1x4 float32, min -1, max 3; first sample: class 1 (3), class 3 (2), class 0 (0.5)" in out


def test_a_pipeline_file_is_that_pipeline(tmp_path, capsys):
    (tmp_path / "p.dnnp").write_text("simplify,  # as ever\nfuse-groups\n")
    texts = []
    for i, asked in enumerate((("-p", "simplify,fuse-groups"), ("--pipeline-file", str(tmp_path / "p.dnnp")))):
        path = tmp_path / str(i) / "l.mlir"
        path.parent.mkdir()
        assert run(capsys, "compile", LENET, "--emit", "ir", "-o", str(path), *asked)[0] == 0
        texts.append(path.read_text())
    assert texts[0] == texts[1]
    assert run(capsys, "compile", LENET, "-p", "cse", "--pipeline-file", "p.dnnp")[0] == 2


def test_a_report_can_be_compiled_into_a_file_with_a_json_answer(tmp_path, capsys):
    path = str(tmp_path / "r.json")
    said = json.loads(run(capsys, "compile", LENET, "--emit", "report", "-o", path, "--json")[1])
    assert said["files"] == [{"path": path, "bytes": Path(path).stat().st_size}]
    code, _, err = run(capsys, "compile", LENET, "--emit", "report", "--json")
    assert code == 1 and "expected a file to write with -o, not none." in err


def test_dump_after_prints_the_module_to_stderr(tmp_path, capsys):
    out = str(tmp_path / "l.mlir")
    _, _, err = run(
        capsys, "compile", LENET, "--emit", "ir", "-o", out, "-p", "simplify,fuse-groups", "--dump-after", "fuse-groups"
    )
    assert err.count("// after fuse-groups") == 1 and "dnn.group" in err


@pytest.mark.parametrize("command", ["targets", "passes", "ops"])
def test_lists_have_a_json_form(command, capsys):
    code, out, _ = run(capsys, command)
    assert code == 0 and len(out.splitlines()) > 1
    assert json.loads(run(capsys, command, "--json")[1])


def test_the_file_of_a_target_is_a_target_again(tmp_path, capsys):
    _, text, _ = run(capsys, "targets", "edge")
    (tmp_path / "mine.toml").write_text(text)
    ours, theirs = (json.loads(run(capsys, "targets", t, "--json")[1]) for t in ("edge", str(tmp_path / "mine.toml")))
    assert ours == theirs and [t["name"] for t in ours] == ["edge"]
    (tmp_path / "mine.toml").write_text(text.replace("rows = 16", "rows = 0"))
    assert run(capsys, "targets", str(tmp_path / "mine.toml"))[0] == 1


def test_wrong_command_line_is_exit_code_2(capsys):
    assert run(capsys)[0] == 2
    assert run(capsys, "compile")[0] == 2
    assert run(capsys, "compile", LENET, "--emit", "verilog")[0] == 2


NEAR = {
    "command": (
        ("complie", LENET),
        "dnnc: error: expected a command, not 'complie'. Did you mean compile or completion?",
    ),
    "option": (
        ("compile", LENET, "--calibrat", "x.npz"),
        "dnnc compile: error: expected no argument '--calibrat'. Did you mean --calibrate? [E0120]",
    ),
    "abbreviation": (("compile", LENET, "--cal", "x.npz"), "Did you mean --calibrate?"),
    "choice": (
        ("run", LENET, "-i", "x.npz", "--on", "refernce"),
        "argument --on: expected one of reference, c, npu, not 'refernce'. Did you mean reference? [E0120]",
    ),
    "two": (
        ("ops", "--jsn", "--quite"),
        "'--jsn'. Did you mean --json? expected no argument '--quite'. Did you mean --quiet?",
    ),
    "argument": (("ops", "dnn.relu"), "dnnc ops: error: expected no argument 'dnn.relu'. [E0120]"),
}


@pytest.mark.parametrize("case", NEAR)
def test_a_misspelt_word_is_answered_with_the_nearest(case, capsys):
    arguments, message = NEAR[case]
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_help_of_all_commands(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(f"\n    {name} " in out for name in NAMES)
    assert "70  a fault of dnnc itself" in out
    for name in NAMES:
        code, out, _ = run(capsys, name, "--help")
        assert code == 0 and f"usage: dnnc {name} " in out and "examples:" in out and "exit codes:" in out


def test_help_imports_nothing_heavy():
    heavy = "{'numpy', 'onnx', 'rich', 'xdsl'}"
    lines = f"import sys; from dnnc import cli; cli.run(['--help']); sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", lines], capture_output=True).returncode == 0


@pytest.mark.parametrize("arguments", [("-q", "compile"), ("compile", "-q")])
def test_quiet_leaves_out_what_was_not_asked_for(arguments, tmp_path, capsys):
    code, out, err = run(capsys, *arguments, LENET, "--emit", "c", "-o", str(tmp_path / "l.c"))
    assert (code, out, err) == (0, "", "")
    assert run(capsys, "ops", "-q")[1]


@pytest.mark.parametrize("arguments", [("-v", "report"), ("report", "-v")])
def test_verbose_tells_phases_and_their_times(arguments, capsys):
    _, out, err = run(capsys, *arguments, LENET, "--json")
    assert json.loads(out)
    assert re.search(r"^import lenet5: \d\.\d{3} s$", err, re.MULTILINE)
    assert re.search(r"^pass fold-constants: \d\.\d{3} s$", err, re.MULTILINE)


def test_version_names_what_it_runs_with(capsys):
    code, out, _ = run(capsys, "version")
    assert code == 0
    found = dict(line.split(None, 1) for line in out.splitlines())
    assert found["dnnc"] == dnnc.__version__ and found["python"] == platform.python_version()
    assert found["xdsl"] == version("xdsl") and found["numpy"] == np.__version__ and found["onnx"] == onnx.__version__
    assert run(capsys, "--version")[1] == f"dnnc {dnnc.__version__}\n"


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "dnnc", "complie"], capture_output=True, text=True)
    assert done.returncode == 2 and "Did you mean compile" in done.stderr


def test_a_closed_pipe_is_no_error():
    lines = f"{sys.executable} -m dnnc ops --json | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[", "")


def test_nothing_supported_is_exit_code_3_with_the_whole_report(tmp_path, capsys):
    bad = [helper.make_node("NoSuchOp", ["x"], ["a"], "n1"), helper.make_node("AlsoNone", ["a"], ["y"], "n2")]
    code, _, err = run(capsys, "check", small(tmp_path / "bad.onnx", *bad))
    assert code == 3
    assert "node 'n1'" in err and "node 'n2'" in err


BAD = {
    "missing model": (
        ("compile", "none.onnx"),
        "none.onnx: expected a model file, found nothing there. Check the path.",
    ),
    "wrong kind": (("compile", SAMPLES), ": expected a model as .onnx, .dnn or .mlir, not '.npz'."),
    "dimension": (("compile", LENET, "--dim", "N"), "--dim: expected NAME=VALUE with a whole number, not 'N'."),
    "target": (("compile", LENET, "-t", "edgy"), "Did you mean edge?"),
    "pass": (
        ("compile", LENET, "-p", "simplfy"),
        "pipeline: expected a pass or a pipeline, not 'simplfy'. Did you mean simplify",
    ),
    "uncalibrated": (
        ("compile", LENET, "--calibrate", "none.npz"),
        "none.npz: expected an .npz or .npy file, found nothing there. Check the path.",
    ),
    "samples": (
        ("compile", LENET, "--calibrate", LENET),
        ": expected an .npz or .npy file with numeric arrays, not this",
    ),
    "folder": (
        ("compile", LENET, "--emit", "ir", "-o", "no/such/l.mlir"),
        "expected a folder 'no/such', which does not exist. Create it first.",
    ),
    "inputs": (
        ("run", LENET, "-i", "none.npz"),
        "none.npz: expected an .npz or .npy file, found nothing there. Check the path.",
    ),
    "not a program": (("run", str(MODELS / "README.npu"), "-i", DIGITS), "README.npu"),
    "trace of reference": (
        ("run", LENET, "-i", DIGITS, "--trace", "t"),
        "--trace: expected the simulator, not --on reference. Add --on npu.",
    ),
    "not a trace": (("trace", SAMPLES), "trace written by dnnc"),
    "report of nothing": (("report",), "dnnc report: expected a model or --zoo, got neither."),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_exit_code_1_and_one_message(case, capsys):
    arguments, message = BAD[case]
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert message in err


def test_inputs_of_the_wrong_type_and_shape_are_told(tmp_path, capsys):
    np.savez(tmp_path / "wide.npz", x=np.zeros((2, 1, 28, 28)))
    np.savez(tmp_path / "small.npz", x=np.zeros((2, 1, 8, 8), np.float32))
    code, _, err = run(capsys, "run", LENET, "-i", str(tmp_path / "wide.npz"))
    assert code == 1 and "expected 'data' as float32, not float64. Convert it with .astype()." in err
    code, _, err = run(capsys, "run", LENET, "-i", str(tmp_path / "small.npz"))
    assert code == 1 and "expected samples of 1x1x28x28 f32 stacked along a first axis, not 2x1x8x8." in err


def test_nothing_half_written_is_left_behind(tmp_path, capsys):
    code, _, _ = run(capsys, "compile", LENET, "--calibrate", "none.npz", "-o", str(tmp_path / "l.npu"))
    assert code == 1
    assert list(tmp_path.iterdir()) == []


NAMED = """
input x: f32[1, 4] {range=[-1, 1]}
sums = dense(x, he(f32[6, 4])) {range=[-2, 2]}
y = reshape(sums, shape=[2, 3])
output y
"""


def test_a_program_keeps_the_names_of_inputs_and_outputs(tmp_path, capsys):
    (tmp_path / "net.dnn").write_text(NAMED)
    npu, given, made = (str(tmp_path / name) for name in ("net.npu", "x.npz", "y.npz"))
    assert run(capsys, "compile", str(tmp_path / "net.dnn"), "-o", npu)[0] == 0
    np.savez(given, x=np.ones((1, 4), np.float32))
    assert run(capsys, "run", npu, "-i", given, "-o", made)[0] == 0
    assert np.load(made)["y"].shape == (1, 2, 3)


def test_without_samples_ranges_are_data_free_and_it_says_so(tmp_path, capsys):
    out = str(tmp_path / "l.npu")
    code, said, err = run(capsys, "compile", LENET, "-o", out)
    assert code == 0 and "l: no samples are given: ranges are data-free" in err
    assert "calibrated min-max, data-free: 32 inputs of 1/f noise of mean 0 and deviation 1" in said
    code, said, err = run(
        capsys, "compile", LENET, "-o", out, "--calibrate", "data-free:0..1", "--ranges", "mse", "--json"
    )
    assert code == 0 and "warning" not in err
    assert json.loads(said)["calibrated"] == "mse, data-free: 32 inputs of 1/f noise from 0 to 1"
