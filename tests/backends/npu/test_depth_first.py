"""Stacks of layers that run depth-first: the interpreter's bits, the bytes of their plan, programs that verify."""

from dataclasses import replace

import numpy as np
import pytest

from dnnc.backends.npu.catalog import bundled, load_target
from dnnc.backends.npu.executed import by_layer, executed
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.dnn.activation import ReluOp, TanhOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.integer import QAddOp
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.sched import CopyOp, buffer_of
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.cuts import cut_of
from dnnc.passes.analysis.depth_first import planned, runs_stacks
from dnnc.passes.analysis.stacks import stack_of, unit_of
from dnnc.passes.analysis.traffic import Traffic, copy_bytes, traffic, traffic_by_layer
from dnnc.passes.fuse_layers import FuseLayersPass, fuse
from dnnc.passes.plan_memory import PlanMemoryPass
from dnnc.passes.schedule.units import is_stack
from dnnc.passes.tile import TilePass

TINY = load_target("tiny")


def target(scratchpad, accumulators=8192, parameters=4096):
    sizes = {"scratchpad": scratchpad, "accumulator": accumulators, "parameter": parameters}
    return TINY.resized(sizes)


def fused(module, sizes, arch):
    """(plan, input values' bytes) of all groups as one stack in steps of the given rows and columns."""
    groups = [op for op in main_function(module).body.block.ops if isinstance(op, GroupOp)]
    stack, _ = stack_of([unit_of(g) for g in groups])
    plan = planned(stack, arch, tuple(map(int, sizes))) if cut_of(stack, *sizes) else None
    if plan is not None:
        fuse(groups, plan.cut)
        module.verify()
    return plan


def check(nets, module, ctx, sizes, arch, seeds=(None,)):
    """Run a stack in given steps: its bits, bytes and program; whether it fits at all."""
    plan = fused(module, sizes, arch)
    if plan is None:
        return False
    shape = shape_of(main_function(module).body.block.args[0].type)
    x = np.random.default_rng(1).normal(0, 1.5, shape).astype(np.float32)
    wanted = evaluate(module, [x], nets.store_of(ctx))
    scheduled = nets.schedule(module, ctx, arch)
    program = assemble(scheduled, ctx)
    assert verify(program, arch) == []
    for seed in seeds:
        outputs, run = Executable(program, arch).run([x], seed=seed)
        assert all(np.array_equal(a, b) for a, b in zip(outputs, wanted))
        moved = run.total["dram_read"] + run.total["dram_write"]
        assert moved == plan.dram_bytes == traffic(scheduled).read + traffic(scheduled).write
        layers = {e.layer: Traffic(e.dram_read, e.dram_write) for e in by_layer(program, run)}
        assert all(t.traffic == layers[layer] for layer, t in traffic_by_layer(scheduled).items())
    return True


def random_stack(nets, seed):
    """Two to four convolutions, some with pools and tables, some deep, and rows x columns to cut their output into."""
    rng = np.random.default_rng(seed)
    pick = lambda low, high: int(rng.integers(low, high))  # noqa: E731
    net = nets.Net((pick(1, 3), pick(1, 9), pick(9, 24), pick(9, 24)), seed)
    for _ in range(pick(2, 5)):
        channels = shape_of(net.v.type)[1]
        if min(shape_of(net.v.type)[2:]) < 5:
            break
        k, size = pick(1, 4), pick(1, 3)
        groups, m = [(1, pick(1, 20)), (channels, channels), (1, pick(1, 20))][pick(0, 3)]
        pool = Window.of((size, size), (pick(1, 3),) * 2, rng.integers(0, size, 4).tolist(), ceil=rng.random() < 0.3)
        net.conv(
            m, k, pick(1, 3), rng.integers(0, k, 4).tolist(), groups=groups,
            relu=[None, ReluOp, TanhOp][pick(0, 3)], pool=pool if rng.random() < 0.4 else None,
        )  # fmt: skip
    height, width = shape_of(net.v.type)[2:]
    sizes = pick(1, height + 1), pick(1, width + 1), rng.random() < 0.6
    return *net.done(), sizes


def residual(nets, seed):
    """A convolution, then two of which the second adds the first one's result, perhaps a pool."""
    rng = np.random.default_rng(seed)
    pick = lambda low, high: int(rng.integers(low, high))  # noqa: E731
    m, k = pick(2, 18), 2 * pick(0, 2) + 1
    net = nets.Net((pick(1, 3), pick(1, 6), pick(8, 18), pick(8, 18)), seed)
    before = net.conv(m, 3, pick(1, 3), pad=pick(0, 2), relu=ReluOp).v
    net.conv(pick(1, 20), k, pad=k // 2, relu=ReluOp).conv(m, 3, pad=1)
    net.apply(lambda v: QAddOp(v, before, to=net.quant(1.3, 2)))
    net.conv(pick(2, 9), 3, pick(1, 3))
    height, width = shape_of(net.v.type)[2:]
    sizes = pick(1, height + 1), pick(1, width + 1), rng.random() < 0.6
    return *net.done(), sizes


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(s, marks=pytest.mark.full) for s in range(8, 20))])
def test_stacks_with_a_residual(nets, seed):
    module, ctx, sizes = residual(nets, seed)
    assert check(nets, module, ctx, sizes, target(1 << 16))


def test_what_two_layers_read_is_loaded_by_the_first(nets):
    net = nets.Net((1, 4, 9, 9))
    x = net.v
    net.conv(6, 1, relu=ReluOp).conv(4, 3, pad=1).apply(lambda v: QAddOp(v, x, to=net.quant(1.3, 2)))
    assert check(nets, *net.done(), (9, 9, False), TINY)


@pytest.mark.parametrize("columns", (16, 5))
def test_what_only_a_later_layer_reads_comes_when_it_runs(nets, columns):
    net = nets.Net((1, 3, 16, 16), 0)
    beside = net.conv(8, 3, pad=1, relu=ReluOp).v
    net.conv(16, 3, pad=1, relu=ReluOp).conv(4, 3, pad=1, relu=ReluOp).conv(8, 3, pad=1)
    net.apply(lambda v: QAddOp(v, beside, to=net.quant(1.3, 2)))
    module, ctx = net.done()
    last = [op for op in main_function(module).body.block.ops if isinstance(op, GroupOp)][2:]
    stack, _ = stack_of([unit_of(g) for g in last])
    assert stack.tensors[2].loaded and stack.alive[2] == (1, 1)
    fuse(last, cut_of(stack, 8, columns, False))
    x = np.random.default_rng(1).normal(0, 1.5, (1, 3, 16, 16)).astype(np.float32)
    wanted = evaluate(module, [x], nets.store_of(ctx))
    program = assemble(nets.schedule(module, ctx, TINY), ctx)
    assert verify(program, TINY) == []
    assert all(np.array_equal(a, b) for a, b in zip(Executable(program, TINY).run([x])[0], wanted))


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(s, marks=pytest.mark.full) for s in range(8, 40))])
def test_random_stacks(nets, seed):
    module, ctx, sizes = random_stack(nets, seed)
    assert check(nets, module, ctx, sizes, target(1 << 16), (None, 1, 2))


VGG = (
    (64, 0),
    (64, 1),
    (128, 0),
    (128, 1),
    *((256, 0),) * 2,
    (256, 1),
    *((512, 0),) * 2,
    (512, 1),
    *((512, 0),) * 2,
    (512, 1),
)


@pytest.fixture(scope="module")
def vgg(nets):
    """The convolutions of VGG-16, in int8."""
    net = nets.Net((1, 3, 224, 224))
    for channels, pooled in VGG:
        net.conv(channels, 3, pad=1, relu=ReluOp, pool=Window.of((2, 2), (2, 2)) if pooled else None)
    return net.done()


def scheduled(vgg, arch, **options):
    module, ctx = vgg[0].clone(), vgg[1]
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(arch)
    FuseLayersPass(**options).apply(ctx, module)
    TilePass(objective="traffic" if "features" in options else "cycles").apply(ctx, module)
    PlanMemoryPass().apply(ctx, module)
    return module, assemble(module, ctx)


def counted(program, arch):
    """(DRAM bytes, cycles) as the simulator counts them."""
    layers = executed(program, arch)
    return sum(e.dram_read + e.dram_write for e in layers), sum(e.cycles for e in layers)


def edge(scratchpad):
    edge = load_target("edge")
    return edge.resized({"scratchpad": scratchpad})


@pytest.mark.full
@pytest.mark.parametrize(
    ("kilobytes", "megabytes", "features"), [(256, 33.5, None), (512, 23, 6.6), (1024, 18, 1.6), (2400, 15.5, 0.6)]
)
def test_vgg_moves_little(vgg, kilobytes, megabytes, features):
    arch = edge(kilobytes << 10)
    module, program = scheduled(vgg, arch, slower=40, features=30)
    moved, _ = counted(program, arch)
    assert moved <= megabytes * 1e6
    spaces = dict.fromkeys(("weights", "parameters", "inputs", "arena", "outputs"), 0)
    for copy in (op for op in main_function(module).walk() if isinstance(op, CopyOp)):
        outside = buffer_of(copy.source if copy.loads else copy.target)
        spaces[outside.space.data] += copy_bytes(copy)
    assert sum(spaces.values()) == moved
    if features is not None:
        assert spaces["inputs"] + spaces["arena"] + spaces["outputs"] <= features * 1e6


@pytest.mark.full
def test_fused_by_default_is_neither_slower_nor_moves_more(vgg):
    arch = edge(256 << 10)
    alone, fused = (counted(scheduled(vgg, arch, **o)[1], arch) for o in ({"layers": 1}, {"layers": 16}))
    assert fused[0] < 0.8 * alone[0]
    assert fused[1] < alone[1]


SHARED = ("v w s p", "vw s p", "vs w p", "v ws p", "vws p", "vp w s", "v wp s", "v w sp", "vw sp", "vwsp")
"""Memories that hold values, weights, sums and parameters, apart or together."""


def sharing(text, sizes):
    """`tiny` with memories that hold what the words of a text name."""
    roles = {"v": ("input", "output"), "w": ("weight",), "s": ("accumulator",), "p": ("parameter",)}
    kinds = dict(zip("vwsp", sizes))
    first = TINY.memory[0]
    memories = [
        replace(
            first, name=word, bytes=sum(kinds[c] for c in word), holds=tuple(role for c in word for role in roles[c])
        )
        for word in text.split()
    ]
    return replace(TINY, memory=tuple(memories))


@pytest.mark.parametrize("text", SHARED)
@pytest.mark.parametrize("seed", [*range(1), *(pytest.param(s, marks=pytest.mark.full) for s in range(1, 4))])
def test_memories_apart_and_together(nets, text, seed):
    """Each memory bounds what lies in it: what a plan says fits is placed, and runs to the same bits."""
    rng = np.random.default_rng(seed)
    module, ctx, sizes = (random_stack, residual)[seed % 2](nets, seed + 40)
    small = sharing(text, rng.integers((1500, 1200, 2048, 700), (6000, 6000, 5000, 1600)).tolist())
    if not check(nets, module.clone(), ctx, sizes, small):
        assert check(nets, module, ctx, sizes, sharing(text, (1 << 16, 1 << 16, 1 << 14, 1 << 12)))


@pytest.mark.parametrize("name", ["eyeriss", "tpu-v1"])
@pytest.mark.parametrize("seed", [*range(1), *(pytest.param(s, marks=pytest.mark.full) for s in range(1, 6))])
def test_targets_with_memories_of_their_own_for_weights_or_sums(nets, name, seed):
    module, ctx, sizes = (random_stack, residual)[seed % 2](nets, seed + 60)
    assert check(nets, module, ctx, sizes, load_target(name), (None, 1, 2))


@pytest.mark.parametrize("name", bundled())
def test_stacks_run_where_outputs_lie_where_inputs_are_read(name):
    arch = load_target(name)
    assert runs_stacks(arch) == (name != "diannao")


def test_outputs_in_a_memory_of_their_own_are_handed_over_in_dram(nets):
    module, ctx, _ = residual(nets, 3)
    apart = sharing("v w s p", (1 << 16,) * 3 + (4096,))
    output = replace(apart.memory[0], name="out", holds=("output",))
    apart = replace(apart, memory=(*apart.memory[1:], output, replace(apart.memory[0], name="in", holds=("input",))))
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(apart)
    FuseLayersPass().apply(ctx, module)
    assert not any(is_stack(op) for op in module.walk() if isinstance(op, GroupOp))
