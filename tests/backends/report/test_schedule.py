"""The report of a compiled network: its figures, its bound, its forms."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

import dnnc
from dnnc import cli, scheduled
from dnnc.backends.npu.catalog import bundled, load_target
from dnnc.backends.npu.target import Executable
from dnnc.backends.report import SCHEDULE_COLUMNS
from dnnc.backends.report.column import elided
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import CopyOp, loops_around
from dnnc.ir.types import bits
from dnnc.passes.analysis.traffic import copy_bytes, needed_bytes

MODELS = Path(__file__).parents[2] / "models"
CALIBRATION = MODELS / "digits_calibration.npz"


@pytest.fixture(scope="module")
def integer():
    """The quantized LeNet-5 as IR."""
    return dnnc.compile(MODELS / "lenet5.onnx", emit="ir", pipeline="int8", calibrate=CALIBRATION).network


@pytest.fixture(scope="module", params=bundled())
def program(integer, request):
    """Its program on each target."""
    return dnnc.compile(integer, request.param, pipeline="tile,plan-memory")


def test_totals_are_what_the_simulator_counts(program):
    _, run = Executable(program.npu, load_target(program.target)).run([np.zeros((1, 1, 28, 28), np.float32)])
    totals = program.schedule_report().totals
    assert totals["cycles"] == run.cycles
    assert {k: totals[k] for k in ("macs", "dram_read", "dram_write")} == {
        k: run.total[k] for k in ("macs", "dram_read", "dram_write")
    }
    assert totals["instructions"] == len(run.trace)


def test_no_layer_moves_less_than_its_bound(program):
    report = program.schedule_report()
    for line in report.rows:
        assert line.planned.compulsory <= line.planned.least <= line.dram
    assert report.totals["worst_over_least"] >= report.totals["over_least"] >= 1


def test_compulsory_bytes_are_those_of_distinct_elements(integer):
    module = dnnc.compile(integer, "tiny", pipeline="tile,plan-memory").network.module
    copies = [op for op in main_function(module).walk() if isinstance(op, CopyOp)]
    assert any(needed_bytes(c) < copy_bytes(c) for c in copies)
    for copy in copies:
        side = copy.source if copy.loads else copy.target
        touched = np.zeros([s.extent for s in copy.slices.data], bool)
        for at in np.ndindex(*(len(loop.values) for loop in loops_around(copy))):
            values = [loop.values[i] for loop, i in zip(loops_around(copy), at)]
            spans = [s.at(values[s.loop] if s.loop >= 0 else 0) for s in copy.slices.data]
            touched[tuple(slice(first, first + count) for first, count in spans)] = True
        assert needed_bytes(copy) == touched.sum() * bits(side.type.element_type) // 8


def test_memory_is_what_dnnc_memory_says(program):
    rows = program.schedule_report().to_dict()["memory"]
    drawn = [s for s, _ in program.memory().spaces]
    assert [(r["space"], r["bytes"], r["capacity"], r["least_proved"], r["status"]) for r in rows] == [
        (s.name, s.bytes, s.capacity, s.proved, s.status) for s in drawn
    ]
    assert all(r["bytes"] <= r["capacity"] for r in rows if r["capacity"] is not None)


def test_forms(integer, golden):
    report = dnnc.compile(integer, "edge", pipeline="tile,plan-memory").schedule_report()
    golden.check("lenet5-edge.txt", report.text())
    rows = list(csv.DictReader(io.StringIO(report.csv())))
    assert list(rows[0]) == [c.key for c in SCHEDULE_COLUMNS]
    assert "<table" in report._repr_html_()


def test_a_program_file_has_the_same_figures_but_no_bound(integer, tmp_path):
    program = dnnc.compile(integer, "edge", pipeline="tile,plan-memory")
    program.save(tmp_path / "net.npu")
    whole, bare = program.schedule_report(), scheduled.of_file(tmp_path / "net.npu", "edge")
    assert [line.run for line in whole.rows] == [line.run for line in bare.rows]
    assert bare.totals["least_bytes"] is None
    assert bare.to_dict()["memory"] == []
    assert cli.run(["report", str(tmp_path / "net.npu"), "-o", str(tmp_path / "r.txt")]) == 0
    assert (tmp_path / "r.txt").read_text() == bare.text()


def test_least_traffic_as_the_objective(integer):
    def moved(options):
        program = dnnc.compile(integer, "tiny", pipeline=f"tile{options},plan-memory")
        return program.schedule_report().totals

    fast, lean = moved(""), moved("{objective=traffic}")
    assert lean["dram_bytes"] <= fast["dram_bytes"] and lean["cycles"] >= fast["cycles"]
    assert lean["dram_bytes"] == moved("{slack=0}")["dram_bytes"]


def test_long_names_keep_their_ends():
    """Exporters join names of all they fused."""
    long = "model/activation/Relu;" + 9 * "model/conv2d/BiasAdd;" + "model/conv2d/Conv2D"
    assert elided("conv1") == "conv1" and elided("a, b, c") == "a, b, c"
    assert elided(long) == "model/activation/Relu;...dd;model/conv2d/Conv2D"
    assert elided(", ".join([long, "b", "c", "d"])) == f"{elided(long)}, ..., d (4)"
