"""What is computed from a trace: replay, critical path, queries, exports."""

import csv
import io
import json
from itertools import pairwise

import numpy as np
import pytest

from dnnc.backends.npu import exports
from dnnc.backends.npu import trace as traces
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.page import page
from dnnc.backends.npu.path import by_level, critical_path
from dnnc.backends.npu.replay import what_if
from dnnc.ir.diagnostics import DnncError

X = {"x": np.zeros((3, 12, 12), np.int8)}


@pytest.fixture(scope="module")
def trace(hand):
    return Simulator(hand.build()).run(X).trace


def test_a_replay_without_a_change_is_the_trace(trace):
    again = what_if(trace, {"dma": 1})
    for name in traces.COLUMNS:
        np.testing.assert_array_equal(again[name], trace[name])


def test_faster_parts_shorten_the_run_and_only_them(trace):
    faster = what_if(trace, {"mm": 2})
    mine = trace["engine"] == 1
    assert faster.cycles < trace.cycles
    assert (faster["end"] - faster["start"]).sum() < (trace["end"] - trace["start"]).sum()
    total = np.ceil((trace["end"] - trace["start"])[mine] / 2).sum()
    assert (faster["end"] - faster["start"])[faster["engine"] == 1].sum() == total
    assert what_if(trace, {"mm": 0.5}).cycles > trace.cycles


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_the_critical_path_is_unbroken_and_as_long_as_the_run(hand, seed):
    trace = Simulator(hand.build(), seed=seed).run(X).trace
    path = critical_path(trace)
    assert path[0].begin == 0 and path[-1].end == trace.cycles
    assert all(a.end == b.begin for a, b in pairwise(path))
    assert sum(row["cycles"] for row in by_level(trace, path)) == trace.cycles


def test_slices_have_no_path_and_no_replay(trace):
    for part in (trace.slice(layer="setup"), trace.slice(engine="mm"), trace.slice(begin=100)):
        with pytest.raises(DnncError, match="not a slice"):
            critical_path(part)
        with pytest.raises(DnncError, match="not a slice"):
            what_if(part, {})


def test_queries_read_and_cannot_write(trace):
    assert exports.query(trace, "SELECT count(*) AS n, sum(bytes) AS b FROM trace") == [
        {"n": len(trace), "b": int(trace["bytes"].sum())}
    ]
    for wrong in ("DROP TABLE trace", "SELECT nothing FROM trace", "SELECT 1; SELECT 2"):
        with pytest.raises(DnncError, match="a SELECT of SQLite was expected"):
            exports.query(trace, wrong)


def test_csv_has_a_line_for_each_instruction(trace):
    rows = list(csv.DictReader(io.StringIO(exports.as_csv(trace))))
    assert len(rows) == len(trace)
    assert [int(r["end"]) for r in rows] == trace["end"].tolist()


def test_wave_viewers_read_the_dump(trace):
    vcd = pytest.importorskip("vcd.reader", reason="pyvcd is not installed")
    busy, since, now = {}, {}, 0
    names = {}
    for token in vcd.tokenize(io.BytesIO(exports.as_vcd(trace).encode())):
        if token.kind is vcd.TokenKind.VAR:
            names[token.var.id_code] = token.var.reference
        elif token.kind is vcd.TokenKind.CHANGE_TIME:
            now = token.time_change
        elif token.kind is vcd.TokenKind.CHANGE_SCALAR:
            key, value = token.scalar_change.id_code, token.scalar_change.value
            if key in since:
                busy[key] = busy.get(key, 0) + now - since.pop(key)
            if value == "1":
                since[key] = now
    assert sorted(set(names.values())) == ["busy", "instruction", "layer", "stack"]
    for engine in range(5):
        mine = trace["engine"] == engine
        assert busy.get(f"b{engine}", 0) == (trace["end"] - trace["start"])[mine].sum() * 2000


def test_a_comparison_adds_up(trace):
    rows = exports.compare(trace, what_if(trace, {"dma": 2}))
    assert rows[-1]["layer"] == "(all)" and rows[-1]["cycles_change"] < 0
    assert rows[-1]["cycles_before"] == trace.cycles == sum(r["cycles_before"] for r in rows[:-1])
    assert rows[-1]["bytes_before"] == sum(r["bytes_before"] for r in rows[:-1])


def test_the_page_holds_every_instruction_and_asks_for_nothing(trace):
    text = page(trace)
    data = json.loads(text.partition('id="rows">')[2].partition("</script>")[0])
    assert data["end"] == trace["end"].tolist()
    assert "src=" not in text and "@import" not in text and text.count("http") == text.count("http://www.w3.org")
