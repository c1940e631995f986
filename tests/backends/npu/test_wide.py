"""Values of 16 bits on the accelerator: simulator bits equal the interpreter's, bytes and cycles equal the schedule's."""

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.target import Executable, assemble
from dnnc.backends.npu.verify import verify
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.dnn.elementwise import MaxOp
from dnnc.ir.dnn.integer import (
    InterpolateOp,
    QAddOp,
    QAvgPoolOp,
    QMulOp,
    QNormalizeOp,
    QReduceMeanOp,
    QSoftmaxOp,
    QSubOp,
    TableOp,
    softmax_type,
)
from dnnc.ir.dnn.movement import ConcatOp, ExpandOp, PadOp, SliceOp, TransposeOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.fixed import exp_table
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import I8, I16, I32, I64, QuantType, element_type, shape_of, tensor
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.integer_constants import knots
from dnnc.passes.analysis.traffic import traffic

U16 = element_type(np.uint16)
Q12, Q15 = 2.0**-12, 2.0**-15
TWO = Window.of((2, 2), (2, 2))


def q(scale=Q12, zero=0, storage=I16):
    return QuantType.per_tensor(storage, scale, zero)


def widen(net, scale=Q12, zero=0, storage=I16):
    """The value in 16 bits."""
    return net.apply(lambda v: RequantizeOp(v, to=q(scale, zero, storage)))


def narrow(net, scale=0.02, zero=4):
    return net.apply(lambda v: RequantizeOp(v, to=q(scale, zero, net.storage)))


def constant(net, shape, scale=Q12, zero=0):
    values = net.rng.integers(-(2**15), 2**15, shape).astype(np.int16)
    return net.const(values, tensor(q(scale, zero), shape))


def between(net, f, to, count=513):
    """A function of a value of 16 bits by lines between knots."""
    x = net.v.type.element_type
    table = knots(f, x, to, count)
    at = net.const(table, tensor(to, table.shape))
    return net.apply(lambda v: InterpolateOp(v, at))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def product(net, m=12):
    """Sums of a matrix product in 16 bits."""
    w = net.values((m, shape_of(net.v.type)[-1]), scale=0.01, zero=0)
    return net.apply(lambda v: MatmulOp(v, w, None, trans_b=True)).apply(lambda v: RequantizeOp(v, to=q(2.0**-11, 3)))


def gates(net):
    """What an LSTM does: a product and what is added to it, slices, functions, products, a sum."""
    before = constant(net, (5, 16), 2.0**-11)
    product(net, 16).apply(lambda v: QAddOp(before, v, to=q()))
    parts, whole = [], net.v
    for i, f in enumerate((sigmoid, np.tanh, sigmoid, sigmoid)):
        net.v = net.add(SliceOp(whole, start=(0, 4 * i), size=(5, 4)))
        parts.append(between(net, f, q(Q15), 1025 if f is np.tanh else 513).v)
    update = net.add(QMulOp(parts[0], parts[1], to=q(Q15)))
    kept = net.add(QMulOp(parts[2], constant(net, (5, 4)), to=q()))
    net.v = net.add(QAddOp(update, kept, to=q()))
    between(net, np.tanh, q(Q15), 1025)
    net.v = net.add(QMulOp(net.v, parts[3], to=q(Q15)))
    return narrow(net, 0.008).fc(6)


def normalized(net):
    constants = [net.const(net.rng.integers(2**26, 2**27, (1, 20)).astype(np.int32), tensor(I32, (1, 20)))]
    constants.append(net.const(net.rng.integers(-(2**44), 2**44, (1, 20)).astype(np.int64), tensor(I64, (1, 20))))
    options = {"axes": (1,), "epsilon": 900, "shift": 42}
    return net.apply(lambda v: QNormalizeOp(v, *constants, to=q(2.0**-13), **options))


def softmax(net):
    table = exp_table(float(net.v.type.element_type.scale), 40, 256).astype(np.int32)
    exp = net.const(table, tensor(I32, (256,)))
    return net.apply(lambda v: QSoftmaxOp(v, exp, axis=1, to=softmax_type(I16)))


def lookup(net):
    entries = net.const(net.rng.integers(-(2**15), 2**15, 256).astype(np.int16), tensor(q(), (256,)))
    return net.apply(lambda v: TableOp(v, entries))


def parts(net, axis):
    """Slices exchanged and laid together again."""
    widen(net)
    n, c, h, w = shape_of(net.v.type)
    first = net.add(SliceOp(net.v, start=(0, 0, 0, 1), size=(n, c, h, w - 1)))
    second = net.add(SliceOp(net.v, start=(0, 0, 0, 0), size=(n, c, h, w - 1)))
    net.v = net.add(ConcatOp([second, first], axis=axis))
    return net


FORMS = {
    "gates": lambda n: gates(n((5, 20))),
    "product": lambda n: product(n((5, 20))),
    "requantize up and down": lambda n: narrow(widen(n((1, 4, 9, 8)), zero=-300)),
    "unsigned": lambda n: narrow(widen(n((1, 4, 9, 8)), zero=2**15, storage=U16)).conv(4, 3),
    "convolution": lambda n: widen(n((1, 4, 9, 8)).conv(6, 3, pool=TWO), zero=77),
    "sum": lambda n: (m := widen(n((1, 4, 9, 8)))).apply(lambda v: QAddOp(v, constant(m, (1, 4, 9, 8)), to=q())),
    "difference for each channel": lambda n: (m := widen(n((2, 4, 9, 8)), zero=9)).apply(
        lambda v: QSubOp(v, constant(m, (1, 4, 1, 1), 2.0**-14, -5), to=q(2.0**-11, 8))
    ),
    "bytes and 16 bits": lambda n: (m := n((1, 4, 9, 8))).apply(lambda v: QMulOp(v, constant(m, (4, 9, 8)), to=q())),
    "product with one number": lambda n: (m := widen(n((6, 20)))).apply(
        lambda v: QMulOp(v, constant(m, (1,), Q15), to=q(2.0**-13))
    ),
    "product with each column": lambda n: (m := product(n((7, 20)))).apply(
        lambda v: QMulOp(v, constant(m, (12,), Q15), to=q(2.0**-13))
    ),
    "maximum": lambda n: (m := widen(n((1, 4, 9, 8)))).apply(lambda v: MaxOp(v, constant(m, (1, 4, 9, 8)))),
    "function": lambda n: between(widen(n((1, 4, 9, 8))), np.tanh, q(Q15), 1025).pool((3, 3), (2, 2), (1, 1, 1, 1)),
    "function to bytes": lambda n: between(widen(n((1, 4, 9, 8))), sigmoid, q(1 / 255, -128, I8)).conv(4, 3),
    "function of unsigned": lambda n: between(widen(n((4, 9)), zero=2**15, storage=U16), np.tanh, q(Q15)),
    "function, then a requantize": lambda n: narrow(between(widen(n((4, 9))), sigmoid, q(Q15)), 0.004),
    "table of bytes": lambda n: lookup(n((1, 4, 9, 8))),
    "relu": lambda n: widen(n((1, 4, 9, 8)), zero=-41).apply(ReluOp),
    "relu of a product": lambda n: product(n((5, 20))).apply(ReluOp),
    "relu of a function": lambda n: between(widen(n((5, 20))), np.tanh, q(Q15)).apply(ReluOp),
    "maximum pool": lambda n: widen(n((1, 4, 9, 8)), zero=5).apply(lambda v: MaxPoolOp(v, window=TWO)),
    "average pool": lambda n: widen(n((1, 4, 9, 8)), zero=5).apply(lambda v: QAvgPoolOp(v, window=TWO, to=q(zero=-7))),
    "mean": lambda n: widen(n((1, 4, 9, 8))).apply(
        lambda v: QReduceMeanOp(v, axes=(2, 3), to=q(2.0**-14), keepdims=True)
    ),
    "softmax": lambda n: softmax(n((6, 40))),
    "layer norm": lambda n: normalized(n((7, 20))),
    "layer norm of 16 bits": lambda n: normalized(widen(n((7, 20)))),
    "transpose": lambda n: widen(n((1, 6, 9, 8))).apply(lambda v: TransposeOp(v, perm=(0, 2, 3, 1))),
    "slices and a concatenation": lambda n: narrow(parts(n((2, 3, 5, 6)), 1)),
    "concatenation of rows": lambda n: parts(n((2, 3, 5, 6)), 3),
    "pad": lambda n: widen(n((1, 3, 5, 6)), zero=-513).apply(
        lambda v: PadOp(v, before=(0, 0, 1, 0), after=(0, 0, 1, 2), value=-513.0)
    ),
    "expand": lambda n: widen(n((1, 3, 1, 5))).apply(lambda v: ExpandOp(v, shape=(2, 3, 4, 5))),
    "many tiles": lambda n: widen(n((1, 3, 70, 60))).apply(lambda v: TransposeOp(v, perm=(0, 1, 3, 2))).apply(ReluOp),
}


@pytest.fixture(scope="module")
def built(nets):
    """Each network once, with an input and the interpreter's outputs."""
    made = {}

    def get(name):
        if name not in made:
            module, ctx = FORMS[name](nets.Net).done()
            shape = shape_of(main_function(module).body.block.args[0].type)
            x = np.random.default_rng(3).normal(0, 1.5, shape).astype(np.float32)
            made[name] = module, ctx, x, evaluate(module, [x], store_of(ctx))
        return made[name]

    return get


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("target", ["edge", *(pytest.param(t, marks=pytest.mark.full) for t in ("small", "eyeriss"))])
def test_bits_and_bytes(nets, built, name, target):
    module, ctx, x, expected = built(name)
    arch = nets.small(2600) if target == "small" else load_target(target)
    scheduled = nets.schedule(module, ctx, arch)
    program = assemble(scheduled, ctx)
    assert not verify(program, arch)
    outputs, run = Executable(program, arch).run([x], seed=5)
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    assert len(np.unique(expected[0])) > 3
    moved = traffic(scheduled)
    assert (moved.read, moved.write) == (run.total["dram_read"], run.total["dram_write"])
