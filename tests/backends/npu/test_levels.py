"""Where the cycles went by stack, layer, step, tile and instruction: every level of a run adds up to the run."""

import json
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dnnc.backends.npu import exports
from dnnc.backends.npu import trace as traces
from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.levels import LEVELS, layer_named
from dnnc.backends.npu.listing import listing, program
from dnnc.backends.npu.path import by_level, critical_path
from dnnc.backends.npu.perfetto import as_perfetto
from dnnc.backends.npu.replay import what_if
from dnnc.backends.npu.target import assemble
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.dnn.attributes import Ints
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.interpret import main_function
from dnnc.passes.analysis.stacks import STEPS
from dnnc.passes.schedule.units import into_group

TINY = load_target("tiny")
ARCH = TINY.resized({"scratchpad": 1 << 16})
STEPS_OF_STACK = 6  # the first two fill the buffers between the layers


@pytest.fixture(scope="module")
def built(nets):
    """Two layers that roll through steps of two rows, and one by itself."""
    module, ctx = nets.Net((1, 3, 12, 10)).conv(6, 3).conv(4, 3).conv(5, 1).done()
    first = [op for op in main_function(module).body.block.ops if isinstance(op, GroupOp)][:2]
    into_group(first)
    stack = next(op for op in main_function(module).body.block.ops if isinstance(op, GroupOp))
    stack.attributes[STEPS] = Ints([2, 6, 1])
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(ARCH)
    return assemble(nets.schedule(module, ctx, ARCH), ctx)


@pytest.fixture(scope="module")
def trace(built):
    return Simulator(built, ARCH, timing_only=True).run().trace


def test_tags_say_the_stack_and_the_step(built, trace):
    assert {(t.layer, t.stack) for t in built.tags} == {
        ("layer0", 1),
        ("layer1", 1),
        ("layer2", None),
        ("program", None),
    }
    assert {t.step for t in built.tags if t.stack} == {None, *range(STEPS_OF_STACK)}
    assert all(t.step is None for t in built.tags if not t.stack)
    assert trace.stacks() == {1: "layer0, layer1"}
    ends = [r["end"] for r in trace.summary("step") if r["step"] is not None]
    assert len(ends) == STEPS_OF_STACK and ends == sorted(ends)


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_adds_up(trace, level):
    rows, path = trace.summary(level), critical_path(trace)
    for column in ("bytes", "macs", "saturated"):
        assert sum(r[column] for r in rows) == trace[column].sum()
    assert sum(r["instructions"] for r in rows) == len(trace)
    assert sum(r["cycles"] for r in by_level(trace, path, level)) == trace.cycles
    assert sum(r["cycles"] for r in by_level(trace, path, "instruction")) == trace.cycles


def test_a_slice_of_a_stack_is_its_layers(trace):
    assert {r["layer"] for r in trace.slice(stack=1).rows()} == {"layer0", "layer1"}
    with pytest.raises(DnncError, match=r"stacks 1 \(layer0, layer1\) was expected, not 2"):
        trace.slice(stack=2)


def test_files_and_text_keep_stacks(built, trace, tmp_path):
    trace.save(tmp_path / "t.trace")
    assert traces.load(tmp_path / "t.trace").tags == trace.tags
    text = listing(built)
    assert "\n; layer1 tile n0 g0 z0 s0 of stack 1 step 2" in text
    assert program(text, ARCH, built).to_bytes() == built.to_bytes()


@pytest.mark.parametrize("factor", [2, 0.5])
def test_more_bandwidth_is_what_a_target_with_it_brings(built, trace, factor):
    other = replace(ARCH, dma=replace(ARCH.dma, bytes_per_cycle=int(ARCH.dma.bytes_per_cycle * factor)))
    there = Simulator(replace(built, digest=other.digest), other, timing_only=True).run().trace
    again = what_if(trace, {"dma": factor})
    assert again.cycles != trace.cycles
    for name in traces.COLUMNS:
        np.testing.assert_array_equal(again[name], there[name])


def test_queries_and_comparisons_know_stacks(trace):
    found = exports.query(
        trace, "SELECT stack, count(DISTINCT step) AS n FROM trace WHERE stack NOT NULL GROUP BY stack"
    )
    assert found == [{"stack": 1, "n": STEPS_OF_STACK}]
    rows = exports.compare(trace, trace, "stack")
    assert [r["layers"] for r in rows] == ["layer0, layer1", "layer2", "(all)"]
    assert "stack 1" in trace.svg()


def test_events_are_as_the_trace_event_format_says(trace):
    """The rules of the format that its readers rely on: nothing is dropped or misplaced silently."""
    whole = json.loads(json.dumps(as_perfetto(trace), allow_nan=False))
    assert set(whole) <= {"traceEvents", "displayTimeUnit", "otherData"} and whole["displayTimeUnit"] in ("ms", "ns")
    lanes, arrows, spans = defaultdict(list), defaultdict(list), defaultdict(list)
    for e in whole["traceEvents"]:
        assert isinstance(e["name"], str) and e["pid"] == 1 and e["tid"] >= 1
        match e["ph"]:
            case "M":
                assert e["name"] in ("process_name", "thread_name", "thread_sort_index") and len(e["args"]) == 1
            case "X":
                assert e["dur"] >= 0 and e["cat"] in ("alone", "stack 1") and e["args"]["layer"].startswith("layer")
                lanes[e["tid"]].append((e["ts"], round(e["ts"] + e["dur"], 3)))
            case "s" | "f":
                assert e["ph"] == "s" or e["bp"] == "e"
                arrows[e["cat"], e["id"]].append((e["ph"], e["tid"], e["ts"]))
            case "b" | "e":
                spans[e["cat"], e["id2"]["local"]].append((e["ph"], e["ts"]))
            case other:
                raise AssertionError(f"no event of this kind was expected: {other}")
    assert sum(map(len, lanes.values())) == len(trace)
    for lane in lanes.values():
        assert all(a[1] <= b[0] for a, b in pairwise(lane))
    assert len(arrows) == sum(bin(s).count("1") for s in trace["signal"].tolist())
    for (gives, p, leaves), (takes, q, comes) in arrows.values():
        assert (gives, takes) == ("s", "f") and p != q and leaves <= comes
        assert any(a <= leaves <= b for a, b in lanes[p]) and any(a == comes for a, _ in lanes[q])
    for (first, a), (last, b) in spans.values():
        assert (first, last) == ("b", "e") and a <= b
    assert {cat for cat, _ in spans} == {"stack", "layer"}
    part = as_perfetto(trace.slice(stack=1))
    assert not any(e["ph"] in "sf" for e in part["traceEvents"])


def test_times_of_odd_clocks_do_not_overlap(trace):
    odd = replace(trace, clock_mhz=701)
    events = [e for e in as_perfetto(odd)["traceEvents"] if e["ph"] == "X"]
    ends = np.zeros(8)
    for e in events:
        assert round(e["ts"] * 1000) >= ends[e["tid"]]
        ends[e["tid"]] = round((e["ts"] + e["dur"]) * 1000)


def test_a_layer_is_found_by_the_name_that_tables_cut_short():
    layers = ["model/block_1/conv", "model/block_12/conv", "model/block_2/conv"]
    assert layer_named("model/block_1/conv", layers, "trace", "E0827") == layers[0]
    assert layer_named("...block_2/c...", layers, "trace", "E0827") == layers[2]
    for wrong in ("model/...", "block_1", "model/block_3/conv"):
        with pytest.raises(DnncError, match=r"one of 3 layers.*Did you mean .*model/block_1/conv"):
            layer_named(wrong, layers, "trace", "E0827")
    with pytest.raises(DnncError, match=r"They are layer0, .*, layer7 and 92 more\."):
        layer_named("conv", [f"layer{i}" for i in range(100)], "trace", "E0827")
