"""Reductions, pools and normalizations as C against the interpreter."""

import itertools

import numpy as np

from dnnc.ir.dnn import OPS
from dnnc.ir.dnn import composite as C
from dnnc.ir.dnn import reduction as R
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.function import AbsOp


def positive(rng, shape, dtype=np.float32):
    x = rng.uniform(0.5, 2.0, shape)
    return (x * 4).astype(dtype) if np.issubdtype(dtype, np.integer) else x.astype(dtype)


def test_reductions_over_axes(net, rng):
    kinds = [op for op in OPS if issubclass(op, R.AxisReduction)]
    data = {t: net.input(positive(rng, (3, 4, 5, 40), t)) for t in (np.float32, np.float64, np.int32, np.uint8)}
    for op, axes, keep in itertools.product(kinds, ((0,), (3,), (1, 3), (0, 2), (0, 1, 2, 3)), (True, False)):
        net.output(f"{op.name} {axes}", net.add(op(data[np.float32], axes=axes, keepdims=keep)))
    for op, dtype in itertools.product(kinds, (np.float64, np.int32, np.uint8)):
        if dtype == np.float64 or op in (
            R.ReduceSumOp,
            R.ReduceMaxOp,
            R.ReduceMinOp,
            R.ReduceL1Op,
            R.ReduceSumSquareOp,
        ):
            for axes in ((1,), (2, 3)):
                net.output(f"{op.name} {dtype} {axes}", net.add(op(data[dtype], axes=axes)))
    net.output("mean of integers", net.add(R.ReduceMeanOp(data[np.int32], axes=(1,))))
    truth = net.input(rng.integers(0, 2, (3, 5)).astype(bool))
    net.output("any", net.add(R.ReduceMaxOp(truth, axes=(1,))))
    net.output("all", net.add(R.ReduceMinOp(truth, axes=(0,))))
    empty = net.input(np.zeros((2, 0, 3), np.float32))
    net.output("sum of nothing", net.add(R.ReduceSumOp(net.add(AbsOp(empty)), axes=(1,))))
    net.check(1e-4)


def test_nan_wins_maxima(net):
    x = net.input(np.float32([[1, np.nan, 3], [np.nan, 1, 2], [3, 2, 1]]))
    for axes in ((0,), (1,)):
        net.output(f"max {axes}", net.add(R.ReduceMaxOp(x, axes=axes)))
        net.output(f"arg {axes}", net.add(R.ArgMaxOp(x, axis=axes[0])))
        net.output(f"last {axes}", net.add(R.ArgMinOp(x, axis=axes[0], last=True)))
    net.check()


def test_arg_reductions_and_running_sums(net, rng):
    for dtype in (np.float32, np.int32):
        x = net.input(rng.integers(0, 4, (3, 5, 4)).astype(dtype))
        for op, axis, last in itertools.product((R.ArgMaxOp, R.ArgMinOp), (0, 1, -1), (True, False)):
            net.output(f"{op.name} {axis} {last}", net.add(op(x, axis=axis, last=last, keepdims=last)))
        for axis, exclusive, reverse in itertools.product((0, 2), (True, False), (True, False)):
            op = R.CumSumOp(x, axis=axis, exclusive=exclusive, reverse=reverse)
            net.output(f"cum_sum {axis} {exclusive} {reverse}", net.add(op))
    net.check()


WINDOWS = {
    "2x2": ((2, 3, 8, 8), Window.of((2, 2), (2, 2))),
    "3x3 pad": ((1, 3, 9, 7), Window.of((3, 3), (2, 2), (1, 1, 1, 1))),
    "same": ((1, 2, 6, 6), Window.of((3, 3), (1, 1), (1, 1, 1, 1))),
    "ceil": ((1, 2, 8, 7), Window.of((3, 3), (2, 2), (), (), True)),
    "ceil pad": ((1, 2, 7, 7), Window.of((3, 3), (3, 2), (1, 1, 1, 1), (), True)),
    "dilated": ((1, 2, 9, 9), Window.of((2, 3), (1, 2), (1, 2, 0, 2), (2, 3))),
    "1-D": ((2, 3, 11), Window.of((4,), (3,), (2, 1))),
    "3-D": ((1, 2, 5, 6, 7), Window.of((2, 3, 2), (2, 1, 2), (0, 1, 1, 1, 1, 0))),
    "global": ((2, 3, 5, 6), Window.of((5, 6))),
}


def test_pools(net, rng):
    for name, (shape, window) in WINDOWS.items():
        x = net.input(rng.standard_normal(shape, np.float32))
        ops = [
            R.MaxPoolOp(x, window=window),
            R.AvgPoolOp(x, window=window),
            R.AvgPoolOp(x, window=window, count_pad=True),
            R.LpPoolOp(x, window=window),
            R.LpPoolOp(x, window=window, p=3),
            R.ArgMaxPoolOp(x, window=window),
            R.ArgMaxPoolOp(x, window=window, column_major=True),
        ]
        for op in ops:
            net.output(f"{op.name} {name}", net.add(op))
    for dtype in (np.uint8, np.int8, np.float64):
        x = net.input((rng.standard_normal((1, 2, 6, 6)) * 50).astype(dtype))
        net.output(f"max {dtype}", net.add(R.MaxPoolOp(x, window=Window.of((3, 3), (2, 2), (1, 1, 1, 1)))))
    net.check(1e-4)


def test_normalizations(net, rng):
    for dtype in (np.float32, np.float64):
        x = net.input(rng.standard_normal((2, 6, 4, 5)).astype(dtype))
        per_channel = [net.input(positive(rng, (6,), dtype)) for _ in range(4)]
        for axis in (0, 1, -1):
            net.output(f"softmax {axis}", net.add(C.SoftmaxOp(x, axis=axis)))
            net.output(f"log_softmax {axis}", net.add(C.LogSoftmaxOp(x, axis=axis)))
            net.output(f"hardmax {axis}", net.add(C.HardmaxOp(x, axis=axis)))
            net.output(f"lp_norm {axis}", net.add(C.LpNormOp(x, axis=axis)))
            net.output(f"l1 norm {axis}", net.add(C.LpNormOp(x, axis=axis, p=1)))
        net.output("batch_norm", net.add(C.BatchNormOp(x, *per_channel)))
        net.output("instance_norm", net.add(C.InstanceNormOp(x, *per_channel[:2])))
        net.output("group_norm", net.add(C.GroupNormOp(x, *per_channel[:2], groups=2)))
        for shape, axis in (((5,), -1), ((4, 5), 2), ((4, 1), 2), ((6, 4, 5), 1), ((1, 5), -1), ((6, 1, 1), 1)):
            scale, shift = (net.input(rng.standard_normal(shape).astype(dtype)) for _ in range(2))
            net.output(f"layer_norm {shape}", net.add(C.LayerNormOp(x, scale, shift, axis=axis)))
            net.output(f"rms_norm {shape}", net.add(C.RmsNormOp(x, scale, axis=axis)))
        for axes in ((0, 2, 3), (1,), (2, 3)):
            net.output(f"mean_variance {axes}", net.add(C.MeanVarianceNormOp(x, axes=axes)))
            net.output(f"log_sum_exp {axes}", net.add(C.ReduceLogSumExpOp(x, axes=axes)))
        for size, beta in ((3, 0.75), (4, 0.5), (13, 0.75)):
            net.output(f"lrn {size}", net.add(C.LrnOp(x, size=size, alpha=0.3, beta=beta, bias=2.0)))
    net.check(1e-4, 1e-5)
