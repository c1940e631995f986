"""Convolutions and matrix products as C against the interpreter: one program for each group of cases."""

import numpy as np
import pytest

from dnnc.ir.dnn.activation import HardSwishOp, ReluOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import AddOp, MulOp

# input [N, C, ...], filters, kernel, stride, pads, dilation, groups
CONVS = {
    "1x1": ((2, 5, 6, 7), 9, (1, 1), (), (), (), 1),
    "3x3 pad": ((1, 3, 9, 11), 20, (3, 3), (), (1, 1, 1, 1), (), 1),
    "3x3 valid": ((1, 4, 8, 9), 7, (3, 3), (), (), (), 1),
    "pads behind alone": ((1, 5, 9, 17), 4, (2, 2), (), (0, 0, 1, 1), (), 1),
    "5x5 asymmetric pads": ((2, 3, 7, 8), 3, (5, 5), (), (0, 3, 2, 1), (), 1),
    "stride 2": ((1, 3, 11, 10), 8, (3, 3), (2, 2), (1, 1, 1, 1), (), 1),
    "1x1 stride 2": ((1, 6, 9, 9), 4, (1, 1), (2, 2), (), (), 1),
    "stride 4 kernel 11": ((1, 3, 35, 35), 10, (11, 11), (4, 4), (2, 2, 2, 2), (), 1),
    "stride 3 by 1": ((1, 2, 14, 9), 5, (3, 2), (3, 1), (1, 0, 0, 1), (), 1),
    "dilation 2": ((1, 3, 12, 12), 6, (3, 3), (), (2, 2, 2, 2), (2, 2), 1),
    "dilation 2 stride 3": ((1, 2, 17, 16), 3, (3, 3), (3, 2), (2, 1, 2, 1), (2, 3), 1),
    "groups": ((2, 6, 8, 8), 9, (3, 3), (), (1, 1, 1, 1), (), 3),
    "depthwise": ((2, 7, 9, 9), 7, (3, 3), (), (1, 1, 1, 1), (), 7),
    "depthwise stride 2 multiplier 2": ((1, 4, 10, 10), 8, (3, 3), (2, 2), (1, 1, 1, 1), (), 4),
    "one output position": ((1, 5, 4, 4), 17, (4, 4), (), (), (), 1),
    "small map": ((1, 5, 3, 3), 11, (3, 3), (), (1, 1, 1, 1), (), 1),
    "1-D": ((2, 4, 30), 6, (5,), (2,), (2, 1), (2,), 1),
    "1-D short": ((1, 3, 5), 4, (3,), (), (1, 1), (), 1),
    "3-D": ((1, 2, 6, 7, 8), 5, (3, 2, 3), (1, 2, 1), (1, 0, 1, 1, 1, 1), (), 1),
    "3-D dilated groups": ((2, 4, 5, 5, 6), 6, (2, 2, 2), (2, 1, 2), (1, 1, 0, 0, 1, 1), (1, 2, 2), 2),
    "pads beyond the kernel": ((1, 2, 4, 4), 3, (2, 2), (), (3, 3, 3, 3), (), 1),
    "strips": ((1, 40, 60, 50), 9, (3, 3), (), (1, 1, 1, 1), (), 1),
}  # fmt: skip

TRANSPOSED = {
    "stride 2": ((1, 3, 5, 6), 4, (3, 3), (2, 2), (1, 1, 1, 1), (), 1, (1, 1)),
    "kernel 2 stride 2": ((2, 4, 5, 5), 3, (2, 2), (2, 2), (), (), 1, (0, 0)),
    "stride 3 pads": ((1, 2, 4, 5), 5, (4, 3), (3, 2), (0, 2, 1, 0), (), 1, (2, 1)),
    "dilation": ((1, 2, 6, 6), 3, (3, 3), (1, 2), (0, 0, 0, 0), (2, 2), 1, (0, 0)),
    "groups": ((1, 6, 4, 4), 2, (3, 3), (2, 2), (1, 1, 1, 1), (), 3, (0, 0)),
    "1-D": ((1, 3, 7), 2, (4,), (3,), (1, 1), (), 1, (0,)),
    "3-D": ((1, 2, 3, 4, 3), 2, (2, 3, 2), (2, 1, 2), (0, 1, 0, 0, 1, 0), (), 1, (0, 0, 1)),
    "pads beyond the kernel": ((1, 2, 6, 6), 2, (2, 2), (1, 1), (2, 2, 2, 2), (), 1, (0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("constant", [True, False])
def test_conv_agrees_with_the_interpreter(net, rng, constant):
    for name, (shape, filters, kernel, stride, pad, dilation, groups) in CONVS.items():
        x = net.input(rng.standard_normal(shape, np.float32))
        bring = net.const if constant else net.input
        w = bring(rng.standard_normal((filters, shape[1] // groups, *kernel), np.float32))
        bias = bring(rng.standard_normal(filters, np.float32)) if constant else None
        window = Window.of(kernel, stride, pad, dilation)
        net.output(name, net.add(ConvOp(x, w, bias, window=window, groups=groups)))
    net.check(1e-4, 1e-4)


def test_conv_transpose_agrees_with_the_interpreter(net, rng):
    for name, (shape, filters, kernel, stride, pad, dilation, groups, extra) in TRANSPOSED.items():
        x = net.input(rng.standard_normal(shape, np.float32))
        w = net.const(rng.standard_normal((shape[1], filters, *kernel), np.float32))
        bias = net.const(rng.standard_normal(filters * groups, np.float32))
        window = Window.of(kernel, stride, pad, dilation)
        op = ConvTransposeOp(x, w, bias, window=window, groups=groups, output_pad=extra)
        net.output(name, net.add(op))
    net.check(1e-4, 1e-4)


MATMULS = {
    "vector by matrix": ((1, 70), (70, 33)),
    "few rows": ((3, 40), (40, 50)),
    "rows and columns": ((9, 37), (37, 45)),
    "few columns": ((20, 33), (33, 5)),
    "batched": ((2, 3, 5, 8), (2, 3, 8, 20)),
    "broadcast batch": ((2, 1, 6, 8), (3, 8, 17)),
    "matrix for all": ((4, 6, 8), (8, 18)),
    "wide": ((6, 300), (300, 1000)),
}


@pytest.mark.parametrize("constant", [True, False])
def test_matmul_agrees_with_the_interpreter(net, rng, constant):
    bring = net.const if constant else net.input
    for name, (a, b) in MATMULS.items():
        for flags in ({}, {"trans_a": True}, {"trans_b": True}, {"trans_a": True, "trans_b": True}):
            x, y = rng.standard_normal(a, np.float32), rng.standard_normal(b, np.float32)
            x = x.swapaxes(-1, -2).copy() if "trans_a" in flags else x
            y = y.swapaxes(-1, -2).copy() if "trans_b" in flags else y
            bias = bring(rng.standard_normal(b[-1], np.float32))
            op = MatmulOp(net.input(x), bring(y), bias, **flags)
            net.output(f"{name} {' '.join(flags)}", net.add(op))
    v = net.input(rng.standard_normal(8, np.float32))
    m = net.input(rng.standard_normal((3, 8, 20), np.float32))
    net.output("vector left", net.add(MatmulOp(v, m)))
    net.output("dot product", net.add(MatmulOp(v, v)))
    net.output("vector right", net.add(MatmulOp(net.input(rng.standard_normal((4, 6, 8), np.float32)), v)))
    net.check(1e-4, 1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.int64, np.uint8])
def test_other_element_types_take_the_plain_kernels(net, rng, dtype):
    def data(*shape):
        return (rng.standard_normal(shape) * 50).astype(dtype)

    net.output("matmul", net.add(MatmulOp(net.input(data(2, 3, 4)), net.input(data(4, 5)))))
    net.output(
        "transposed", net.add(MatmulOp(net.input(data(3, 4)), net.input(data(5, 3)), trans_a=True, trans_b=True))
    )
    net.output("vector", net.add(MatmulOp(net.input(data(4)), net.input(data(4, 5)))))
    if dtype in (np.float64, np.int32):
        window = Window.of((3, 2), (2, 1), (1, 0, 1, 1), (1, 2))
        conv = ConvOp(
            net.input(data(2, 4, 6, 7)), net.const(data(6, 2, 3, 2)), net.const(data(6)), window=window, groups=2
        )
        net.output("conv", net.add(conv))
    net.check(1e-9)


def test_groups_run_as_one_function(net, rng):
    """Bias, residual, activation and a factor for each channel are part of the function that computes the contraction."""
    for name, shape, window in (
        ("stored", (2, 6, 5, 8), Window.of((1, 1))),
        ("through the tile", (2, 6, 5, 8), Window.of((3, 3), pad=(1, 1, 1, 1))),
        ("1-D", (2, 6, 40), Window.of((3,), pad=(1, 1))),
    ):
        x = net.input(rng.standard_normal(shape, np.float32))
        w = net.const(rng.standard_normal((10, 6, *window.kernel), np.float32))
        factor = net.const(rng.standard_normal((10, *(1,) * window.rank), np.float32))
        conv = ConvOp(x, w, net.const(rng.standard_normal(10, np.float32)), window=window)
        residual = net.input(rng.standard_normal((2, 10, *shape[2:]), np.float32))
        added = AddOp(residual, conv.result)
        scaled = MulOp(added.result, factor)
        net.output(name, net.group(conv, added, scaled, HardSwishOp(scaled.result)))
    plain = ConvOp(x, w, window=window)
    net.output("relu", net.group(plain, ReluOp(plain.result)))
    a, b = rng.standard_normal((5, 30), np.float32), rng.standard_normal((30, 40), np.float32)
    gemm = MatmulOp(net.input(a), net.const(b), net.const(rng.standard_normal(40, np.float32)))
    net.output("gemm", net.group(gemm, ReluOp(gemm.result)))
    program = net.check(1e-4, 1e-4)
    assert program.source.count("static void net_") == 5
