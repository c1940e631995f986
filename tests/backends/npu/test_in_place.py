"""Buffers written over others: the interpreter's bits in every order of the queues, and planted bugs that `verify` names."""

import re

import numpy as np
import pytest

from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.attributes import Int
from dnnc.ir.dnn.integer import QAddOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.sched import BufferOp
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.order import OrderPass
from dnnc.passes.plan_memory import PlanMemoryPass
from dnnc.passes.tile import TilePass


def residual(nets, blocks=2):
    """Blocks of two convolutions each, the second with a sum of what the first read."""
    net = nets.Net((1, 3, 24, 24), 1)
    net.conv(16, 3, pad=1, relu=ReluOp)
    for _ in range(blocks):
        short = net.v
        net.conv(16, 3, pad=1, relu=ReluOp).conv(16, 3, pad=1)
        net.apply(lambda v, short=short: QAddOp(v, short, to=net.quant(1.4, 1)))
    return net.conv(4, 1).done()


def summed(nets):
    """A sum that no convolution takes into its group, over the operand that dies there."""
    net = nets.Net((1, 3, 24, 24), 2)
    first = net.conv(16, 3, pad=1).v
    second = net.conv(16, 3, pad=1).v
    net.apply(lambda v: QAddOp(v, first, to=net.quant(1.4, 1))).conv(16, 3, pad=1)
    net.apply(lambda v: QAddOp(v, second, to=net.quant(1.4, 1)))
    return net.conv(4, 1).done()


def late(nets):
    """A value that the next layer reads, and one long after."""
    net = nets.Net((1, 3, 24, 24), 3)
    first = net.conv(16, 3, pad=1).v
    net.conv(16, 1).conv(16, 3, pad=1).conv(16, 3, pad=1)
    net.apply(lambda v: QAddOp(v, first, to=net.quant(1.4, 1)))
    return net.conv(4, 1).done()


def planned(module, ctx, target):
    out = module.clone()
    out.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(target)
    for one in (TilePass(), OrderPass(), PlanMemoryPass()):
        one.apply(ctx, out)
        out.verify()
    return out


def buffers(module):
    return {b.label.data: b for b in module.walk() if isinstance(b, BufferOp) and b.space.data == "arena"}


def arena(module):
    return max(b.offset.data + buffer_bytes(b) for b in buffers(module).values())


def drawn(module):
    shape = shape_of(main_function(module).body.block.args[0].type)
    return np.random.default_rng(0).normal(0, 1.5, shape).astype(np.float32)


@pytest.mark.parametrize(
    "build, over", ((residual, {"layer4": "layer2", "layer2": "layer0"}), (summed, {"layer": "layer0"}))
)
def test_bits_in_three_orders(nets, build, over):
    module, ctx = build(nets)
    target = nets.small()
    placed = planned(module, ctx, target)
    found = {name: b.below.label.data for name, b in buffers(placed).items() if b.below is not None}
    assert over.items() <= found.items()
    program = assemble(placed, ctx)
    assert verify(program, target) == []
    x = drawn(module)
    wanted = evaluate(module, [x], nets.store_of(ctx))
    for seed in (None, 1, 2, 3):
        outputs, _ = Executable(program, target).run([x], seed=seed)
        for got, want in zip(outputs, wanted, strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_residual_network_keeps_two_tensors_at_once(nets):
    module, ctx = residual(nets)
    placed = planned(module, ctx, nets.small())
    # %x and what the first convolution makes, which the second overwrites with %x on top of it
    assert arena(placed) == 2 * 16 * 24 * 24


def planted(nets, made, read, told, build=residual):
    """What is found in a program one buffer of which lies over another that it must not, whether the tokens know or not."""
    module, ctx = build(nets)
    placed = planned(module, ctx, nets.small())
    at = buffers(placed)
    for one in at.values():
        one.operands = []
    at[made].offset = Int(at[read].offset.data)
    if told:
        at[made].lie_over(at[read])
    with pytest.raises(DnncError) as refused:
        assemble(placed, ctx)
    return [str(f) for f in refused.value.findings]


def test_in_place_with_halo_is_a_race(nets):
    """The second convolution reads rows above and below those it makes."""
    found = planted(nets, "layer1", "layer0", True)
    assert all(re.match(r"instruction \d+, tag layer1 tile .* share bytes .* \[E0823\]", f) for f in found)


def test_in_place_with_halo_in_order_is_a_wrong_load(nets):
    """Tokens make each load wait for what was stored over it."""
    found = planted(nets, "layer1", "layer0", False)
    assert re.match(
        r"instruction \d+, tag layer1 tile n0 g0 z\d+ s\d+: 'layer0' was expected in .* hold 'layer1'", found[0]
    )
    assert "[E0842]" in found[0]


def test_in_place_while_another_reads_is_found_and_named(nets):
    """Two layers further on somebody reads what a convolution of one tap has been stored over, tile by tile."""
    found = planted(nets, "layer1", "layer0", True, late)
    pattern = r"instruction \d+, tag layer3 tile .*'layer0' was expected in .* hold 'layer1'.* \[E0842\]"
    assert found
    assert all(re.match(pattern, f) for f in found)
