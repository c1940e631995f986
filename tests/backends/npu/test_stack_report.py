"""The report of layers that run together: what they would move alone and as one, what stays on chip, what is computed twice."""

import pytest
from xdsl.dialects.builtin import UnitAttr

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.executed import executed
from dnnc.backends.npu.target import assemble
from dnnc.backends.report import schedule_report
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.dnn.attributes import Ints
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.interpret import main_function
from dnnc.passes.analysis.keeping import ON_CHIP
from dnnc.passes.analysis.stacks import STEPS
from dnnc.passes.schedule.units import into_group

TINY = load_target("tiny")
ARCH = TINY.resized({"scratchpad": 1 << 16})
MACS = (6 * 3 * 9 * 10 * 8, 4 * 6 * 9 * 8 * 6, 5 * 4 * 8 * 6)
CONSTANTS = (6 * 3 * 9 + 6 * 9, 4 * 6 * 9 + 4 * 9)
"""Weights and records of nine bytes."""
INPUT, HANDED, OUTPUT = 3 * 12 * 10, 6 * 10 * 8, 4 * 8 * 6


def reported(nets, sizes, kept=False):
    """Two layers as a stack in steps of the given rows and columns, whose result may be kept, and one by itself."""
    module, ctx = nets.Net((1, 3, 12, 10)).conv(6, 3).conv(4, 3).conv(5, 1).done()
    into_group([op for op in main_function(module).body.block.ops if isinstance(op, GroupOp)][:2])
    stack = next(op for op in main_function(module).body.block.ops if isinstance(op, GroupOp))
    stack.attributes[STEPS] = Ints(sizes)
    if kept:
        stack.attributes[ON_CHIP] = UnitAttr()
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(ARCH)
    scheduled = nets.schedule(module, ctx, ARCH)
    return schedule_report(executed(assemble(scheduled, ctx), ARCH), ARCH, scheduled)


@pytest.mark.parametrize(("sizes", "halo"), [([2, 6, 1], 0), ([2, 6, 0], 3 * 2 * 8 * 6 * 3 * 9)])
def test_figures_of_a_stack_are_those_of_its_tensors(nets, sizes, halo):
    report = reported(nets, sizes)
    (stack,), rows = report.to_dict()["stacks"], report.to_dict()["layers"]
    assert [r["stack"] for r in rows] == [1, 1, None]
    assert [r["macs"] - r["recomputed_macs"] for r in rows] == list(MACS)
    assert [r["recomputed_macs"] for r in rows] == [
        halo,
        0,
        0,
    ]  # two rows of the first layer, again in three steps of four
    assert [r["kept_bytes"] for r in rows] == [HANDED, 0, None]
    assert rows[0]["least_bytes"] == INPUT + CONSTANTS[0] + HANDED
    assert rows[1]["least_bytes"] == HANDED + CONSTANTS[1] + OUTPUT
    assert stack["layers"] == "layer0, layer1" and stack["recomputed_macs"] == halo
    assert stack["least_alone_bytes"] == rows[0]["least_bytes"] + rows[1]["least_bytes"]
    assert stack["least_bytes"] == INPUT + sum(CONSTANTS) + OUTPUT <= stack["dram_bytes"]
    assert stack["kept_bytes"] == HANDED
    totals = report.totals
    assert totals["fused_least_bytes"] == stack["least_bytes"] + rows[2]["least_bytes"]
    assert totals["least_bytes"] == stack["least_alone_bytes"] + rows[2]["least_bytes"]
    assert totals["over_least"] < 1 <= totals["over_fused_least"]


@pytest.mark.parametrize("rolls", [0, 1])
def test_what_stays_on_chip_between_a_stack_and_a_layer_does_not_move(nets, rolls):
    report = reported(nets, [2, 6, rolls], kept=True)
    (stack,), rows, totals = report.to_dict()["stacks"], report.to_dict()["layers"], report.totals
    assert [r["kept_bytes"] for r in rows] == [HANDED, OUTPUT, None]
    assert stack["least_bytes"] == INPUT + sum(CONSTANTS)
    last = rows[2]["least_bytes"] - OUTPUT
    assert rows[2]["dram_read"] + rows[2]["dram_write"] == last
    assert totals["fused_least_bytes"] == stack["least_bytes"] + last


def test_forms_show_stacks(nets, golden):
    report = reported(nets, [2, 6, 0])
    golden.check("tiles.txt", report.text())
    assert "layers that run depth-first together" in report._repr_html_()
