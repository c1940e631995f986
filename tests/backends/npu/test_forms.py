"""Every integer form on the accelerator: simulator bits equal the interpreter's, bytes equal the schedule's."""

import numpy as np
import pytest
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr, UnitAttr

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.target import Executable, assemble
from dnnc.ir import text
from dnnc.ir.dnn.activation import ReluOp, SigmoidOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import MaxOp, MinOp
from dnnc.ir.dnn.function import AbsOp
from dnnc.ir.dnn.integer import (
    QAddOp,
    QAvgPoolOp,
    QMulOp,
    QNormalizeOp,
    QReduceMeanOp,
    QReduceSumOp,
    QSoftmaxOp,
    QSubOp,
    softmax_type,
)
from dnnc.ir.dnn.movement import (
    ConcatOp,
    DepthToSpaceOp,
    ExpandOp,
    PadOp,
    ReshapeOp,
    SliceOp,
    SpaceToDepthOp,
    TileOp,
    TransposeOp,
)
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.reduction import MaxPoolOp, ReduceMaxOp
from dnnc.ir.dnn.rescale import RequantShiftOp, ThresholdOp
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.fixed import exp_table
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.sched import BufferOp
from dnnc.ir.types import I8, I32, I64, QuantType, element_type, shape_of, tensor
from dnnc.ir.weights import store_of
from dnnc.passes.analysis.traffic import traffic

TWO = Window.of((2, 2), (2, 2))
I16 = element_type(np.int16)


def residual(net, join=QAddOp, flip=False, **conv):
    """Two convolutions, the second of which meets the value before it."""
    before = net.conv(6, 3, pad=1).v
    net.conv(6, 3, pad=1, **conv)
    pair = (before, net.v) if flip else (net.v, before)
    net.v = net.add(join(*pair, to=net.quant(1.3)))
    return net.apply(ReluOp)


def branches(net, axis=1, tails=((), ()), kind=(1, 6, 9, 8)):
    """Branches of one value, each some operations long, one after another along an axis."""
    start, ends = net.conv(6, 3, pad=1).v, []
    for tail in tails:
        net.v = start
        for op in tail:
            net.apply(op)
        ends.append(net.v)
    net.v = net.add(ConcatOp(ends, axis=axis))
    return net


def clip(v):
    return ReluOp(v)


def pooled(v):
    return MaxPoolOp(v, window=Window.of((3, 3), (1, 1), (1, 1, 1, 1)))


def transpose(*perm):
    return lambda v: TransposeOp(v, perm=perm)


def reshape(*shape):
    return lambda v: ReshapeOp(v, shape=shape)


def average(net, *window, **options):
    return net.apply(lambda v: QAvgPoolOp(v, window=Window.of(*window), to=net.quant(0.5), **options))


def mean(net, *axes, op=QReduceMeanOp, scale=0.4, **options):
    return net.apply(lambda v: op(v, axes=axes, to=net.quant(scale), **options))


def attention(net):
    """q k^T and p v of two heads, all made of one matrix product."""
    net.fc(24)
    parts = []
    for i in range(3):
        part = net.add(SliceOp(net.v, start=(0, 8 * i), size=(7, 8)))
        heads = net.add(ReshapeOp(part, shape=(7, 2, 4)))
        parts.append(net.add(TransposeOp(heads, perm=(1, 0, 2))))
    q, k, v = parts
    scores = net.add(MatmulOp(q, k, None, trans_b=True))
    net.v = net.add(RequantizeOp(scores, to=net.quant(3)))
    total = net.add(MatmulOp(net.v, v, None))
    net.v = net.add(RequantizeOp(total, to=net.quant(2)))
    return net.apply(transpose(1, 0, 2)).apply(reshape(7, 8))


def batched(net):
    """A matrix for each of a batch, all with the same bias and a scale for each column."""
    bias = net.const(np.arange(-2000, 3000, 625, np.int32), tensor(I32, (8,)))
    scales = QuantType.per_channel(I8, net.rng.uniform(0.02, 0.07, 8).astype(np.float32), 2)
    w = net.const(net.rng.integers(-127, 128, (2, 11, 8)).astype(np.int8), tensor(scales, (2, 11, 8)))
    acc = net.add(MatmulOp(net.v, w, bias))
    return net.apply(lambda _: RequantizeOp(acc, to=net.quant(9)))


def shuffle(net):
    """Channels of two groups in turn, then halves: the first is left as it is, the second convolved."""
    net.conv(8, 1).apply(reshape(4, 2, 36)).apply(transpose(1, 0, 2)).apply(reshape(2, 1, 4, 6, 6))
    halves = [net.add(SliceOp(net.v, start=(i, 0, 0, 0, 0), size=(1, 1, 4, 6, 6))) for i in range(2)]
    first, net.v = (net.add(ReshapeOp(h, shape=(1, 4, 6, 6))) for h in halves)
    second = net.apply(ReluOp).v
    net.v = net.add(ConcatOp([first, second], axis=1))
    return net


FORMS = {
    "channel shuffle in halves": lambda n: shuffle(n((1, 4, 6, 6))),
    "a matrix for each of a batch, one bias": lambda n: batched(n((2, 3, 11))),
    "pad in many tiles": lambda n: n((1, 3, 70, 60)).apply(
        lambda v: PadOp(v, before=(0, 0, 1, 1), after=(0, 0, 1, 1), value=-7.0)
    ),
    "residual": lambda n: residual(n((1, 4, 9, 8))),
    "residual, operands exchanged": lambda n: residual(n((1, 4, 9, 8)), flip=True),
    "residual difference": lambda n: residual(n((1, 4, 9, 8)), QSubOp, flip=True),
    "residual product": lambda n: residual(n((1, 4, 9, 8)), QMulOp),
    "residual of a batch": lambda n: residual(n((2, 4, 9, 8))),
    "residual of two groups": lambda n: residual(n((1, 4, 9, 8)), groups=2),
    "residual, then a pool": lambda n: residual(n((1, 4, 9, 8))).pool((3, 3), (2, 2), (1, 1, 1, 1)),
    "residual, then a table": lambda n: residual(n((1, 4, 9, 8))).unary(AbsOp),
    "residual of unsigned": lambda n: residual(n((1, 4, 9, 8), storage=n.UI8)),
    "sum of a value with itself": lambda n: n((1, 3, 7, 7)).apply(lambda v: QAddOp(v, v, to=n.T)),
    "sum with a constant": lambda n: (m := n((1, 3, 7, 5))).apply(lambda v: QAddOp(v, m.values((1, 3, 7, 5)), to=n.T)),
    "sum with one for each channel": lambda n: (m := n((2, 3, 7, 5))).apply(
        lambda v: QAddOp(m.values((1, 3, 1, 1)), v, to=n.T)
    ),
    "sum with one number": lambda n: (m := n((1, 3, 7, 5))).apply(lambda v: QSubOp(m.values((1,)), v, to=n.T)),
    "sum with a row": lambda n: (m := n((1, 6, 20))).apply(lambda v: QAddOp(v, m.values((20,)), to=n.T)),
    "table, then a sum with a plane": lambda n: (m := n((1, 6, 5, 7)).lookup()).apply(
        lambda v: QAddOp(v, m.values((5, 7)), to=n.T)
    ),
    "another scale, then a product with one for each channel": lambda n: (m := n((2, 6, 5, 7))).apply(
        lambda v: QMulOp(m.add(RequantizeOp(v, to=m.quant(2))), m.values((6, 1, 1)), to=n.T)
    ),
    "mean, then a sum with a row": lambda n: (m := mean(n((2, 6, 5, 7)), 2, keepdims=UnitAttr())).apply(
        lambda v: QAddOp(v, m.values((7,)), to=n.T)
    ),
    "sum with planes that repeat": lambda n: (m := n((1, 6, 5, 7))).apply(
        lambda v: QAddOp(v, m.values((1, 6, 1, 7)), to=n.T)
    ),
    "gate": lambda n: gate(n),
    "product": lambda n: (m := n((1, 3, 7, 5))).apply(lambda v: QMulOp(v, m.values((1, 3, 7, 5)), to=n.T)),
    "maximum": lambda n: extreme(n, MaxOp),
    "minimum": lambda n: extreme(n, MinOp),
    "requantize bytes": lambda n: (m := n((1, 5, 9, 9))).apply(lambda v: RequantizeOp(v, to=m.quant(0.4))),
    "table": lambda n: n((1, 5, 9, 9)).lookup(),
    "table of unsigned": lambda n: n((1, 5, 9, 9), storage=n.UI8).lookup(),
    "table after a convolution": lambda n: n((1, 5, 9, 9)).conv(4, 3).lookup().unary(SigmoidOp),
    "average pool": lambda n: average(n((1, 5, 12, 12)), (2, 2), (2, 2)),
    "average pool, padded": lambda n: average(n((1, 5, 12, 12)), (3, 3), (2, 2), (1, 1, 1, 1)),
    "average pool, padding counted": lambda n: average(n((1, 5, 12, 12)), (3, 3), (2, 2), (1, 1, 1, 1), count_pad=True),
    "average pool in ceil mode": lambda n: average(n((1, 5, 11, 12)), (3, 3), (2, 2), (0, 0, 0, 0), (1, 1), True),
    "average of one element, then a pool": lambda n: average(n((1, 5, 8, 8)), (1, 1)).apply(pooled),
    "average pool of a batch": lambda n: average(n((3, 5, 8, 8)), (3, 3), (1, 1), (1, 1, 0, 0)).apply(ReluOp),
    "average pool, then a sum": lambda n: pool_and_sum(n),
    "global average": lambda n: average(n((1, 20, 7, 6)).conv(12, 3), (5, 4)).flatten().fc(10),
    "mean over rows and columns": lambda n: mean(n((2, 6, 5, 7)), 2, 3),
    "mean over the first of two": lambda n: mean(n((9, 20)), 0, keepdims=True),
    "mean over the middle": lambda n: mean(n((2, 9, 20)), 1),
    "sum over the last": lambda n: mean(n((4, 300)), 1, op=QReduceSumOp, scale=60),
    "largest over the last": lambda n: n((4, 30)).apply(lambda v: ReduceMaxOp(v, axes=(1,))),
    "concatenation": lambda n: branches(n((1, 4, 9, 8)), tails=((clip,), (pooled,), (SigmoidOp, clip))),
    "concatenation of a batch": lambda n: branches(n((2, 4, 9, 8)), tails=((clip,), (pooled,))),
    "concatenation of columns": lambda n: branches(n((1, 4, 9, 8)), axis=3, tails=((pooled,), (clip,))),
    "concatenation of one value twice": lambda n: branches(n((1, 4, 9, 8)), tails=((), ())),
    "concatenation, then a convolution": lambda n: branches(n((1, 4, 9, 8)), tails=((pooled,), ())).conv(5, 3),
    "concatenation of concatenations": lambda n: nested(n),
    "slice": lambda n: n((1, 6, 9, 8)).apply(lambda v: SliceOp(v, start=(0, 2, 1, 0), size=(1, 3, 5, 8))).conv(4, 3),
    "slice of columns": lambda n: (
        n((1, 6, 9, 8)).apply(lambda v: SliceOp(v, start=(0, 0, 1, 3), size=(1, 6, 8, 4))).conv(4, 3)
    ),
    "slice with steps": lambda n: (
        n((1, 6, 9, 8)).apply(lambda v: SliceOp(v, start=(0, 0, 0, 1), size=(1, 6, 3, 4), step=(1, 1, 3, 2))).conv(4, 1)
    ),
    "slice as the output": lambda n: n((1, 6, 9, 8)).apply(lambda v: SliceOp(v, start=(0, 1, 0, 1), size=(1, 4, 9, 5))),
    "slice of a row, then a padded convolution": lambda n: (
        n((1, 3, 2, 8))
        .apply(lambda v: SliceOp(v, start=(0, 1, 0, 0), size=(1, 1, 1, 4), step=(1, 1, 1, 2)))
        .conv(2, 3, pad=1)
    ),
    "transpose": lambda n: n((1, 6, 9, 8)).apply(transpose(0, 2, 3, 1)),
    "transpose of the last two": lambda n: n((1, 6, 9, 8)).apply(transpose(0, 1, 3, 2)).conv(5, 3),
    "transpose, then a matrix product": lambda n: n((9, 12)).apply(transpose(1, 0)).fc(10),
    "channel shuffle": lambda n: (
        n((1, 6, 9, 8))
        .apply(reshape(1, 2, 3, 9, 8))
        .apply(transpose(0, 2, 1, 3, 4))
        .apply(reshape(1, 6, 9, 8))
        .conv(4, 3)
    ),
    "pad": lambda n: n((1, 3, 5, 6)).apply(lambda v: PadOp(v, before=(0, 1, 2, 0), after=(0, 0, 1, 3), value=-7.0)),
    "expand": lambda n: n((1, 3, 1, 5)).apply(lambda v: ExpandOp(v, shape=(2, 3, 4, 5))),
    "tile": lambda n: n((1, 3, 2, 5)).apply(lambda v: TileOp(v, repeats=(1, 2, 1, 3))),
    "depth to space": lambda n: n((1, 12, 4, 5)).apply(lambda v: DepthToSpaceOp(v, block=2)),
    "space to depth": lambda n: n((1, 3, 4, 6)).apply(lambda v: SpaceToDepthOp(v, block=2)).conv(4, 1),
    "attention": lambda n: attention(n((7, 20))),
    "weights with a zero point": lambda n: biased(n),
    "softmax": lambda n: softmax(n((6, 40)), 1),
    "softmax of unsigned": lambda n: softmax(n((6, 40), storage=n.UI8), 1),
    "softmax over channels": lambda n: softmax(n((2, 10, 5, 6)), 1),
    "layer norm": lambda n: normalize(n((7, 48)), (1,), center=UnitAttr()),
    "layer norm of planes": lambda n: normalize(n((2, 3, 5, 6)), (1, 2, 3), center=UnitAttr()),
    "root mean square norm": lambda n: normalize(n((2, 7, 48)), (2,), offset=False),
    "sums as they are": lambda n: thresholds(n((2, 4, 9, 8)), 0),
    "sums of a matrix product": lambda n: thresholds(n((7, 20)), 0),
    "thresholds of a convolution": lambda n: thresholds(n((2, 4, 9, 8)), 5),
    "thresholds for all channels": lambda n: thresholds(n((1, 4, 9, 8)), 20, shared=True).pool((2, 2), (2, 2)),
    "thresholds of a matrix product": lambda n: thresholds(n((7, 20)), 5, step=-3).fc(10),
    "thresholds of a depthwise convolution": lambda n: thresholds(n((1, 6, 9, 8)), 15, groups=6).conv(4, 3),
    "softmax to another scale": lambda n: softmax(n((7, 40)), 1, 0.0045),
    "softmax over planes to another scale": lambda n: softmax(n((2, 12, 5, 6)), 1, 0.003),
    "softmax to another scale of unsigned": lambda n: softmax(n((3, 4, 9), storage=n.UI8), 2, 0.005),
    "offsets of a convolution": lambda n: shifted(thresholds(n((2, 4, 9, 8)), 0), 1).apply(ReluOp),
    "offsets of a convolution, by halves": lambda n: shifted(thresholds(n((1, 4, 9, 8)), 0), 1, rounding="half_away"),
    "one offset of a convolution": lambda n: shifted(thresholds(n((1, 4, 9, 8)), 0), None).pool((2, 2), (2, 2)),
    "offsets of a depthwise convolution": lambda n: shifted(thresholds(n((1, 6, 9, 8)), 0, groups=6), 1).conv(4, 3),
    "offsets of two groups": lambda n: shifted(thresholds(n((1, 4, 9, 8)), 0, groups=2), 1).lookup(),
    "offsets of a matrix product": lambda n: shifted(thresholds(n((7, 20)), 0), 1, rounding="q31_half_even"),
    "offsets of channels": lambda n: shifted(n((2, 6, 9, 8)), 1, 2**30, 30),
    "offsets of columns": lambda n: shifted(n((9, 6)), 1, 2**30, 30, "trunc").apply(ReluOp),
    "one offset of bytes": lambda n: shifted(n((1, 6, 9, 8), storage=n.UI8), None, 2**30, 30),
    "sum with 16 bits for each column": lambda n: beside_wide(n((7, 20)).fc(12), (12,)).apply(ReluOp).fc(5),
    "sum with 16 bits for each channel": lambda n: beside_wide(n((2, 4, 9, 8)).conv(6, 3), (6, 1, 1)),
    "difference from 16 bits": lambda n: beside_wide(n((1, 4, 9, 8)), (), QSubOp),
    "16 bits less each channel": lambda n: beside_wide(n((2, 4, 9, 8), storage=n.UI8), (4, 1, 1), QSubOp, first=True),
    "transposed convolution": lambda n: transposed(n((2, 4, 5, 6)), 6, (4, 4), (2, 2), (1, 1, 1, 1)),
    "transposed, then a table, a relu, a pool": lambda n: transposed(
        n((1, 4, 5, 6)), 6, (3, 3), (2, 2), (1, 1, 1, 1), extra=(1, 1), rest=(AbsOp, ReluOp)
    ).pool((2, 2), (2, 2)),
    "transposed of odd sizes": lambda n: transposed(n((1, 4, 5, 6)), 3, (5, 2), (3, 2), (1, 0, 2, 1)),
    "transposed, kernel below stride": lambda n: transposed(n((1, 4, 5, 6)), 3, (2, 1), (3, 2), extra=(2, 1)),
    "transposed, dilated": lambda n: transposed(n((1, 4, 7, 6)), 3, (3, 3), (2, 2), (2, 0, 1, 1), dilation=(3, 2)),
    "transposed, stride 1": lambda n: transposed(n((1, 4, 5, 6)), 3, (3, 3), (1, 1), (1, 2, 1, 2)),
    "transposed, cropped": lambda n: transposed(n((1, 4, 7, 6)), 3, (3, 3), (2, 2), (4, 3, 5, 2)),
    "transposed, one dimension": lambda n: transposed(n((1, 4, 15)), 6, (8,), (4,), (2, 2)).conv(3, 3),
    "transposed in groups": lambda n: transposed(n((1, 4, 5, 6)), 3, (4, 4), (2, 2), (1, 1, 1, 1), groups=2),
    "transposed depthwise": lambda n: transposed(n((1, 4, 5, 6)), 1, (4, 4), (2, 2), (1, 1, 1, 1), groups=4),
    "transposed of unsigned, then a sum": lambda n: (
        m := transposed(n((1, 4, 5, 6), storage=n.UI8), 6, (2, 2), (2, 2))
    ).apply(lambda v: QAddOp(v, v, to=m.quant(2))),
    "unit length over channels": lambda n: normalize(n((2, 12, 5, 6)), (1,), offset=False, one=True),
}


def transposed(net, m, kernel, stride, pad=(), dilation=(), groups=1, extra=None, rest=()):
    """A transposed convolution with a scale for each channel where it has one group, and a bias."""
    c = shape_of(net.v.type)[1]
    w = net.rng.integers(-127, 128, (c, m, *kernel)).astype(np.int8)
    scales = net.scale_like(m * groups, w[:, 0].size)
    element = QuantType.per_channel(I8, scales, 1) if groups == 1 else QuantType.per_tensor(I8, scales[0])
    b = net.const(net.rng.integers(-3000, 3000, m * groups).astype(np.int32), tensor(I32, (m * groups,)))
    window = Window.of(kernel, stride, pad, dilation)
    weights = net.const(w, tensor(element, w.shape))
    net.finish(
        net.add(ConvTransposeOp(net.v, weights, b, window=window, groups=groups, output_pad=extra)),
        None,
        None,
        "half_up",
    )
    for op in rest:
        net.unary(op)
    return net


def softmax(net, axis, scale=None):
    """A softmax to its own scale, or by 16 bits to another one."""
    shape, element = shape_of(net.v.type), net.v.type.element_type
    table = exp_table(float(element.scale), shape[axis], 256).astype(np.int32)
    exp = net.const(table, tensor(I32, (256,)))
    to = softmax_type(net.storage if scale is None else I16)
    net.apply(lambda v: QSoftmaxOp(v, exp, axis=axis, to=to))
    if scale is None:
        return net
    requantized = QuantType.per_tensor(net.storage, scale, 20)
    return net.apply(lambda v: RequantizeOp(v, to=requantized))


def shifted(net, axis, largest=900, shift=20, rounding="half_up"):
    """Values times a multiplier, with an offset, by a power of two: one of all, or one for each step of an axis."""
    shape = shape_of(net.v.type)
    each = (1,) if axis is None else (shape[axis], *(1,) * (len(shape) - axis - 1))
    m = net.const(net.rng.integers(largest // 2, largest, each).astype(np.int32), tensor(I32, each))
    far = 40 << shift
    o = net.const(net.rng.integers(-far, far, each).astype(np.int64), tensor(I64, each))
    to = QuantType.per_tensor(net.storage, 0.05, 3)
    return net.apply(lambda v: RequantShiftOp(v, m, o, shift=shift, to=to, rounding=rounding))


def beside_wide(net, shape, op=QAddOp, first=False):
    """A sum or difference with a constant in int16."""
    to, wide = net.quant(1.2), QuantType.per_tensor(I16, 2.0**-16, -9)
    c = net.const(net.rng.integers(-(2**15), 2**15, shape).astype(np.int16), tensor(wide, shape))
    return net.apply(lambda v: op(c, v, to=to) if first else op(v, c, to=to))


def normalize(net, axes, offset=True, one=False, **options):
    shape = tuple(n if i in axes and not one else 1 for i, n in enumerate(shape_of(net.v.type)))
    multiplier = net.rng.integers(2**18, 2**19, shape).astype(np.int32)
    offsets = net.rng.integers(-(2**44), 2**44, shape).astype(np.int64)
    constants = [net.const(multiplier, tensor(I32, shape))]
    constants.append(net.const(offsets, tensor(I64, shape)) if offset else None)
    options |= {"axes": axes, "epsilon": 900, "shift": 42}
    return net.apply(lambda v: QNormalizeOp(v, *constants, to=net.quant(), **options))


def thresholds(net, levels, shared=False, step=2, groups=1):
    """Sums of 6 channels, as they are or counted against thresholds in no order."""
    shape, wide = shape_of(net.v.type), net.quant(0.01)
    if len(shape) == 2:
        acc = net.add(MatmulOp(net.v, net.values((shape[1], 6)), None))
    else:
        w = net.values((6, shape[1] // groups, 3, 3))
        acc = net.add(ConvOp(net.v, w, None, window=Window.of((3, 3), pad=(1, 1, 0, 0)), groups=groups))
    net.v = acc
    if levels:
        t = net.rng.integers(-60000, 60000, (1 if shared else 6, levels)).astype(np.int32)
        options = {"to": wide, "first": -levels, "step": step, "axis": 1}
        net.v = net.add(ThresholdOp(acc, net.const(t, tensor(I32, t.shape)), **options))
    return net


def gate(n):
    """Squeeze and excitation: a factor for each channel, made of the value itself."""
    net = n((1, 4, 8, 9)).conv(6, 3, pad=1)
    whole = net.v
    average(net, (8, 9)).conv(6, 1, relu=SigmoidOp)
    net.v = net.add(QMulOp(whole, net.v, to=net.quant(0.5)))
    return net.conv(3, 1)


def extreme(n, op):
    net = n((1, 4, 8, 9))
    other = net.add(ReluOp(net.v))
    flipped = net.add(TransposeOp(other, perm=(0, 1, 2, 3)))
    net.v = net.add(op(net.add(SigmoidOp(net.v)), flipped))
    return net


def pool_and_sum(n):
    net = n((1, 4, 8, 8))
    window = Window.of((3, 3), (1, 1), (1, 1, 1, 1))
    first = net.v
    net.v = net.add(QAvgPoolOp(net.v, window=window, to=net.quant()))
    net.v = net.add(QAddOp(net.v, first, to=net.quant(2)))
    return net.apply(ReluOp)


def nested(n):
    net = branches(n((1, 4, 9, 8)), tails=((pooled,), (clip,)))
    inner = net.v
    other = net.conv(3, 1).v
    element = inner.type.element_type
    other = net.add(RequantizeOp(other, to=element))
    net.v = net.add(ConcatOp([other, inner], axis=1))
    return net


def biased(n):
    net = n((5, 40))
    w = net.values((40, 12), zero=9)
    net.v = net.add(RequantizeOp(net.add(MatmulOp(net.v, w, None)), to=net.quant(20)))
    return net


@pytest.fixture(scope="module")
def built(nets):
    """Each network once, with an input and the interpreter's outputs."""
    made = {}

    def make(shape, **options):
        return nets.Net(shape, **options)

    make.UI8 = nets.UI8
    make.T = nets.QuantType.per_tensor(nets.I8, 0.07, 5)

    def get(name):
        if name not in made:
            module, ctx = FORMS[name](make).done()
            shape = shape_of(main_function(module).body.block.args[0].type)
            x = np.random.default_rng(3).normal(0, 1.5, shape).astype(np.float32)
            made[name] = module, ctx, x, evaluate(module, [x], store_of(ctx))
        return made[name]

    return get


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("target", ["edge", "small"])
def test_bits_and_bytes(nets, built, name, target):
    module, ctx, x, expected = built(name)
    arch = nets.small(1100 if "softmax" in name else 400) if target == "small" else load_target(target)
    scheduled = nets.schedule(module, ctx, arch)
    outputs, run = Executable(assemble(scheduled, ctx), arch).run([x])
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    assert len(np.unique(expected[0])) > 3
    moved = traffic(scheduled)
    assert (moved.read, moved.write) == (run.total["dram_read"], run.total["dram_write"])


def grow(net, rng):
    """One more random operation on planes."""
    n, c, h, w = shape_of(net.v.type)
    before, kind = net.v, int(rng.integers(0, 12))
    if kind == 0 and min(h, w) > 3:
        return net.conv(int(rng.integers(1, 9)), 3, int(rng.integers(1, 3)), pad=int(rng.integers(0, 2)))
    if kind == 1:
        net.conv(c, 3, pad=1, groups=c if rng.random() < 0.5 else 1)
        pair = (net.v, before) if rng.random() < 0.5 else (before, net.v)
        join = (QAddOp, QSubOp, QMulOp)[int(rng.integers(0, 3))]
        net.v = net.add(join(*pair, to=net.quant(1.5)))
        return net.apply(ReluOp) if rng.random() < 0.5 else net
    if kind == 2:
        return average(
            net, (3, 3), (int(rng.integers(1, 3)),) * 2, (1, 1, 1, 1), count_pad=UnitAttr() if h % 2 else None
        )
    if kind == 3:
        return gated(net, before)
    if kind in (4, 5) and n * c * h * w < 4000:
        axis = int(rng.integers(1, 4))
        net.apply((pooled, clip, SigmoidOp)[int(rng.integers(0, 3))])
        net.v = net.add(ConcatOp([before, net.v] if rng.random() < 0.7 else [net.v, net.v], axis=axis))
        return net
    if kind == 6:
        return net.apply(transpose(0, *(1 + rng.permutation(3)).tolist()))
    if kind == 7:
        start = [int(rng.integers(0, (d + 1) // 2)) for d in (n, c, h, w)]
        size = [max(1, (d - s) // 2) for d, s in zip((n, c, h, w), start)]
        step = [int(rng.integers(1, 3)) if s + 2 * (m - 1) < d else 1 for d, s, m in zip((n, c, h, w), start, size)]
        return net.apply(lambda v: SliceOp(v, start=tuple(start), size=tuple(size), step=tuple(step)))
    if kind == 8:
        return net.apply(lambda v: RequantizeOp(v, to=net.quant(1.2)))
    if kind == 9:
        return net.lookup(int(rng.integers(0, 9)))
    if kind == 10 and h * w < 300:
        return net.apply(lambda v: PadOp(v, before=(0, 1, 0, 2), after=(0, 0, 1, 0), value=3.0))
    return net.pool((2, 2), (1, 1)) if min(h, w) > 2 else net


def gated(net, whole):
    """The value times a number for each channel, made of it."""
    _, c, h, w = shape_of(net.v.type)
    average(net, (h, w)).conv(c, 1)
    net.v = net.add(QMulOp(whole, net.v, to=net.quant(2)))
    return net


@pytest.mark.parametrize("count", [12, pytest.param(300, marks=pytest.mark.full)])
def test_random_forms(nets, count):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        net = nets.Net((int(rng.integers(1, 3)), int(rng.integers(1, 7)), *rng.integers(5, 12, 2).tolist()), seed)
        for _ in range(int(rng.integers(2, 9))):
            grow(net, rng)
        module, ctx = net.done()
        x = rng.normal(0, 1.5, shape_of(main_function(module).body.block.args[0].type)).astype(np.float32)
        expected = evaluate(module, [x], store_of(ctx))
        for arch in (nets.small(), load_target("edge")):
            scheduled = nets.schedule(module, ctx, arch, slack=seed % 3 * 20)
            outputs, run = Executable(assemble(scheduled, ctx), arch).run([x], seed=seed)
            np.testing.assert_array_equal(outputs[0], expected[0], err_msg=f"seed {seed}")
            moved = traffic(scheduled)
            assert (moved.read, moved.write) == (run.total["dram_read"], run.total["dram_write"])


SAVED = [("concatenation of a batch", ""), ("attention", ""), ("pad", ""), ("layer norm", ""), ("transpose", "")]


@pytest.mark.parametrize(("name", "target"), [*SAVED, ("pad in many tiles", "small")])
def test_a_schedule_is_saved_and_assembled_later(nets, built, name, target, tmp_path):
    module, ctx, _, _ = built(name)
    for op in module.walk():
        op.location = NameLoc(StringAttr("layer"), NoneAttr())
    scheduled = nets.schedule(module, ctx, nets.small() if target else load_target())
    text.save(scheduled, ctx, tmp_path / "net.mlir")
    assert assemble(*text.load(tmp_path / "net.mlir")).to_bytes() == assemble(scheduled, ctx).to_bytes()


def test_parts_of_a_concatenation_are_written_in_place(nets, built):
    module, ctx, _, _ = built("concatenation")
    scheduled = nets.schedule(module, ctx, load_target())
    assert not any(isinstance(op, BufferOp) and op.label.data.endswith(".move") for op in scheduled.walk())
    moved = sum(int(np.prod(shape_of(r.type))) for op in module.walk() if isinstance(op, GroupOp) for r in op.results)
    assert traffic(scheduled).write == moved - 3 * 6 * 9 * 8


def test_a_transposed_convolution_takes_no_more_products(nets, built):
    """Each input times each weight once, where the pads crop what one phase makes."""
    module, ctx, x, _ = built("transposed convolution")
    (op,) = (o for o in module.walk() if isinstance(o, ConvTransposeOp))
    edge = load_target("edge")
    _, run = Executable(assemble(nets.schedule(module, ctx, edge), ctx), edge).run([x])
    assert run.total["macs"] == op.work().macs
