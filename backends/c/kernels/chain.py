"""What follows integer sums in their unit: requantize with the clips after it, then the other operations on elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from xdsl.ir import SSAValue

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.elementwise import Walk, emit_walk
from dnnc.backends.c.kernels.rescale import Rescale
from dnnc.backends.c.kernels.steps import clip_of, table_of
from dnnc.backends.c.text import index, numpy_type, shifted, strides_to
from dnnc.ir import fixed
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.types import QuantType


def signed_bytes(kernel: Kernel, weights: SSAValue) -> np.ndarray | None:
    """Constant weights less their zero point, as int8; None when they are computed or do not fit."""
    array, element = kernel.value(weights), weights.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    if array is None or not isinstance(element, QuantType) or element.storage.width.data > 8:  # pyright: ignore
        return None
    axis = element.axis
    zero = element.zero if axis is None else element.zero.reshape(*(-1 if d == axis else 1 for d in range(array.ndim)))
    w = array.astype(np.int64) - zero
    return w.astype(np.int8) if w.size and w.min() >= -128 and w.max() <= 127 else None


@dataclass(frozen=True)
class Levels:
    """Thresholds [channels, count] in place of a requantize: first + step * (number of them reached)."""

    thresholds: str
    count: int
    first: int
    step: int


@dataclass
class Chain:
    """The operations after a contraction. `rescale` and `levels` are None when its int32 sums are the result of the unit.

    `result` is the value `store` leaves; q and shift point to one multiplier a channel.
    """

    kernel: Kernel
    result: SSAValue
    rest: Sequence[DnnOp]
    rescale: Rescale | None
    q: str
    shift: str
    byte: int
    flip: bool
    bias: np.ndarray
    levels: Levels | None = None

    @staticmethod
    def of(kernel: Kernel, op: ConvOp | ConvTransposeOp | MatmulOp, w: np.ndarray) -> Chain:
        """The chain of a unit whose head sums bytes times weights [channels, products]."""
        x = op.element(0)
        assert isinstance(x, QuantType)
        flip = np.issubdtype(numpy_type(op.operands[0]), np.signedinteger)
        byte = int(x.zero) + (128 if flip else 0)
        bias = np.zeros(len(w), np.int64) if op.bias is None else _bias(kernel, op.bias, len(w))
        bound = int(np.max(fixed.accumulator_bound(w.astype(np.int64), 0, 255, byte, bias), initial=0))
        chain = Chain.after(kernel, op, len(w), bound)
        total = bias - byte * w.reshape(len(w), -1).astype(np.int64).sum(1)
        return replace(chain, byte=byte, flip=flip, bias=total.astype(np.int32))

    @staticmethod
    def after(kernel: Kernel, op: DnnOp, channels: int, bound: int) -> Chain:
        """The chain after a head whose sums are at most `bound`, with a multiplier for each of its channels."""
        ops = list(kernel.unit.ops[1:])
        empty = np.zeros(channels, np.int32)
        if not ops:
            return Chain(kernel, op.results[0], (), None, "", "", 0, False, empty)
        first = ops.pop(0)
        if isinstance(first, ThresholdOp):
            levels = _levels(kernel, first, channels)
            return Chain(kernel, first.result, ops, None, "", "", 0, False, empty, levels)
        assert isinstance(first, RequantizeOp) and isinstance(first.to, QuantType)
        q, shift = (np.broadcast_to(m, (channels,)) for m in first.multipliers())
        rescale = Rescale.to(first.to, (q, shift), first.rounding.data, bound)
        result = first.result
        while ops and (clip := _clip(kernel, ops[0])) is not None:
            rescale = replace(rescale, low=max(rescale.low, clip[0]), high=max(clip[0], min(rescale.high, clip[1])))
            result = ops.pop(0).results[0]
        names = kernel.constant(q.astype(np.int32)), kernel.constant(shift.astype(np.uint8))
        return Chain(kernel, result, ops, rescale, *names, 0, False, empty)

    @property
    def narrow(self) -> bool:
        """Whether `store` makes fewer bits of the sums."""
        return self.rescale is not None or self.levels is not None

    @property
    def dtype(self) -> np.dtype:
        """The type `store` writes."""
        return numpy_type(self.result)

    def store(self, y: str, sums: str, count: str, channel: str) -> str:
        """Statement that leaves `count` sums of one channel in y."""
        if self.levels is not None:
            place = index([channel], [self.levels.count])
            return self._reached("dnnc_levels", y, sums, count, shifted(self.levels.thresholds, place))
        if self.rescale is None:
            return f"memcpy({y}, {sums}, (size_t){count} * sizeof(int32_t));"
        return self._row(y, sums, count, f"{self.q}[{channel}]", f"{self.shift}[{channel}]", False)

    def store_each(self, y: str, sums: str, count: str) -> str:
        """Statement that leaves `count` sums in y, each of its own channel."""
        if self.levels is not None:
            return self._reached("dnnc_levels_each", y, sums, count, self.levels.thresholds)
        if self.rescale is None:
            return f"memcpy({y}, {sums}, (size_t){count} * sizeof(int32_t));"
        return self._row(y, sums, count, self.q, self.shift, True)

    def _reached(self, function: str, y: str, sums: str, count: str, thresholds: str) -> str:
        assert self.levels is not None
        numbers = f"{self.levels.count}, {self.levels.first}, {self.levels.step}"
        return f"{function}((uint8_t *)({y}), {sums}, {count}, {thresholds}, {numbers});"

    def _row(self, y: str, sums: str, count: str, q: str, shift: str, each: bool) -> str:
        assert self.rescale is not None
        bits = self.dtype.itemsize * 8
        pointer = y if self.dtype.kind == "u" else f"(uint{bits}_t *)({y})"
        return self.rescale.row(bits, pointer, sums, count, q, shift, each)

    def emit_rest(self, part: Callable[[], Walk]) -> None:
        """The remaining operations on the part of the result that a walk covers, in place."""
        if not self.rest:
            return
        walk = part()
        strides = strides_to(walk.target, walk.target)
        y = walk.array(self.kernel.y(), strides, walk.offset(strides))
        emit_walk(self.kernel, walk, y, self.rest, {self.result: (y,)})


def _levels(kernel: Kernel, op: ThresholdOp, channels: int) -> Levels:
    t = kernel.value(op.thresholds)
    assert t is not None
    each = np.broadcast_to(t, (channels, t.shape[1]))
    return Levels(kernel.constant(each), t.shape[1], op.first.data, op.step.data)


def _bias(kernel: Kernel, value: SSAValue, channels: int) -> np.ndarray:
    array = kernel.value(value)
    assert array is not None
    return np.broadcast_to(array.reshape(-1), (channels,)).astype(np.int64)


def _clip(kernel: Kernel, op: DnnOp) -> tuple[int, int] | None:
    table = table_of(kernel, op)
    same = table is not None and numpy_type(op.operands[0]) == numpy_type(op.results[0])
    return clip_of(table) if same and table is not None else None
