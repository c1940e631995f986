"""Runs in processes of their own give what runs one after another give, in their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dnnc import api
from dnnc.backends.npu.parallel import Task, run_all
from dnnc.ir.diagnostics import DnncError

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.full
def test_several_programs_in_processes(tmp_path: Path):
    with np.load(MODELS / "digits_test.npz") as d:
        x = d["x"][:3]
    (tmp_path / "net.dnn").write_text(
        "input x: f32[1, 4] {range=[-1, 1]}\ny = matmul(x, he(f32[4, 8])) {range=[-2, 2]}\noutput y\n"
    )
    files = [api.compile(MODELS / "lenet5.onnx", t, calibrate=x).executable() for t in ("edge", "tiny")]
    files.append(api.compile(tmp_path / "net.dnn").executable())
    tasks = [Task(i % 2, [a[None]], seed) for i, a in enumerate(x) for seed in (None, 1)]
    tasks += [Task(2, [np.ones((1, 4), np.float32)]), Task(0, timing_only=True)]
    for (mine, run), (theirs, other) in zip(run_all(files, tasks, 2), run_all(files, tasks), strict=True):
        assert all(map(np.array_equal, mine, theirs)) and len(mine) == len(theirs)
        for name in run.trace.columns:
            np.testing.assert_array_equal(run.trace[name], other.trace[name])


@pytest.mark.full
def test_an_error_in_a_process_is_that_of_the_run(tmp_path: Path):
    (tmp_path / "net.dnn").write_text(
        "input x: f32[1, 4] {range=[-1, 1]}\ny = matmul(x, he(f32[4, 8])) {range=[-2, 2]}\noutput y\n"
    )
    file = api.compile(tmp_path / "net.dnn").executable()
    with pytest.raises(DnncError, match="E0") as caught:
        list(run_all([file], [Task(0, [np.ones((1, 4), np.float32)]), Task(0, [np.ones((2, 4), np.float32)])], 2))
    assert caught.value.findings[0].code
