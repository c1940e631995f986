"""Multipliers with offsets, and thresholds, as C: every bit the interpreter's, without a warning."""

import numpy as np

from dnnc.ir.dnn.movement import StorageCastOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.rescale import ROUNDERS, RequantShiftOp, ThresholdOp
from dnnc.ir.types import QuantType, element_names

I8, U8, I16, I32 = (element_names()[n] for n in ("i8", "ui8", "i16", "i32"))
SUMS = QuantType.per_tensor(I32, 1.0)


def sums(net, rng, *shape):
    return net.input(rng.integers(-(2**20), 2**20, shape).astype(np.int32), SUMS)


def test_multipliers_with_offsets(net, rng):
    for rounding in ROUNDERS:
        for name, to, zero, shape in (("each", I8, 3, (3, 1, 1)), ("one", U8, 128, (1,)), ("wide", I16, 0, (3, 1, 1))):
            x = sums(net, rng, 2, 3, 4, 5)
            m = net.const(rng.integers(-900, 900, shape).astype(np.int32))
            o = net.const(rng.integers(-(2**40), 2**40, shape) >> 20)
            op = RequantShiftOp(x, m, o, shift=16, to=QuantType.per_tensor(to, 1.0, zero), rounding=rounding)
            net.output(f"{rounding}_{name}", net.group(op))
    zero_shift = RequantShiftOp(sums(net, rng, 9), net.const(np.array([1], np.int32)), net.const(np.array([5])), shift=0,
                                to=QuantType.per_tensor(I8, 1.0))  # fmt: skip
    net.output("no_shift", net.add(zero_shift))
    net.check()


def test_stated_multipliers(net, rng):
    each = QuantType.per_channel(I32, [1.0, 1.0, 1.0], 1)
    x = net.input(rng.integers(-(2**20), 2**20, (2, 3, 7)).astype(np.int32), each)
    to = QuantType.per_tensor(U8, 1.0)
    net.output("each", net.group(RequantizeOp(x, to=to, rounding="half_up", multiplier=(514, 3, 70000), shift=16)))
    one = RequantizeOp(sums(net, rng, 4, 9), to=to, rounding="half_up", multiplier=(514,), shift=16)
    net.output("one", net.group(one))
    net.check()


def test_thresholds(net, rng):
    real = rng.normal(0, 3, (2, 3, 4, 5)).astype(np.float32)
    for name, count, to in (("bit", 1, I8), ("nibble", 15, U8)):
        for channels in (1, 3):
            t = np.sort(rng.normal(0, 3, (channels, count)).astype(np.float32))
            t[0, 0] = real[0, 0, 0, 0]
            kind = QuantType.per_tensor(to, 0.5)
            params = {"to": kind, "first": -1 if to is I8 else 0, "step": 2 if to is I8 else 1}
            net.output(f"{name}_{channels}", net.add(ThresholdOp(net.input(real), net.const(t), **params)))
            whole = net.const(np.sort(rng.integers(-(2**20), 2**20, (channels, count))).astype(np.int32))
            net.output(f"{name}_{channels}_sums", net.group(ThresholdOp(sums(net, rng, 2, 3, 4, 5), whole, **params)))
    last = ThresholdOp(net.input(np.moveaxis(real, 1, -1).copy()), net.const(t), axis=3, **params)
    net.output("last_axis", net.add(last))
    net.check()


def test_storage_casts(net, rng):
    kind = QuantType.per_tensor(I8, 0.5, 3)
    x = net.input(rng.integers(-128, 128, (3, 5)).astype(np.int8))
    net.output("there", net.add(StorageCastOp(net.add(StorageCastOp(x, to=kind)), to=I8)))
    net.check()
