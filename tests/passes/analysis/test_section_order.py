"""The order of a schedule's layers: the model counts what the plan counts, on networks wired at random and of the zoo."""

import numpy as np
import pytest

import dnnc
from dnnc.backends.npu.catalog import load_target
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.integer import QAddOp
from dnnc.ir.dnn.movement import ConcatOp
from dnnc.ir.sched import BufferOp
from dnnc.passes.analysis.allocation import lower_bound
from dnnc.passes.analysis.in_place import in_place
from dnnc.passes.analysis.liveness import lifetimes
from dnnc.passes.analysis.ordering import least_peak, peak
from dnnc.passes.analysis.section_order import program
from dnnc.passes.analysis.spaces import wanted
from dnnc.passes.analysis.traffic import traffic
from dnnc.passes.order import OrderPass, arena_bytes
from dnnc.passes.tile import TilePass
from dnnc.zoo import ZOO
from tests.backends.npu import nets


def wired(seed, nodes=8):
    """Convolutions of random width, each of a sum or a concatenation of two earlier values; all that is left is summed."""
    rng = np.random.default_rng(seed)
    net = nets.Net((1, 4, 12, 12), seed)
    values = [net.conv(8, 3, pad=1, relu=ReluOp).v]
    unread = {0}
    for _ in range(nodes):
        a, b = (int(i) for i in rng.choice(len(values), 2))
        net.v = values[a]
        if a != b and rng.random() < 0.7:
            net.apply(lambda v, b=b: QAddOp(v, values[b], to=net.quant(1.3, 2)))
        elif a != b:
            # one concatenation takes values of one type
            net.apply(lambda v, b=b: QAddOp(v, v, to=values[b].type.element_type))
            net.apply(lambda v, b=b: ConcatOp([v, values[b]], axis=1))
        unread -= {a, b}
        unread.add(len(values))
        kernel = int(rng.integers(0, 2)) * 2 + 1
        values.append(net.conv(8, kernel, pad=kernel // 2, relu=ReluOp).v)
    net.v = values[unread.pop()]
    for i in sorted(unread):
        net.apply(lambda v, i=i: QAddOp(v, values[i], to=net.quant(1.3, 2)))
    return net.done()


def tiled(module, ctx, target):
    out = module.clone()
    out.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(target)
    TilePass().apply(ctx, out)
    return out


def bound(module):
    """Most bytes of the arena alive at once, as the plan counts them."""
    buffers = [b for b in module.walk() if isinstance(b, BufferOp) and b.space.data == "arena"]
    return lower_bound(wanted(buffers, lifetimes(module), False, in_place(module)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("small", (False, True))
def test_the_model_is_the_plan_and_another_order_is_never_worse(seed, small):
    module, ctx = wired(seed)
    made = tiled(module, ctx, nets.small() if small else load_target("edge"))
    tasks = program(made)
    found = least_peak(tasks)
    assert peak(tasks, range(len(tasks.tasks))) == bound(made)
    before, moved = arena_bytes(made), traffic(made)
    OrderPass().apply(ctx, made)
    made.verify()
    assert arena_bytes(made) <= before
    assert traffic(made) == moved
    after = program(made)
    assert peak(after, range(len(after.tasks))) == bound(made)
    assert found.optimal
    assert bound(made) == found.peak or arena_bytes(made) == before


@pytest.mark.parametrize(
    "name",
    ("lenet5", "resnet8", "ds_cnn", *(pytest.param(n, marks=pytest.mark.full) for n in ("googlenet", "resnet50"))),
)
def test_the_model_is_the_plan_on_the_zoo(name):
    graph = ZOO[name](0)
    shape = [d.dim_value for d in graph.graph.input[0].type.tensor_type.shape.dim]
    samples = [np.random.default_rng(0).normal(0, 1, (2 * shape[0], *shape[1:])).astype(np.float32)]
    made = dnnc.compile(dnnc.load(graph), emit="ir", pipeline="int8,fuse-layers,tile", calibrate=samples)
    tasks = program(made.network.module)
    assert peak(tasks, range(len(tasks.tasks))) == bound(made.network.module)
