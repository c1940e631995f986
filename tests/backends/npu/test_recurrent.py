"""LSTM, GRU and RNN in integers on the accelerator: simulator bits equal the interpreter's, bytes equal the schedule's."""

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.traffic import traffic
from tests.recurrent_nets import CASES, programs, samples

STEPS = 5
DIRECTIONS = [("LSTM", ', direction="reverse"'), ("GRU", ', direction="reverse"')]


@pytest.fixture(scope="module")
def built():
    """Each network once, with inputs and the interpreter's outputs."""
    made = {}

    def get(operator, attributes):
        if (operator, attributes) not in made:
            *_, module, ctx = programs(operator, STEPS, attributes)
            x = samples(STEPS, 1, seed=4)[0]
            made[operator, attributes] = module, ctx, x, evaluate(module, x, store_of(ctx))
        return made[operator, attributes]

    return get


@pytest.mark.parametrize("operator, attributes", CASES + DIRECTIONS)
@pytest.mark.parametrize("target", ["edge", "tiny", "u55-128", "eyeriss", "diannao"])
def test_bits_and_bytes(nets, built, operator, attributes, target):
    module, ctx, x, expected = built(operator, attributes)
    arch = load_target(target)
    scheduled = nets.schedule(module, ctx, arch)
    program = assemble(scheduled, ctx)
    assert not verify(program, arch)
    for seed in (None, 1, 2):
        outputs, run = Executable(program, arch).run(x, seed=seed)
        for got, want in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(got, want)
    moved = traffic(scheduled)
    assert (moved.read, moved.write) == (run.total["dram_read"], run.total["dram_write"])
