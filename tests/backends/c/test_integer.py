"""Quantized operations as C: every bit of every output is the interpreter's."""

import itertools

import numpy as np
import pytest

from dnnc.ir import fixed
from dnnc.ir.dnn.activation import ReluOp, SigmoidOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import ClipOp, MaxOp
from dnnc.ir.dnn.integer import (
    InterpolateOp,
    QAddOp,
    QAvgPoolOp,
    QMulOp,
    QNormalizeOp,
    QReduceMeanOp,
    QReduceSumOp,
    QSoftmaxOp,
    QSubOp,
    TableOp,
    softmax_type,
)
from dnnc.ir.dnn.movement import ConcatOp, PadOp, SliceOp, TransposeOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, RequantizeOp
from dnnc.ir.dnn.reduction import ArgMaxOp, MaxPoolOp
from dnnc.ir.fixed import Rounding
from dnnc.ir.types import I32, QuantType, dtype, element_names, integer_range

I8, U8, I16, U16 = (element_names()[n] for n in ("i8", "ui8", "i16", "ui16"))


def q(storage, scale, zero=0):
    return QuantType.per_tensor(storage, scale, zero)


def some(rng, type_, *shape):
    """Random values of a type, its extremes among them."""
    low, high = integer_range(type_.storage)
    low, high = max(low, -(2**20)), min(high, 2**20)
    x = rng.integers(low, high, shape, dtype=np.int64, endpoint=True)
    x.flat[: min(2, x.size)] = (low, high)[: min(2, x.size)]
    return x.astype(dtype(type_))


def value(net, rng, type_, *shape):
    return net.input(some(rng, type_, *shape), type_)


def weights(net, rng, axis, shape, per_channel=True, storage=I8, zeros=False):
    """Constant weights with a scale a channel, or one."""
    m, (low, high) = shape[axis], integer_range(storage)
    scales = rng.uniform(0.001, 0.02, m)
    zero = rng.integers(low // 2, high // 2, m) if zeros else [0] * m
    element = QuantType.per_channel(storage, scales, axis, [int(z) for z in zero])
    if not per_channel:
        element = q(storage, float(scales[0]), int(zero[0]))
    return net.const(some(rng, element, *shape), element)


CONVS = {
    # name: (input, filters, kernel, groups, window)
    "plain": ((1, 3, 9, 11), 5, (3, 3), 1, {}),
    "pad": ((2, 8, 12, 12), 16, (3, 3), 1, {"pad": (1, 1, 1, 1)}),
    "pad_behind": ((1, 5, 9, 17), 4, (2, 2), 1, {"pad": (0, 0, 1, 1)}),
    "one_by_one": ((1, 13, 7, 9), 19, (1, 1), 1, {}),
    "one_by_one_stride": ((1, 6, 9, 9), 4, (1, 1), 1, {"stride": (2, 2)}),
    "stride": ((1, 4, 13, 17), 7, (3, 3), 1, {"stride": (2, 2), "pad": (0, 0, 1, 1)}),
    "stride_3": ((1, 9, 14, 15), 6, (5, 5), 1, {"stride": (3, 2), "pad": (2, 1, 2, 2)}),
    "dilated": ((1, 5, 15, 16), 6, (3, 3), 1, {"dilation": (2, 3), "pad": (2, 3, 2, 3)}),
    "depthwise": ((1, 9, 20, 21), 9, (3, 3), 9, {"pad": (1, 1, 1, 1)}),
    "depthwise_small": ((2, 5, 3, 3), 5, (3, 3), 5, {"pad": (1, 1, 1, 1)}),
    "depthwise_stride": ((1, 6, 17, 18), 6, (3, 3), 6, {"stride": (2, 2), "pad": (0, 0, 1, 1)}),
    "depthwise_dilated": ((1, 3, 18, 19), 3, (3, 5), 3, {"dilation": (2, 2), "pad": (2, 4, 2, 4)}),
    "depthwise_strided_dilated": ((1, 3, 18, 19), 3, (3, 6), 3, {"stride": (1, 4), "dilation": (1, 2)}),
    "multiplier": ((1, 4, 8, 8), 12, (3, 3), 4, {"pad": (1, 1, 1, 1)}),
    "grouped": ((1, 12, 10, 10), 18, (3, 3), 3, {"pad": (1, 0, 1, 2)}),
    "one_channel": ((1, 1, 49, 10), 16, (10, 4), 1, {"stride": (2, 2), "pad": (4, 1, 5, 1)}),
    "one_channel_one_filter": ((2, 1, 9, 12), 1, (3, 3), 1, {"pad": (1, 1, 1, 1)}),
    "one_dimension": ((2, 6, 40), 7, (5,), 1, {"stride": (2,), "pad": (2, 1)}),
    "one_dimension_depthwise": ((1, 6, 40), 6, (5,), 6, {"pad": (4, 0)}),
    "three_dimensions": ((1, 3, 5, 6, 7), 4, (2, 3, 3), 1, {"stride": (1, 2, 1), "pad": (1, 1, 0, 0, 1, 2)}),
    "large_kernel": ((1, 1, 12, 12), 3, (7, 7), 1, {"pad": (3, 3, 3, 3)}),
    "wide": ((1, 64, 30, 40), 9, (3, 3), 1, {"pad": (1, 1, 1, 1)}),
}


def add_conv(net, rng, name, x_type=None, bias=True, to=None, **kind):
    """A convolution with its requantize as one group."""
    shape, m, kernel, groups, rest = CONVS[name]
    x = value(net, rng, x_type or q(I8, 0.05, -17), *shape)
    w = weights(net, rng, 0, (m, shape[1] // groups, *kernel), **kind)
    b = net.const(rng.integers(-40000, 40000, m).astype(np.int32)) if bias else None
    conv = ConvOp(x, w, b, window=Window.of(kernel, **rest), groups=groups)
    return conv, RequantizeOp(conv.result, to=to or q(I8, 0.4, 5))


@pytest.mark.parametrize("chunk", range(4))
def test_convolutions(net, rng, chunk):
    for name in list(CONVS)[chunk::4]:
        net.output(name, net.group(*add_conv(net, rng, name)))
        net.output(f"{name}_unsigned", net.group(*add_conv(net, rng, name, q(U8, 0.05, 200), False, q(U8, 0.3, 9))))
    net.check()


def random_geometry(rng):
    """A convolution nobody thought of: (input, filters, kernel, groups, window)."""
    rank = int(rng.choice([1, 2, 2, 2, 3]))
    groups = int(rng.choice([1, 1, 2, 5]))
    channels = groups * int(rng.integers(1, 7))
    filters = groups * int(rng.integers(1, 11))
    kernel, dilation = rng.integers(1, 6, rank), rng.integers(1, 3, rank)
    extent = (kernel - 1) * dilation + 1
    pads = rng.integers(0, extent, (2, rank)) * rng.integers(0, 2)
    size = np.maximum(extent - pads.sum(0), 1) + rng.integers(0, 12, rank)
    window = {"stride": rng.integers(1, 4, rank), "dilation": dilation, "pad": pads.reshape(-1)}
    lists = {k: tuple(int(n) for n in v) for k, v in window.items()}
    return (int(rng.integers(1, 3)), channels, *map(int, size)), filters, tuple(map(int, kernel)), groups, lists


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(i, marks=pytest.mark.full) for i in range(2, 30))])
def test_random_convolutions(net, seed):
    rng = np.random.default_rng(seed)
    for i in range(12):
        shape, m, kernel, groups, rest = random_geometry(rng)
        x = value(net, rng, [q(I8, 0.05, -17), q(U8, 0.02, 255), q(I8, 0.1, 127)][i % 3], *shape)
        w = weights(net, rng, 0, (m, shape[1] // groups, *kernel), zeros=i % 4 == 3)
        conv = ConvOp(x, w, window=Window.of(kernel, **rest), groups=groups)
        net.output(
            f"{i} {shape} {m} {kernel} {groups} {rest}", net.group(conv, RequantizeOp(conv.result, to=q(I8, 0.2, 5)))
        )
    net.check()


def test_convolutions_of_other_types_and_weights(net, rng):
    net.output("one scale", net.group(*add_conv(net, rng, "pad", per_channel=False)))
    net.output("zero points", net.group(*add_conv(net, rng, "pad", zeros=True)))
    net.output("unsigned weights", net.group(*add_conv(net, rng, "stride", storage=U8)))
    net.output("unsigned around 128", net.group(*add_conv(net, rng, "depthwise", storage=U8, zeros=True)))
    net.output("wide values", net.group(*add_conv(net, rng, "grouped", q(I16, 0.002, -300))))
    net.output("wide result", net.group(*add_conv(net, rng, "grouped", to=q(I16, 0.002, -300))))
    net.output("wide unsigned", net.group(*add_conv(net, rng, "plain", to=q(U16, 0.002, 3000))))
    conv, _ = add_conv(net, rng, "pad")
    net.output("sums", net.add(conv))
    conv, requantize = add_conv(net, rng, "depthwise")
    net.add(conv)
    net.output("apart", net.add(requantize))
    net.check()


@pytest.mark.parametrize("mode", Rounding)
def test_convolution_in_each_rounding(net, rng, mode):
    x = value(net, rng, q(I8, 0.125, 3), 1, 6, 9, 9)
    for i, scale in enumerate((0.25, 0.02)):  # powers of two give ties
        w = net.const(some(rng, q(I8, scale), 8, 6, 3, 3), q(I8, scale))
        conv = ConvOp(x, w, window=Window.of((3, 3)))
        net.output(f"y{i}", net.group(conv, RequantizeOp(conv.result, to=q(I8, 4.0, -3), rounding=mode.value)))
    net.check()


def test_chains_after_a_convolution(net, rng):
    """Clips go into the limits of requantize; tables, sums and products follow in the same function."""
    act = q(I8, 0.4, 5)
    for name in ("pad", "one_by_one", "depthwise", "stride", "one_dimension"):
        conv, requantize = add_conv(net, rng, name)
        shape = requantize.result.type.get_shape()
        relu = ReluOp(requantize.result)
        other = value(net, rng, q(I8, 0.3, -9), *shape)
        table = net.const(some(rng, q(I8, 0.2, 1), 256), q(I8, 0.2, 1))
        total = QAddOp(relu.result, other, to=q(I8, 0.6, -100))
        clip = ClipOp(total.result, low=-1.0, high=30.0)
        look = TableOp(clip.result, table)
        net.output(f"{name} residual", net.group(conv, requantize, relu, total, clip, look))
        conv, requantize = add_conv(net, rng, name, to=act)
        sigmoid = SigmoidOp(requantize.result)
        channel = value(net, rng, q(I8, 0.01, 9), *(d if i == 1 else 1 for i, d in enumerate(shape)))
        scaled = QMulOp(sigmoid.result, channel, to=q(I8, 0.02, 0))
        net.output(f"{name} scaled", net.group(conv, requantize, sigmoid, scaled))
        conv, requantize = add_conv(net, rng, name, to=act)
        narrow = TableOp(requantize.result, net.const(some(rng, q(I16, 0.2, 1), 256), q(I16, 0.2, 1)))
        net.output(f"{name} other width", net.group(conv, requantize, narrow))
    net.check()


def test_matrix_products(net, rng):
    a8, a16 = q(I8, 0.03, -7), q(I16, 0.001, 40)
    cases = itertools.product((a8, q(U8, 0.02, 3), a16), (True, False), (1, 5), (3, 67))
    for i, (type_, transposed, m, k) in enumerate(cases):
        a = value(net, rng, type_, m, k)
        w = weights(net, rng, 0 if transposed else 1, (9, k) if transposed else (k, 9), zeros=i % 3 == 0)
        b = net.const(rng.integers(-9000, 9000, 9).astype(np.int32)) if i % 2 else None
        product = MatmulOp(a, w, b, trans_b=transposed)
        relu = RequantizeOp(product.result, to=q(I8, 0.3, -20))
        net.output(f"{i}", net.group(product, relu, ReluOp(relu.result)))
    net.output("sums", net.add(MatmulOp(value(net, rng, a8, 2, 64), weights(net, rng, 1, (64, 33)))))
    net.output("stack", net.add(MatmulOp(value(net, rng, a8, 2, 3, 4, 6), weights(net, rng, 1, (6, 5)))))
    turned = MatmulOp(value(net, rng, a8, 6, 4), weights(net, rng, 1, (6, 5)), trans_a=True)
    net.output("turned", net.group(turned, RequantizeOp(turned.result, to=q(I8, 0.05, 0))))
    net.output("vector", net.add(MatmulOp(value(net, rng, a8, 6), weights(net, rng, 1, (6, 5)))))
    net.check()


def test_products_of_two_computed_matrices(net, rng):
    a, b = q(I8, 0.03, -7), q(U8, 0.02, 130)
    for i, (swap_a, swap_b) in enumerate(itertools.product((False, True), repeat=2)):
        x = value(net, rng, a, 2, 3, *((8, 5) if swap_a else (5, 8)))
        y = value(net, rng, b, 3, *((7, 8) if swap_b else (8, 7)))
        product = MatmulOp(x, y, trans_a=swap_a, trans_b=swap_b)
        net.output(f"{i}", net.group(product, RequantizeOp(product.result, to=q(I8, 0.1, 0))))
    net.check()


def test_transposed_convolution(net, rng):
    x = value(net, rng, q(I8, 0.05, -17), 2, 6, 5, 4)
    for i, (groups, rest) in enumerate([(1, {"stride": (2, 2), "pad": (1, 0, 0, 1)}), (3, {"dilation": (2, 1)})]):
        w = weights(net, rng, 1, (6, 4, 3, 3), per_channel=groups == 1, zeros=True)
        op = ConvTransposeOp(x, w, window=Window.of((3, 3), **rest), groups=groups)
        net.output(f"y{i}", net.group(op, RequantizeOp(op.result, to=q(I8, 0.3, 3))))
    net.check()


def test_borders(net, rng):
    """Between floats and integers; NaN, infinities and ties among them."""
    x = rng.standard_normal((3, 4, 50)).astype(np.float32) * 3
    x.flat[:6] = np.nan, np.inf, -np.inf, 3e38, -1e-40, -0.0
    x.flat[6:200] = np.arange(-97, 97) * np.float32(0.125)
    real = net.input(x)
    types = [q(I8, 0.25, -3), q(U8, 0.1, 128), q(I16, 0.001, 5), q(U16, 0.01, 60000), q(I32, 1e-6)]
    types.append(QuantType.per_channel(I8, [0.1, 0.25, 0.5, 0.01], 1, [0, -128, 127, 4]))
    for i, type_ in enumerate(types):
        stored = net.add(QuantizeOp(real, to=type_))
        net.output(f"quantize {i}", stored)
        net.output(f"dequantize {i}", net.add(DequantizeOp(value(net, rng, type_, 3, 4, 50))))
    net.check(rtol=0, atol=0)


@pytest.mark.parametrize("mode", Rounding)
def test_requantize_of_any_type(net, rng, mode):
    channels = QuantType.per_channel(I32, [0.001, 0.5, 1e-5, 0.25], 1)
    narrow = QuantType.per_channel(I8, [0.125, 0.5, 0.1, 0.25], 1, [3, -128, 127, 0])
    for i, source in enumerate([channels, q(I32, 0.001), narrow, q(U8, 0.5, 7), q(I16, 0.01, -999), q(U16, 1.0, 9)]):
        x = value(net, rng, source, 2, 4, 33)
        for j, to in enumerate((q(I8, 1.0, -2), q(U8, 0.3, 250), q(I16, 0.004, 3), q(I32, 0.003))):
            net.output(f"{i} to {j}", net.add(RequantizeOp(x, to=to, rounding=mode.value)))
    net.check()


def test_elementwise(net, rng):
    a, b = value(net, rng, q(I8, 0.1, 5), 2, 3, 40), value(net, rng, q(U8, 0.07, 99), 3, 1)
    wide = value(net, rng, q(I16, 0.001, 5), 2, 3, 40)
    for i, to in enumerate((q(I8, 0.2, 0), q(U8, 0.03, 128), q(I16, 1e-4, 7))):
        net.output(f"add {i}", net.add(QAddOp(a, b, to=to)))
        net.output(f"sub {i}", net.add(QSubOp(b, wide, to=to)))
        net.output(f"mul {i}", net.add(QMulOp(a, b, to=to, rounding=list(Rounding)[i].value)))
    net.output("extreme", net.add(QAddOp(a, wide, to=q(I8, 1e-9, 0))))
    net.output("larger", net.add(MaxOp(a, value(net, rng, q(I8, 0.1, 5), 2, 3, 40))))
    net.output("relu", net.add(ReluOp(a)))
    net.output("clip", net.add(ClipOp(wide, low=-1.0, high=6.0)))
    net.output("sigmoid", net.add(SigmoidOp(wide)))
    net.output("table", net.add(TableOp(b, net.const(some(rng, q(I16, 0.1, 1), 256), q(I16, 0.1, 1)))))
    net.check()


def test_movement_and_comparison(net, rng):
    act = q(I8, 0.1, 5)
    a, b = value(net, rng, act, 2, 3, 8, 8), value(net, rng, act, 2, 2, 8, 8)
    net.output("pad", net.add(PadOp(a, before=(0, 0, 1, 2), after=(0, 1, 1, 0))))
    net.output("pad value", net.add(PadOp(a, before=(0, 0, 1, 2), after=(0, 1, 1, 0), value=1.0)))
    net.output("transpose", net.add(TransposeOp(a, perm=(0, 2, 3, 1))))
    net.output("slice", net.add(SliceOp(a, start=(0, 1, 0, 1), size=(2, 2, 8, 3), step=(1, 1, 1, 2))))
    both = net.add(ConcatOp([net.add(ReluOp(a)), b], axis=1))
    net.output("concat", both)
    rows = value(net, rng, q(I8, 0.03, 4), 1, 2, 12, 8)  # lines of eight that a vector holds
    net.output("pad behind", net.add(MaxPoolOp(rows, window=Window.of((3, 3), pad=(0, 0, 1, 0)))))
    net.output("max pool", net.add(MaxPoolOp(both, window=Window.of((3, 3), (2, 2), pad=(1, 1, 1, 1)))))
    net.output("arg max", net.add(ArgMaxOp(both, axis=1)))
    net.check()


def test_averages(net, rng):
    x, u = value(net, rng, q(I8, 0.1, 5), 2, 3, 9, 8), value(net, rng, q(U8, 0.1, 250), 1, 4, 7, 7)
    to = q(I8, 0.05, -8)
    windows = [Window.of((9, 8)), Window.of((3, 3), (2, 2), pad=(1, 1, 1, 1)), Window.of((2, 2), dilation=(3, 2))]
    for i, window in enumerate(windows):
        for counted, mode in ((False, "q31_half_even"), (True, "f32_half_even")):
            net.output(
                f"pool {i} {counted}", net.add(QAvgPoolOp(x, window=window, to=to, count_pad=counted, rounding=mode))
            )
    net.output("global", net.add(QAvgPoolOp(u, window=Window.of((7, 7)), to=q(U8, 0.02, 3))))
    for axes, keep in (((2, 3), True), ((1,), False), ((0, 2), False), ((3,), True)):
        net.output(f"mean {axes}", net.add(QReduceMeanOp(x, axes=axes, keepdims=keep, to=to)))
        net.output(f"sum {axes}", net.add(QReduceSumOp(x, axes=axes, keepdims=keep, to=q(I16, 0.1, 9))))
    net.check()


def test_softmax(net, rng):
    for i, (storage, shape, axis, to) in enumerate(
        [(I8, (5, 10), 1, I8), (U8, (2, 3, 4), 1, U8), (I8, (2, 70), 1, I16), (I8, (3, 1), 1, U8)]
    ):
        scale = (0.05, 0.3, 0.01, 0.1)[i]
        table = fixed.exp_table(scale, shape[axis], 256).astype(np.int32)
        x = value(net, rng, q(storage, scale, 3), *shape)
        net.output(f"{i}", net.add(QSoftmaxOp(x, net.const(table), axis=axis, to=softmax_type(to))))
    net.check()


def test_normalization(net, rng):
    x = value(net, rng, q(I8, 0.05, 4), 3, 2, 48)
    multiplier = net.const(rng.integers(-(2**20), 2**20, 48).astype(np.int32))
    offset = net.const(rng.integers(-(2**40), 2**40, 48))
    whole = net.const(np.int32(70000).reshape(1))
    for i, (axes, center) in enumerate([((2,), True), ((1, 2), True), ((2,), False), ((1,), False)]):
        kind = {"axes": axes, "center": center, "epsilon": 77, "to": q(I8, 0.02, -5)}
        net.output(f"{i}", net.add(QNormalizeOp(x, multiplier, offset, shift=43, **kind)))
        net.output(f"plain {i}", net.add(QNormalizeOp(x, whole, shift=40, **kind)))
    net.check()


def test_integers_in_the_interface(net, rng):
    """Quantized inputs and outputs are integers, whose scales the header states."""
    x = value(net, rng, q(I8, 0.0625, -3), 2, 5)
    net.output("y", net.add(RequantizeOp(x, to=q(U8, 0.1, 7))))
    header = net.check().header.splitlines()
    assert " * in0 'input0': 2x5 i8, real = 0.0625 * (value + 3)" in header
    assert " * out0 'output0': 2x5 ui8, real = 0.1 * (value - 7)" in header
    assert '#define NET_INPUT0_DTYPE "i8"' in header
    assert "#define NET_INPUT0_SCALES {0.0625f}" in header
    assert "#define NET_OUTPUT0_ZERO_POINTS {7}" in header
    assert "net_status net_run(void *arena, size_t arena_bytes, const int8_t *in0, uint8_t *out0);" in header


def test_interpolated_tables(net, rng):
    """Every operand of 16 bits, signed and unsigned, with knots as far apart as they can be."""
    for storage, element in ((I16, np.int16), (U16, np.uint16)):
        x = net.input(np.arange(2**16).astype(np.uint16).view(element), q(storage, 2.0**-12))
        for to in (q(I16, 2.0**-15), q(I8, 0.5, 1), q(U8, 0.5, 7)):
            for count in (3, 513, 2**15 + 1):
                knots = net.const(some(rng, to, count), to)
                net.output(f"{storage} {to} {count}", net.add(InterpolateOp(x, knots)))
    net.check()
