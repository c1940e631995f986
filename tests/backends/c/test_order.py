"""The order of functions: what it predicts is what the arena needs, and results stay."""

import random

import numpy as np
import pytest

from dnnc.backends.c.order import least, program, reordered
from dnnc.backends.c.select import kernels_of
from dnnc.backends.c.storage import assign, share
from dnnc.backends.c.units import graph_of
from dnnc.ir.dnn.activation import ReluOp, SigmoidOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.composite import SoftmaxOp
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.dnn.elementwise import AddOp
from dnnc.ir.dnn.movement import ConcatOp, ReshapeOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.passes.analysis.allocation import lower_bound
from dnnc.passes.analysis.ordering import peak


def wired(net, seed, nodes=9):
    """Values made of one to three earlier ones: sums in place, windows, concatenations, views and groups."""
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    made = [net.input(numbers.standard_normal((1, 2, 6, 6), np.float32))]
    for _ in range(nodes):
        taken = rng.sample(made[-5:], min(len(made), rng.randint(1, 3)))
        value = taken[0]
        for other in taken[1:]:
            value = net.add(AddOp(value, other))
        made.append(KINDS[rng.choice(list(KINDS))](net, numbers, value))
    read = {v for op in net.block.ops for v in op.operands}
    for i, value in enumerate(v for v in made if v not in read):
        net.output(f"y{i}", net.add(SoftmaxOp(value, axis=1)))
    return net


def conv(net, numbers, value, channels=2):
    return ConvOp(
        value,
        net.const(0.3 * numbers.standard_normal((2, channels, 3, 3), np.float32)),
        window=Window.of((3, 3), pad=(1,) * 4),
    )


def grouped(net, numbers, value):
    """A convolution and a pool, two functions."""
    one = conv(net, numbers, value)
    return net.group(one, MaxPoolOp(one.result, window=Window.of((3, 3), pad=(1,) * 4)))


def joined(net, numbers, value):
    parts = [net.add(SigmoidOp(value)), net.add(conv(net, numbers, value))]
    return net.add(conv(net, numbers, net.add(ConcatOp(parts, axis=1)), 4))


def viewed(net, numbers, value):
    flat = net.add(ReluOp(net.add(ReshapeOp(value, shape=(2, 36)))))
    return net.add(ReshapeOp(flat, shape=(1, 2, 6, 6)))


KINDS = {
    "pointwise": lambda net, numbers, value: net.add(SigmoidOp(value)),
    "window": lambda net, numbers, value: net.add(conv(net, numbers, value)),
    "group": grouped,
    "concatenation": joined,
    "view": viewed,
}


def alive(graph):
    """(functions, most bytes of the arena alive at once)."""
    sharing = share(graph)
    kernels = kernels_of(graph, sharing.views, sharing.slabs, lambda value: None)
    return kernels, lower_bound(assign(graph, sharing, kernels, 64).buffers)


@pytest.mark.parametrize("seed", range(12))
def test_the_peak_foretold_is_that_of_the_arena(net, seed):
    graph = graph_of(wired(net, seed).module())
    kernels, given = alive(graph)
    assert peak(program(graph, kernels), range(len(graph.units))) == given
    found = least(graph, kernels)
    assert found is not None and found.optimal and alive(reordered(graph, found.order))[1] == found.peak <= given


def test_a_better_order_lowers_the_arena_and_keeps_the_results(net):
    _, given = alive(graph_of(wired(net, 0, 14).module()))
    made = net.check()
    assert made.orders is not None
    assert made.arena.lower_bound == made.orders.given == made.orders.best.peak < given


def test_the_order_of_the_network_stays_when_none_is_better(net, rng):
    x = net.input(rng.standard_normal((1, 2, 6, 6), np.float32))
    branches = [net.add(SigmoidOp(x)), net.add(ReluOp(x))]
    net.output("y", net.add(SoftmaxOp(net.add(AddOp(*branches)), axis=1)))
    made = net.emit()
    assert made.orders is not None
    assert made.orders.best.order == (0, 1, 2, 3)
