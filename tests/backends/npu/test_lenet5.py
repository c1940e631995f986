"""The trained LeNet-5 through the whole compiler: bits, digits, bytes, cycles, on both bundled targets."""

from pathlib import Path

import numpy as np
import pytest

import dnnc
from dnnc.backends.npu import trace
from dnnc.backends.npu.catalog import bundled, load_target
from dnnc.backends.npu.target import Executable
from dnnc.passes.analysis.traffic import traffic

MODELS = Path(__file__).parents[2] / "models"
DIGITS = np.load(MODELS / "digits_test.npz")
CALIBRATION = MODELS / "digits_calibration.npz"


@pytest.fixture(scope="module")
def integer():
    """The quantized network as IR."""
    return dnnc.compile(MODELS / "lenet5.onnx", emit="ir", pipeline="int8", calibrate=CALIBRATION)


@pytest.mark.parametrize("target", bundled())
def test_simulator_equals_interpreter_on_digits(integer, target):
    program = dnnc.compile(integer.network, target, pipeline="tile,plan-memory")
    right = 0
    for x, label in zip(DIGITS["x"][:20], DIGITS["labels"]):
        (got,), (want,) = program.run(x[None]), integer.run(x[None])
        np.testing.assert_array_equal(got, want)
        right += int(got.argmax()) == label
    assert right >= 19


@pytest.mark.parametrize("target", bundled())
def test_report_and_simulator_count_the_same(integer, target, tmp_path):
    program = dnnc.compile(integer.network, target, pipeline="tile,plan-memory")
    _, run = Executable(program.npu, load_target(target)).run([DIGITS["x"][:1]])
    moved = traffic(program.network.module)
    assert (run.total["dram_read"], run.total["dram_write"]) == (moved.read, moved.write)
    assert run.total["macs"] == 2_293_000
    run.trace.save(tmp_path / "lenet.trace")
    layers = [row["layer"] for row in trace.load(tmp_path / "lenet.trace").summary()]
    assert [name for name in layers if name != "program"] == ["conv1", "conv2", "ip1", "ip2"]


def test_without_arithmetic_the_cycles_are_the_same(integer):
    program = dnnc.compile(integer.network, pipeline="tile,plan-memory").npu
    _, full = Executable(program).run([DIGITS["x"][:1]])
    _, timed = Executable(program).run([], timing_only=True)
    assert timed.cycles == full.cycles
    assert timed.outputs == {}
