"""LSTM, GRU and RNN in integers on the accelerator: simulator bits equal the interpreter's, bytes equal the schedule's."""

import numpy as np
import pytest

from dnnc.backends.npu.agreement import Agreement
from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.interpret import evaluate
from dnnc.ir.sched import LoopOp
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.traffic import traffic
from dnnc.passes.plan_memory import PlanMemoryPass
from dnnc.passes.tile import TilePass
from tests.recurrent_nets import CASES, IN, UNITS, programs, samples

STEPS = 5
DIRECTIONS = [(o, f', direction="{d}"') for d in ("reverse", "bidirectional") for o in ("LSTM", "GRU")]


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
@pytest.mark.parametrize(
    "target", ["edge", "u55-128", *(pytest.param(t, marks=pytest.mark.full) for t in ("tiny", "eyeriss", "diannao"))]
)
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


def scheduled(nets, operator, steps, arch, attributes=""):
    *_, module, ctx = programs(operator, steps, attributes)
    return nets.schedule(module, ctx, arch), module, ctx


@pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN"])
def test_constants_come_once(nets, operator):
    """Ten steps load what five do, and five more slices."""
    five, ten = (traffic(scheduled(nets, operator, n, load_target("edge"))[0]) for n in (5, 10))
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator] * UNITS
    slices, inputs, stacked = 2 * gates * 2, 2 * IN, 2 * UNITS * 2
    assert ten.read - five.read == 5 * (slices + inputs)
    assert ten.write - five.write == 5 * (slices + stacked)


def with_memory(name, **sizes):
    arch = load_target(name)
    return arch.resized(sizes)


FULL = {
    "tables come each step": with_memory("edge", parameter=2200),
    "weights come each step": with_memory("eyeriss", filters=200),
    "sums in parts": with_memory("edge", accumulator=512),
    "one step after the other": with_memory("edge", scratchpad=256),
}


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("operator", ["LSTM", "GRU"])
def test_small_memories(nets, name, operator):
    placed, module, ctx = scheduled(nets, operator, 3, FULL[name])
    loops = [op for op in placed.walk() if isinstance(op, LoopOp) and op.index.name_hint == "t"]
    assert bool(loops) == (name != "one step after the other")
    program = assemble(placed, ctx)
    assert not verify(program, FULL[name])
    x = samples(3, 1, seed=4)[0]
    outputs, run = Executable(program, FULL[name]).run(x, seed=3)
    for got, want in zip(outputs, evaluate(module, x, store_of(ctx)), strict=True):
        np.testing.assert_array_equal(got, want)
    moved = traffic(placed)
    assert (moved.read, moved.write) == (run.total["dram_read"], run.total["dram_write"])


@pytest.mark.parametrize("target", ["edge", "diannao"])
def test_every_store_is_the_interpreters(nets, target):
    """Tiles are compared as they are stored, those of a loop's steps too."""
    *_, module, ctx = programs("GRU", 4, ', direction="reverse"')
    tiled = module.clone()
    tiled.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(load_target(target))
    holdings = TilePass().schedule(ctx, tiled)
    PlanMemoryPass().apply(ctx, tiled)
    x = samples(4, 1, seed=4)[0]
    watch = Agreement(tiled, holdings, x, store_of(ctx))
    Executable(assemble(tiled, ctx), load_target(target)).run(x, watch=watch)
    assert watch.stores > 5
