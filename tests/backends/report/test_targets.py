"""An int8 LeNet-5 on every target: its golden report, and what the simulator counts: MACs equal, no least undercut."""

from pathlib import Path

import pytest

from dnnc.backends.npu.catalog import bundled, load_target
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.report import report
from dnnc.frontend.onnx.importer import import_onnx
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.context import make_context
from dnnc.passes import pipeline

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def lenet():
    ctx = make_context()
    module = import_onnx(MODELS / "lenet5.onnx", ctx)
    pipeline.run(pipeline.parse(f'calibrate{{data="{MODELS / "digits_calibration.npz"}"}},int8'), module, ctx)
    return module, ctx


@pytest.mark.parametrize("target", bundled())
def test_bounds_hold_on_the_simulator(lenet, target):
    module, ctx = lenet
    arch = load_target(target)
    rep = report(module, ctx, arch, "lenet5")
    scheduled = module.clone()
    scheduled.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(arch)
    pipeline.run(pipeline.parse("tile,plan-memory"), scheduled, ctx)
    _, run = Executable(assemble(scheduled, ctx), arch).run([], timing_only=True)
    simulated = [layer for layer in run.trace.summary() if layer["macs"]]
    counted = [r for r in rep.rows if r.roof]
    assert len(simulated) == len(counted) == 4
    for row, layer in zip(counted, simulated):
        least = row.roof
        assert row.layer.macs == layer["macs"]
        assert row.layer.traffic.total <= layer["bytes"]
        assert least.dram_bytes(row.layer) <= layer["bytes"]
        assert least.compute_cycles(row.layer) <= layer["busy_mm"]
        assert least.memory_cycles(row.layer) <= layer["busy_ld"] + layer["busy_st"]
    assert rep.totals["network_cycles"] <= run.trace.cycles
    assert rep.totals["network_bytes"] <= sum(layer["bytes"] for layer in simulated)


def test_host_layers_have_no_figures_of_the_target(lenet):
    module, ctx = lenet
    data = report(module, ctx, load_target("edge"), "lenet5").to_dict()
    host = [row for row in data["layers"] if row["place"] == "host"]
    assert [row["kind"] for row in host] == ["quantize", "dequantize"]
    assert all(row[key] is None for row in host for key in ("dram_bytes", "roofline", "bound", "cycles"))
    assert data["notes"] == ["2 of the layers run on the host: least DRAM, cycles and time leave them out."]
    on_target = [row for row in data["layers"] if row["place"] is None]
    assert data["totals"]["cycles"] == sum(row["cycles"] for row in on_target)
    # 28x28 pixels in, 431,080 parameters with 580 biases of 4 bytes, 10 logits out
    assert data["totals"]["network_bytes"] == 784 + 430_500 + 4 * 580 + 10


@pytest.mark.parametrize("target", bundled())
def test_golden(lenet, target, golden):
    module, ctx = lenet
    golden.check(f"lenet5-{target}.txt", report(module, ctx, load_target(target), "lenet5").text())
