"""Values that stay on chip: the interpreter's bits, the bytes of the report, programs that verify, in any memories."""

from dataclasses import replace

import numpy as np
import pytest
from xdsl.dialects.builtin import UnitAttr

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.executed import executed
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn.activation import ReluOp, TanhOp
from dnnc.ir.dnn.attributes import Ints, Window
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.dnn.integer import QAddOp, QAvgPoolOp, QMulOp, QSoftmaxOp, softmax_type
from dnnc.ir.dnn.movement import ReshapeOp, TransposeOp
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.fixed import exp_table
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.sched import CopyOp, buffer_of
from dnnc.ir.types import I32, shape_of, tensor
from dnnc.passes.analysis.keeping import ON_CHIP
from dnnc.passes.analysis.stacks import STEPS
from dnnc.passes.analysis.traffic import copy_bytes, traffic
from dnnc.passes.fuse_layers import FuseLayersPass, fuse
from dnnc.passes.keep_on_chip import KeepOnChipPass
from dnnc.passes.schedule.units import groups_of, is_stack

TINY = load_target("tiny")

SHARED = ("v w s p", "vw s p", "vs w p", "v ws p", "vws p", "vp w s", "vw sp", "vwsp")
"""Memories that hold values, weights, sums and parameters, apart or together."""


def sharing(text, sizes):
    """`tiny` with memories that hold what the words of a text name."""
    roles = {"v": ("input", "output"), "w": ("weight",), "s": ("accumulator",), "p": ("parameter",)}
    kinds = dict(zip("vwsp", sizes))
    memories = [
        replace(
            TINY.memory[0],
            name=word,
            bytes=sum(kinds[c] for c in word),
            holds=tuple(role for c in word for role in roles[c]),
        )
        for word in text.split()
    ]
    return replace(TINY, memory=tuple(memories))


LARGE = sharing("vw s p", (1 << 20, 1 << 16, 1 << 15, 1 << 13))


def softmax(net):
    """A softmax over the last axis."""
    shape, element = shape_of(net.v.type), net.v.type.element_type
    table = exp_table(float(element.scale), shape[-1], 256).astype(np.int32)
    exp = net.const(table, tensor(I32, (256,)))
    return net.apply(lambda v: QSoftmaxOp(v, exp, axis=-1, to=softmax_type(net.storage)))


def random_net(nets, seed):
    """Convolutions, perhaps a sum with an earlier value, then matrix products, perhaps a softmax or a transpose."""
    rng = np.random.default_rng(seed)
    pick = lambda low, high: int(rng.integers(low, high))  # noqa: E731
    net = nets.Net((pick(1, 3), pick(1, 6), pick(6, 16), pick(6, 16)), seed)
    for _ in range(pick(1, 3)):
        net.conv(pick(2, 20), 3, pick(1, 3), pad=1, relu=[None, ReluOp][pick(0, 2)])
    before = net.v
    n, c, h, w = shape_of(before.type)
    net.conv(c, 3, pad=1, groups=c if rng.random() < 0.5 else 1)
    match pick(0, 5):
        case 0:
            net.apply(lambda v: QAddOp(v, before, to=net.quant(1.3, 2)))
        case 1:
            net.conv(pick(2, 9), 1).lookup()
        case 2:
            net.apply(lambda v: QMulOp(v, net.values((c, 1, 1)), to=net.quant(1.1, 1)))
        case 3:
            net.apply(lambda v: QAvgPoolOp(v, window=Window.of((2, 2), (1, 1), (1, 0, 0, 1)), to=net.quant(1.1, 0)))
        case 4 if min(h, w) > 2:
            net.pool((2, 2), (2, 2))
    if rng.random() < 0.6:
        net.flatten()
    else:
        n, c, h, w = shape_of(net.v.type)
        net.apply(lambda v: ReshapeOp(v, shape=(n, c, h * w)))
        if rng.random() < 0.3:
            net.apply(lambda v: TransposeOp(v, perm=(0, 2, 1)))
    for _ in range(pick(1, 4)):
        net.fc(pick(2, 40), rng.random() < 0.5, [None, ReluOp, TanhOp][pick(0, 3)])
    if rng.random() < 0.4:
        softmax(net).fc(5)
    return net.done()


def scheduled(nets, module, ctx, arch, keep=True):
    """The module tiled and placed, with its values on chip or without."""
    module = module.clone()
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(arch)
    if keep:
        KeepOnChipPass().apply(ctx, module)
        module.verify()
    return nets.schedule(module, ctx, arch)


def cycles(program, arch):
    """Cycles of a program, data left out."""
    return Simulator(program, arch, timing_only=True).run().cycles


def handed_over(module):
    """Bytes moved of values between layers."""
    copies = (op for op in main_function(module).walk() if isinstance(op, CopyOp))
    sides = ((buffer_of(op.source if op.loads else op.target).space.data, copy_bytes(op)) for op in copies)
    return sum(n for space, n in sides if space == "arena")


def check(nets, module, ctx, arch, seeds=(None,)):
    """Run a network with values on chip: its bits, bytes and program; the scheduled module."""
    shape = shape_of(main_function(module).body.block.args[0].type)
    x = np.random.default_rng(1).normal(0, 1.5, shape).astype(np.float32)
    wanted = evaluate(module, [x], nets.store_of(ctx))
    placed = scheduled(nets, module, ctx, arch)
    program = assemble(placed, ctx)
    assert verify(program, arch) == []
    moved = traffic(placed).read + traffic(placed).write
    assert moved == sum(e.dram_read + e.dram_write for e in executed(program, arch))
    for seed in seeds:
        outputs, run = Executable(program, arch).run([x], seed=seed)
        assert all(np.array_equal(a, b) for a, b in zip(outputs, wanted))
        assert run.total["dram_read"] + run.total["dram_write"] == moved
    return placed


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(s, marks=pytest.mark.full) for s in range(8, 40))])
def test_values_between_layers_stay_where_there_is_room(nets, seed):
    module, ctx = random_net(nets, seed)
    placed = check(nets, module, ctx, LARGE, (None, 1, 2))
    if not any(isinstance(op, TransposeOp) for op in module.walk()):
        assert handed_over(placed) == 0


@pytest.mark.parametrize("text", SHARED)
@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.full) for s in range(1, 4))])
def test_memories_apart_and_together(nets, text, seed):
    module, ctx = random_net(nets, seed + 50)
    rng = np.random.default_rng(seed)
    try:
        arch = sharing(text, rng.integers((1200, 1500, 2048, 1200), (6000, 5000, 5000, 2200)).tolist())
        alone = traffic(scheduled(nets, module, ctx, arch, keep=False))
    except UnsupportedError:
        arch = sharing(text, (1 << 14,) * 4)
        alone = traffic(scheduled(nets, module, ctx, arch, keep=False))
    found = traffic(check(nets, module, ctx, arch))
    assert found.read + found.write <= alone.read + alone.write


@pytest.mark.parametrize("name", ["tpu-v1", "eyeriss", "u55-128"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.full) for s in range(1, 4))])
def test_targets(nets, name, seed):
    module, ctx = random_net(nets, seed + 90)
    placed = check(nets, module, ctx, load_target(name), (None, 1, 2))
    if not any(isinstance(op, TransposeOp) for op in module.walk()):
        assert handed_over(placed) == 0


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(s, marks=pytest.mark.full) for s in range(2, 8))])
def test_stacks_read_and_make_values_that_stay(nets, seed):
    """Stacks of two layers, whose ends stay on chip."""
    module, ctx = random_net(nets, seed + 120)
    arch = sharing("vw s p", (20000, 10000, 4096, 4096))
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(arch)
    FuseLayersPass(layers=2).apply(ctx, module)
    check(nets, module, ctx, arch)


@pytest.mark.parametrize("scratchpad, apart", [(1 << 18, True), (3500, False)])
def test_a_stack_runs_layer_by_layer_where_what_it_hands_on_may_stay(nets, scratchpad, apart):
    """Two convolutions in steps of one row: slow, but the only way where 16 x 16 x 16 values are too many to stay."""
    module, ctx = nets.Net((1, 3, 16, 16)).conv(16, 3, pad=1).conv(4, 3, pad=1).done()
    arch = sharing("v w s p", (scratchpad // 2, 1 << 13, 1 << 14, 1 << 12))
    fuse([op for op in main_function(module).body.block.ops if isinstance(op, GroupOp)])
    stack = next(op for op in main_function(module).body.block.ops if isinstance(op, GroupOp))
    stack.attributes[STEPS] = Ints((1, 16, 1))
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(arch)
    as_stack = cycles(assemble(scheduled(nets, module, ctx, arch, keep=False), ctx), arch)
    KeepOnChipPass().apply(ctx, module)
    assert any(is_stack(op) for op in groups_of(module)) == (not apart)
    placed = check(nets, module, ctx, arch, (None, 1))
    assert handed_over(placed) == 0 and (cycles(assemble(placed, ctx), arch) < as_stack) == apart


@pytest.mark.parametrize("itself", ["product", "sum"])
def test_a_value_that_one_layer_reads_twice(nets, itself):
    """Both sides of a product come from DRAM, both of a sum stay on chip."""
    net = nets.Net((3, 8, 20)).fc(8)
    if itself == "product":
        net.apply(lambda v: MatmulOp(v, v, None)).finish(net.v, None, None, "q31_half_even")
    else:
        net.apply(lambda v: QAddOp(v, v, to=net.quant(1.3, 2)))
    placed = check(nets, *net.fc(5).done(), LARGE, (None, 1))
    assert (handed_over(placed) > 0) == (itself == "product")


def test_nothing_stays_where_outputs_have_a_memory_of_their_own(nets):
    module, ctx = random_net(nets, 3)
    module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(nets.small())
    KeepOnChipPass().apply(ctx, module)
    assert not any(ON_CHIP in op.attributes for op in module.walk())


def test_a_mark_that_cannot_be_kept_is_an_error(nets):
    module, ctx = nets.Net((1, 2, 6, 6)).conv(4, 3).done()
    group = next(op for op in module.walk() if isinstance(op, GroupOp))
    group.attributes[ON_CHIP] = UnitAttr()
    with pytest.raises(UnsupportedError, match="only the accelerator reads"):
        nets.schedule(module, ctx, LARGE)
