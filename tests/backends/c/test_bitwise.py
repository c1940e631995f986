"""Binary and ternary contractions as C: every bit the interpreter's, with words of 64 bits and with single ones."""

from math import prod

import numpy as np
import pytest

from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.bitwise import BitConvOp, BitMatmulOp, PackOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.packed import IN_A_BYTE, PackedType, pack
from dnnc.ir.types import I8, QuantType, element_type, tensor

ONE = QuantType.per_tensor(I8, 1.0)
HALF = QuantType.per_tensor(I8, 0.5)


def values(rng, kind, shape):
    return rng.choice([-1, 1] if kind == "binary" else [-1, 0, 1], shape).astype(np.int8)


def operands(net, rng, kind, x, w, scales=None):
    """Packed x, an input, and packed w, a constant; channels are dimension 1 of both."""
    xs, ws = values(rng, kind, x), values(rng, kind, w)
    element = ONE if scales is None else QuantType.per_channel(I8, scales, 0)
    a = net.input(pack(xs, kind, 1), PackedType.of(kind, HALF))
    return a, net.const(pack(ws, kind, 1), PackedType.of(kind, element)), (xs, ws)


TAILS = {
    "": lambda net, rng, v, m: (),
    "requantize": lambda net, rng, v, m: (RequantizeOp(v, to=QuantType.per_tensor(I8, 1.7, 3)),),
    "sign": lambda net, rng, v, m: (
        ThresholdOp(v, levels(net, rng, m, 1), to=ONE, first=-1, step=2, axis=1 if m else -1),
    ),
    "levels": lambda net, rng, v, m: (ThresholdOp(v, levels(net, rng, m, 6), to=ONE, first=-3),),
    "unsigned": lambda net, rng, v, m: (
        ThresholdOp(v, levels(net, rng, 1, 200), to=QuantType.per_tensor(element_type(np.uint8), 1.0)),
    ),
}


def levels(net, rng, channels, count):
    return net.const(rng.integers(-30, 30, (channels, count)).astype(np.int32))


def bias(net, rng, channels):
    return net.const(rng.integers(-20, 20, channels).astype(np.int32))


CONVS = {
    "1x1": ((1, 64, 7, 9), (12, 64, 1, 1), {}),
    "3x3": ((1, 72, 9, 8), (7, 72, 3, 3), {}),
    "3x3, padded": ((2, 128, 11, 13), (37, 128, 3, 3), {"pad": (1, 1, 1, 1)}),
    "few channels, padded on one side": ((1, 8, 6, 6), (5, 8, 3, 2), {"pad": (2, 0, 0, 1)}),
    "strided": ((1, 80, 12, 15), (9, 80, 3, 3), {"stride": (2, 3), "pad": (1, 0, 1, 1)}),
    "dilated": ((1, 16, 12, 12), (6, 16, 3, 3), {"dilation": (2, 3), "pad": (2, 3, 2, 3)}),
    "in groups": ((2, 48, 5, 6), (8, 24, 3, 3), {"groups": 2, "pad": (1, 1, 1, 1)}),
    "of a line": ((2, 16, 40), (6, 16, 5), {"pad": (2, 2)}),
    "wide": ((1, 8, 3, 130), (3, 8, 3, 3), {"pad": (1, 1, 1, 1)}),
}


@pytest.mark.parametrize("kind", IN_A_BYTE)
def test_convolutions(net, rng, kind):
    for name, (x, w, options) in CONVS.items():
        options = dict(options)
        groups = options.pop("groups", 1)
        window = Window.of(w[2:], **options)
        for i, (tail, ops) in enumerate(TAILS.items()):
            a, b, _ = operands(net, rng, kind, x, w, rng.uniform(0.1, 1, w[0]) if i % 2 else None)
            conv = BitConvOp(a, b, bias(net, rng, w[0]) if i % 3 else None, window=window, groups=groups)
            net.output(f"{name} {tail}", net.group(conv, *ops(net, rng, conv.result, w[0])))
    net.check()


@pytest.mark.parametrize("kind", IN_A_BYTE)
def test_matrix_products(net, rng, kind):
    for rows, inner, columns in ((1, 784, 64), (5, 64, 10), (3, 72, 33)):
        for i, (tail, ops) in enumerate(TAILS.items()):
            a, b, _ = operands(net, rng, kind, (rows, inner), (columns, inner))
            product = BitMatmulOp(a, b, bias(net, rng, columns) if i % 2 else None)
            net.output(f"{rows}x{inner} {tail}", net.group(product, *ops(net, rng, product.result, columns)))
    net.check()


def test_packing(net, rng):
    for kind in IN_A_BYTE:
        for shape, axis in (((2, 16, 5, 7), 1), ((3, 64), 1), ((1, 8, 40), 1), ((2, 3, 24), 2)):
            x = net.input(values(rng, kind, shape), ONE)
            net.output(f"{kind} {shape}", net.add(PackOp(x, to=PackedType.of(kind, ONE), axis=axis)))
    net.check()


def test_thresholds_after_other_contractions(net, rng):
    x = net.input(rng.integers(-128, 128, (2, 5, 9, 8)).astype(np.int8), ONE)
    w = net.const(rng.integers(-127, 128, (6, 5, 3, 3)).astype(np.int8), ONE)
    for window in (Window.of((3, 3), pad=(1, 1, 1, 1)), Window.of((3, 3), stride=(2, 2))):
        conv = ConvOp(x, w, bias(net, rng, 6), window=window)
        t = net.const(rng.integers(-9000, 9000, (6, 5)).astype(np.int32))
        net.output(f"conv {window.stride}", net.group(conv, ThresholdOp(conv.result, t, to=ONE, first=-3)))
    m = MatmulOp(net.input(rng.integers(-128, 128, (3, 20)).astype(np.int8), ONE),
                 net.const(rng.integers(-127, 128, (20, 6)).astype(np.int8), ONE))  # fmt: skip
    t = net.const(rng.integers(-9000, 9000, (6, 5)).astype(np.int32))
    net.output("matmul", net.group(m, ThresholdOp(m.result, t, to=ONE, first=-3)))
    net.check()


@pytest.mark.parametrize("kind", IN_A_BYTE)
def test_the_integers_are_those_of_the_plain_contraction(rng, kind, plain):
    x, w = values(rng, kind, (2, 16, 7, 6)), values(rng, kind, (6, 8, 3, 3))
    window = Window.of((3, 3), stride=(2, 1), pad=(1, 0, 1, 1))
    op = plain(BitConvOp, *((pack(v, kind, 1), PackedType.of(kind, ONE)) for v in (x, w)), window=window, groups=2)
    want = plain(ConvOp, (x, ONE), (w, ONE), window=window, groups=2)
    np.testing.assert_array_equal(op, want)
    assert prod(want.shape) > 100


@pytest.fixture
def plain():
    """What an operation makes of arrays with an element type each."""
    from xdsl.ir import Block

    def run(kind, *given, **params):
        block = Block(arg_types=[tensor(element, array.shape) for array, element in given])
        op = kind(*block.args, **params)
        return op.evaluate(*(array for array, _ in given), None)

    return run
