"""The layers of a program replayed in time only: every count that of the whole simulator and of the schedule."""

import numpy as np
import pytest

from dnnc.backends.npu.catalog import bundled, load_target
from dnnc.backends.npu.cost import CHIP_COLUMNS
from dnnc.backends.npu.executed import by_layer, executed
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.report import schedule_report
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.movement import TransposeOp
from dnnc.passes.analysis.traffic import Traffic, traffic_by_layer

TWO = Window.of((2, 2), (2, 2))


def moved(nets):
    """A transpose between two layers, so that a move is a layer of its own."""
    net = nets.Net((1, 6, 9, 11)).conv(8, 3)
    net.v = net.add(TransposeOp(net.v, perm=(0, 1, 3, 2)))
    return net.conv(5, 3, pad=1).done()


NETWORKS = {
    "lenet": lambda n: n.lenet(),
    "move": moved,
    "depthwise, pool": lambda n: n.Net((1, 20, 14, 10)).conv(20, 3, groups=20, pad=1, relu=ReluOp, pool=TWO).done(),
    "a pool that steps over the last rows": lambda n: n.Net((1, 3, 9, 11)).conv(5, 3, pad=1, pool=TWO).done(),
    "matrices": lambda n: n.Net((9, 70)).fc(33).fc(11).done(),
    "batch": lambda n: n.Net((3, 4, 8, 8)).conv(6, 3, pad=1, pool=TWO).done(),
}


@pytest.mark.parametrize("target", [*bundled(), "small"])
@pytest.mark.parametrize("name", NETWORKS)
def test_counts_are_those_of_the_whole_run_and_of_the_schedule(nets, name, target):
    module, ctx = NETWORKS[name](nets)
    arch = nets.small() if target == "small" else load_target(target)
    scheduled = nets.schedule(module, ctx, arch)
    program = assemble(scheduled, ctx)
    shapes = [t.get_shape() for t in Executable(program, arch).input_types()]
    x = [np.random.default_rng(3).normal(0, 1.5, s).astype(np.float32) for s in shapes]
    _, run = Executable(program, arch).run(x)
    layers = executed(program, arch)
    assert layers == by_layer(program, run)
    assert sum(e.cycles for e in layers) == run.cycles
    assert sum(e.instructions for e in layers) == len(run.trace)
    assert sum(e.macs for e in layers) == run.total["macs"]
    on_chip = sum(run.total[c] for c in CHIP_COLUMNS)
    assert sum(e.chip_read + e.chip_write for e in layers) == on_chip
    again = [line.recomputed for line in schedule_report(layers, arch, scheduled).rows]
    assert min(again) >= 0 and (name == "depthwise, pool" or max(again) == 0)
    counted = {e.layer: Traffic(e.dram_read, e.dram_write) for e in layers if e.dram_read + e.dram_write}
    assert counted == {layer: t.traffic for layer, t in traffic_by_layer(scheduled).items()}
