"""Weights in a code: the same bits, fewer bytes, and what the report says is what the simulator moves."""

from dataclasses import replace

import numpy as np
import pytest

import dnnc
from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.iss import MachineFault, Simulator
from dnnc.backends.npu.target import Executable
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import CopyOp
from dnnc.passes.analysis.tiling import ALIGN
from dnnc.passes.analysis.traffic import traffic
from dnnc.zoo import ZOO

TARGET = "u55-128"


@pytest.fixture(scope="module")
def lenet5():
    """(the int8 network, its input)."""
    x = np.random.default_rng(0).normal(0, 1, (1, 1, 28, 28)).astype(np.float32)
    return dnnc.compile(dnnc.load(ZOO["lenet5"](0)), calibrate=[x]).graph, x


def compiled(graph, pipeline):
    return dnnc.compile(graph, target=TARGET, pipeline=pipeline)


def test_bits_stay_and_bytes_become_fewer(lenet5):
    graph, x = lenet5
    plain, coded = (compiled(graph, f"tile,{p}plan-memory").npu for p in ("", "encode-weights,"))
    runs = [Executable(p, load_target(TARGET)).run([x]) for p in (plain, coded)]
    for (got,), _ in runs:
        np.testing.assert_array_equal(got, graph.run(x)[0])
    moved = [int(run.trace["bytes"].sum()) for _, run in runs]
    assert moved[1] < moved[0] and len(coded.weights) < len(plain.weights)
    # every weight is loaded once; regions are filled up to whole blocks of the alignment
    assert abs(moved[0] - moved[1] - len(plain.weights) + len(coded.weights)) < ALIGN * 5
    assert moved[1] == sum(vars(traffic(compiled(graph, "tile,encode-weights,plan-memory").network.module)).values())


def test_every_block_makes_its_tile(lenet5):
    network = compiled(lenet5[0], "tile,encode-weights,plan-memory").network
    copies = [op for op in main_function(network.module).walk() if isinstance(op, CopyOp) and op.coded is not None]
    assert copies
    for copy in copies:
        assert copy.decoder.data == "rice" and sum(copy.coded.data.sizes) < np.prod(copy.coded.data.shape)


def test_a_target_without_the_decoder_gets_plain_weights(lenet5):
    module = dnnc.compile(lenet5[0], target="edge", pipeline="tile,encode-weights,plan-memory").network.module
    assert not any(isinstance(op, CopyOp) and op.coded for op in main_function(module).walk())


def test_a_broken_block_is_a_fault_of_the_machine_with_its_layer(lenet5):
    program = compiled(lenet5[0], "tile,encode-weights,plan-memory").npu
    broken = replace(program, weights=bytes(len(program.weights)))
    simulator = Simulator(broken)
    with pytest.raises(MachineFault, match=r"instruction \d+, tag \S+ .*a Rice block of \d+ values was expected"):
        simulator.run({s.name: np.zeros(s.shape, s.dtype) for s in program.symbols if s.direction == "input"})
