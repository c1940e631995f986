"""Windows in independent blocks as C: floats to rounding, integers to the bit."""

import numpy as np
import pytest

from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.dnn.elementwise import AddOp
from dnnc.ir.dnn.integer import QAddOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.types import I8, QuantType, dtype, shape_of

# input, filters, kernel, stride, pads, dilation, groups, block
CASES = {
    "even": ((1, 3, 12, 16), 5, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1, (4, 8)),
    "rows alone": ((2, 3, 12, 16), 5, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1, (4, 16)),
    "columns alone": ((1, 20, 12, 16), 9, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1, (40, 4)),
    "uneven": ((1, 3, 11, 17), 5, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1, (4, 6)),
    "uneven columns": ((1, 5, 12, 17), 8, (3, 5), (1, 1), (1, 2, 1, 2), (1, 1), 1, (4, 6)),
    "stride": ((1, 3, 16, 32), 5, (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 1, (4, 8)),
    "stride, pads behind": ((1, 3, 16, 32), 5, (3, 3), (2, 2), (0, 0, 1, 1), (1, 1), 1, (4, 8)),
    "stride, odd size": ((1, 3, 15, 21), 5, (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 1, (4, 4)),
    "dilated": ((1, 4, 18, 18), 5, (3, 3), (1, 1), (2, 2, 2, 2), (2, 2), 1, (6, 9)),
    "depthwise": ((1, 6, 16, 16), 6, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 6, (8, 8)),
    "depthwise, uneven": ((1, 6, 13, 16), 6, (5, 3), (1, 1), (2, 1, 2, 1), (1, 1), 6, (8, 5)),
    "grouped": ((2, 8, 12, 12), 6, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 2, (6, 3)),
    "one dimension": ((2, 4, 40), 6, (5,), (1,), (2, 2), (1,), 1, (8,)),
    "one dimension, uneven": ((2, 4, 41), 6, (5,), (1,), (2, 2), (1,), 1, (8,)),
    "blocks of one": ((1, 2, 6, 6), 3, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1, (1, 1)),
}  # fmt: skip


def window_of(case):
    _, _, kernel, stride, pad, dilation, _, block = case
    return Window.of(kernel, stride, pad, dilation, block=block)


@pytest.mark.parametrize("sums", [False, True])
def test_floats(net, rng, sums):
    for name, case in CASES.items():
        shape, m, kernel, *_, groups, _ = case
        x = net.input(rng.standard_normal(shape, np.float32))
        w = net.const(rng.standard_normal((m, shape[1] // groups, *kernel), np.float32))
        conv = ConvOp(x, w, net.const(rng.standard_normal(m, np.float32)), window=window_of(case), groups=groups)
        ops = [conv]
        if sums:
            beside = net.input(rng.standard_normal(shape_of(conv.result.type), np.float32))
            ops += [add := AddOp(conv.result, beside), ReluOp(add.result)]
        net.output(name, net.group(*ops))
    net.check(1e-4, 1e-4)


@pytest.mark.parametrize("sums", [False, True])
def test_integers(net, rng, sums):
    x_type, w_type = QuantType.per_tensor(I8, 0.02, -5), QuantType.per_tensor(I8, 0.01)
    to = QuantType.per_tensor(I8, 0.05, 3)
    for name, case in CASES.items():
        shape, m, kernel, *_, groups, _ = case
        x = net.input(rng.integers(-128, 128, shape).astype(np.int8), x_type)
        w = net.const(rng.integers(-127, 128, (m, shape[1] // groups, *kernel)).astype(np.int8), w_type)
        bias = net.const(rng.integers(-3000, 3000, m).astype(np.int32))
        conv = ConvOp(x, w, bias, window=window_of(case), groups=groups)
        ops = [conv, scaled := RequantizeOp(conv.result, to=to)]
        if sums:
            beside = net.input(rng.integers(-128, 128, shape_of(conv.result.type)).astype(np.int8), x_type)
            ops += [add := QAddOp(scaled.result, beside, to=to), ReluOp(add.result)]
        net.output(name, net.group(*ops))
    net.check()


@pytest.mark.parametrize("element", [None, QuantType.per_tensor(I8, 0.02, -5)])
def test_pools(net, rng, element):
    for name, (shape, block) in {
        "even": ((2, 3, 16, 24), (4, 6)),
        "uneven": ((1, 3, 15, 21), (3, 4)),
        "rows": ((1, 3, 16, 21), (4, 40)),
    }.items():
        for stride in (1, 2):
            array = rng.integers(-128, 128, shape).astype(np.float32 if element is None else dtype(element))
            window = Window.of((3, 3), (stride, stride), (1, 1, 1, 1), block=block)
            net.output(f"{name} {stride}", net.add(MaxPoolOp(net.input(array, element), window=window)))
    net.check()
