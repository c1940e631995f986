"""Thresholds too many to write out one by one: a loop over those of each channel."""

from __future__ import annotations

from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.text import index, numpy_type, shifted
from dnnc.ir.dnn.attributes import normal_axis
from dnnc.ir.dnn.rescale import ThresholdOp


def counts_sums(op: ThresholdOp) -> bool:
    """Whether the loop is written for these types: bytes of int32 sums."""
    return numpy_type(op.x) == np.int32 and numpy_type(op.result).itemsize == 1


def emit_thresholds(kernel: Kernel, op: ThresholdOp) -> None:
    """Level q = first + step * (number of thresholds of its channel not above x)."""
    t, shape = kernel.value(op.thresholds), op.shape()
    assert t is not None
    axis = normal_axis(op.axis.data, len(shape))
    outer, channels, inner = (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
    if len(t) == 1:
        outer, channels, inner = 1, 1, prod(shape)
    x, y, levels = kernel.x(op.x), f"(uint8_t *){kernel.y()}", kernel.constant(t)
    numbers = f"{t.shape[1]}, {op.first.data}, {op.step.data}"
    with kernel.code.nest((outer, channels)) as (o, c):
        at = index([o, c], [channels * inner, inner])
        of = shifted(levels, index([c], [t.shape[1]]))
        kernel.code.add(f"dnnc_levels({shifted(y, at)}, {shifted(x, at)}, {inner}, {of}, {numbers});")
