"""Convolutions and pools in independent blocks: the interpreter's bits on the simulator, alone and depth-first without halo."""

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.executed import executed
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.dnn.activation import ReluOp, TanhOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.integer import QAddOp
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.depth_first import chosen, cut_of
from dnnc.passes.analysis.stacks import stack_of, unit_of
from dnnc.passes.analysis.traffic import traffic
from dnnc.passes.fuse_layers import FuseLayersPass, fuse
from dnnc.passes.keep_on_chip import KeepOnChipPass
from dnnc.passes.plan_memory import PlanMemoryPass
from dnnc.passes.tile import TilePass

TINY = load_target("tiny")


def target(scratchpad, accumulator=8192):
    sizes = {"scratchpad": scratchpad, "accumulator": accumulator, "parameter": 4096}
    return TINY.resized(sizes)


def agrees(nets, module, ctx, arch):
    """Run a network; the bytes it moved."""
    shape = shape_of(main_function(module).body.block.args[0].type)
    x = np.random.default_rng(1).normal(0, 1.5, shape).astype(np.float32)
    wanted = evaluate(module, [x], nets.store_of(ctx))
    scheduled = nets.schedule(module, ctx, arch)
    program = assemble(scheduled, ctx)
    assert verify(program, arch) == []
    outputs, run = Executable(program, arch).run([x])
    assert all(np.array_equal(a, b) for a, b in zip(outputs, wanted))
    moved = run.total["dram_read"] + run.total["dram_write"]
    assert moved == traffic(scheduled).read + traffic(scheduled).write
    return moved


def same(size, kernel, stride, dilation=1):
    """Pads that keep the size of every axis, more of them behind."""
    total = [max((-(-n // stride) - 1) * stride + (kernel - 1) * dilation + 1 - n, 0) for n in size]
    return [*(t // 2 for t in total), *(t - t // 2 for t in total)]


def random_net(nets, seed):
    """Convolutions of many forms in blocks, pools of many forms in blocks."""
    rng = np.random.default_rng(seed)
    pick = lambda low, high: int(rng.integers(low, high))  # noqa: E731
    net = nets.Net((pick(1, 3), pick(1, 9), pick(9, 24), pick(9, 24)), seed)
    for _ in range(pick(1, 4)):
        shape = shape_of(net.v.type)
        channels = shape[1]
        if min(shape[2:]) < 5:
            break
        k, stride, dilation = pick(2, 5), pick(1, 3), 1 + (pick(0, 4) == 0)
        groups, m = [(1, pick(1, 20)), (channels, channels), (1, pick(1, 20))][pick(0, 3)]
        pad, made = same(shape[2:], k, stride, dilation), [-(-n // stride) for n in shape[2:]]
        size, step = pick(2, 4), pick(1, 3)
        pads = same(made, size, step)
        pool = Window.of((size, size), (step, step), pads, block=(pick(1, 6), pick(1, 6)))
        net.conv(
            m, k, stride, pad, dilation, groups, [None, ReluOp, TanhOp][pick(0, 3)],
            pool if rng.random() < 0.5 else None, block=(pick(1, 9), pick(1, 9)),
        )  # fmt: skip
    return net.done()


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(s, marks=pytest.mark.full) for s in range(8, 40))])
def test_random_blocks_layer_by_layer(nets, seed):
    agrees(nets, *random_net(nets, seed), target(1 << 14))


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(s, marks=pytest.mark.full) for s in range(8, 40))])
def test_random_blocks_depth_first(nets, seed):
    module, ctx = random_net(nets, seed)
    arch, rng = target(1 << 16), np.random.default_rng(seed)
    groups = [op for op in main_function(module).body.block.ops if isinstance(op, GroupOp)]
    stack, _ = stack_of([unit_of(g) for g in groups])
    height, width = stack.output.size
    cut = cut_of(stack, int(rng.integers(1, height + 1)), int(rng.integers(1, width + 1)), rng.random() < 0.4)
    plan = chosen(cut, arch) if cut else None
    if plan is not None:
        fuse(groups, cut)
    moved = agrees(nets, module, ctx, arch)
    assert plan is None or moved == plan.dram_bytes


@pytest.mark.parametrize("seed", [4, 6, *(pytest.param(s, marks=pytest.mark.full) for s in range(7, 40))])
def test_random_blocks_beside_values_on_chip(nets, seed):
    module, ctx = random_net(nets, seed)
    arch = target(6144, accumulator=1024)
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(arch)
    KeepOnChipPass().apply(ctx, module)
    agrees(nets, module, ctx, arch)


def chain(nets, block):
    """Two 3x3 convolutions, a pool, another two and a sum with the first of them, in blocks that nest."""
    half = tuple(b // 2 for b in block)
    net = nets.Net((1, 3, 32, 32), 3)
    pool = Window.of((2, 2), (2, 2))
    net.conv(8, 3, pad=1, relu=ReluOp, block=block).conv(8, 3, pad=1, relu=ReluOp, pool=pool, block=block)
    before = net.conv(8, 3, pad=1, relu=ReluOp, block=half).v
    net.conv(8, 3, pad=1, groups=8, relu=ReluOp, block=half).conv(8, 3, pad=1, block=half)
    net.apply(lambda v: QAddOp(v, before, to=net.quant(1.3, 2)))
    return net.done()


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (4, 8), (8, 16), (3, 5), (16, 4)])
def test_steps_of_whole_blocks_have_no_halo(nets, rows, columns):
    module, ctx = chain(nets, (8, 16))
    groups = [op for op in main_function(module).body.block.ops if isinstance(op, GroupOp)]
    stack, _ = stack_of([unit_of(g) for g in groups])
    cut = cut_of(stack, rows, columns, False)
    plan = chosen(cut, target(1 << 16))
    assert plan is not None
    loaded = next(t for t, info in enumerate(stack.tensors) if info.loaded)
    assert (cut.moved(loaded) == 3 * 32 * 32) == (rows % 4 == 0 and columns % 8 == 0)
    fuse(groups, cut)
    assert agrees(nets, module, ctx, target(1 << 16)) == plan.dram_bytes


VGG = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


@pytest.mark.full
@pytest.mark.parametrize(
    ("kilobytes", "megabytes", "cycles"), [(256, 34.2, 70), (512, 23.7, 66), (1024, 17.7, 66), (2400, 15.73, 66)]
)
def test_vgg_in_blocks_of_28_moves_little(nets, kilobytes, megabytes, cycles):
    net = nets.Net((1, 3, 224, 224))
    for stage, channels in enumerate(VGG):
        for i, m in enumerate(channels):
            pool = Window.of((2, 2), (2, 2)) if i + 1 == len(channels) else None
            net.conv(m, 3, pad=1, relu=ReluOp, pool=pool, block=(28, 28) if stage < 3 else ())
    module, ctx = net.done()
    edge = load_target("edge")
    sizes = {"scratchpad": kilobytes << 10}
    arch = edge.resized(sizes)
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(arch)
    FuseLayersPass().apply(ctx, module)
    TilePass().apply(ctx, module)
    PlanMemoryPass().apply(ctx, module)
    layers = executed(assemble(module, ctx), arch)
    assert sum(e.dram_read + e.dram_write for e in layers) <= megabytes * 1e6
    assert sum(e.cycles for e in layers) <= cycles * 1e6
