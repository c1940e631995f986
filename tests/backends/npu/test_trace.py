import json
from itertools import pairwise

import numpy as np
import pytest

from dnnc.backends.npu import trace as traces
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.perfetto import as_perfetto
from dnnc.ir.diagnostics import DnncError


@pytest.fixture(scope="module")
def run(hand):
    return Simulator(hand.build()).run({"x": np.zeros((3, 12, 12), np.int8)})


def test_a_trace_file_reads_back_and_repeats(run, tmp_path):
    run.trace.save(tmp_path / "a.trace")
    run.trace.save(tmp_path / "b.trace")
    assert (tmp_path / "a.trace").read_bytes() == (tmp_path / "b.trace").read_bytes()
    again = traces.load(tmp_path / "a.trace")
    for name in traces.COLUMNS:
        np.testing.assert_array_equal(again[name], run.trace[name])
    assert (again.tags, again.target, again.clock_mhz) == (run.trace.tags, "edge", 500)


def test_summary_adds_up_to_the_totals(run):
    summary = run.trace.summary()
    assert [row["layer"] for row in summary] == ["setup", "conv", "fc"]
    for column, counter in (
        ("macs", "macs"),
        ("saturated", "saturated"),
        ("busy_mm", "busy_mm"),
        ("stall_token", "stall_token"),
    ):
        assert sum(row[column] for row in summary) == run.total[counter]
    assert sum(row["bytes"] for row in summary) == run.total["dram_read"] + run.total["dram_write"]


def test_each_engine_is_busy_or_stalled_up_to_its_last_instruction(run):
    for number in range(4):
        rows = run.trace.where(run.trace["engine"] == number)
        busy = int((rows["end"] - rows["start"]).sum())
        assert busy + int(rows["stall_cycles"].sum()) == rows.cycles


def test_slices_by_layer_engine_and_cycles(run):
    conv = run.trace.slice(layer="conv")
    assert {r["layer"] for r in conv.rows()} == {"conv"}
    assert {r["kind"] for r in conv.slice(engine="mm").rows()} == {"mm"}
    part = run.trace.slice(begin=100, end=200)
    assert 0 < len(part) < len(run.trace)
    assert all(r["end"] > 100 and r["start"] < 200 for r in part.rows())


def test_unknown_layer_and_engine_are_refused(run):
    with pytest.raises(DnncError, match=r"one of 4 layers, not 'pool'. They are setup, conv, fc, "):
        run.trace.slice(layer="pool")
    with pytest.raises(DnncError, match="not 'gpu'"):
        run.trace.slice(engine="gpu")


def test_stalls_are_sorted_and_complete(run):
    stalls = run.trace.stalls()
    assert [s["cycles"] for s in stalls] == sorted((s["cycles"] for s in stalls), reverse=True)
    assert sum(s["cycles"] for s in stalls) == int(run.trace["stall_cycles"].sum())


def test_timeline_never_overlaps_within_an_engine(run):
    for rows in run.trace.timeline().values():
        assert all(a["end"] <= b["start"] for a, b in pairwise(rows))


def test_perfetto_events_are_json_with_a_thread_per_engine(run):
    events = json.loads(json.dumps(as_perfetto(run.trace)))["traceEvents"]
    assert {e["args"]["name"] for e in events if e["name"] == "thread_name"} == {"LD", "MM", "PPU", "ST", "CTRL"}
    spans = [e for e in events if e["ph"] == "X"]
    assert len(spans) == len(run.trace)
    assert max(e["ts"] + e["dur"] for e in spans) == pytest.approx(run.cycles / 500)


def test_a_foreign_file_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"not a trace")
    with pytest.raises(DnncError, match="a trace written by dnnc was expected"):
        traces.load(tmp_path / "x")
    with pytest.raises(DnncError, match=r"y: a trace file was expected, there is none"):
        traces.load(tmp_path / "y")
