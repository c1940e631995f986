"""Reductions over axes or over windows: each is a map of one element, an associative step and a finish."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir import scalar as S
from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Int, Ints, Window, WindowAttr, normal_axes, normal_axis
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.contraction import by_blocks, padded, patches
from dnnc.ir.types import I64, QuantType, dtype, integer_range, is_float, tensor, tensor_text, type_name

_NARROW = (2, 1)  # bytes of floats that are accumulated in float32


def lowest(element: Any) -> float:
    """The identity of max: -infinity, or the smallest integer of the type."""
    if is_float(element):
        return float("-inf")
    return integer_range(element.storage if isinstance(element, QuantType) else element)[0]


class Reduction(DnnOp):
    """y = finish(step over i of map(x[i]), n), n the number of elements reduced."""

    STEP: ClassVar[str] = "add"

    def map(self, x: Any) -> Any:
        """What each element contributes."""
        return x

    def keeps_type(self) -> bool:
        return self.STEP in ("maximum", "minimum")

    def finish(self, total: Any, n: Any) -> Any:
        """The result from the accumulated total of n elements."""
        return total

    def identity(self) -> float:
        """Where the accumulation starts."""
        if self.STEP in ("add", "mul"):
            return float(self.STEP == "mul")
        return lowest(self.element()) if self.STEP == "maximum" else highest(self.element())

    def reduce(self, x: np.ndarray, axes: tuple[int, ...], n: Any, keepdims: bool = False) -> np.ndarray:
        """Map, accumulate over `axes`, finish; narrow floats accumulate in float32, the result is of x's type."""
        narrow = is_float(self.element()) and x.dtype.itemsize in _NARROW
        kind = np.dtype(np.float32) if narrow else x.dtype
        if x.dtype == np.bool_ and self.STEP in ("add", "mul"):
            kind = np.dtype(np.int64)
        with np.errstate(all="ignore"):
            mapped = np.asarray(self.map(x.astype(kind, copy=False)))
            initial = np.asarray(self.identity()).astype(kind)
            ufunc = S.FUNCTIONS[self.STEP].numpy
            total = ufunc.reduce(mapped, axis=axes, keepdims=keepdims, initial=initial, dtype=kind)  # pyright: ignore
            return np.asarray(self.finish(total, n)).astype(x.dtype)

    def work(self) -> Work:
        reads = self.reads()
        per = 1 + S.count(S.trace(self.map, 1))
        return Work(ops=reads * per, elements=self.elements())

    def reads(self) -> int:
        """Elements accumulated in all."""
        return prod(self.shape())


def highest(element: Any) -> float:
    """The identity of min: infinity, or the largest integer of the type."""
    if is_float(element):
        return float("inf")
    return integer_range(element.storage if isinstance(element, QuantType) else element)[1]


def kept_shape(shape: tuple[int, ...], axes: Sequence[int], keepdims: bool) -> tuple[int, ...]:
    """The shape after a reduction over axes, which stay with size 1 under `keepdims`."""
    return tuple(1 if i in axes else d for i, d in enumerate(shape) if keepdims or i not in axes)


def _not_quantized(op: DnnOp, instead: str) -> None:
    """Verify that an operand is not quantized: sums of storage values would ignore the zero point."""
    element = op.element()
    plain = not isinstance(element, QuantType)
    expect(plain, "an operand that is not quantized", type_name(element), f"Use {instead}.", code="E0428")


class AxisReduction(Reduction):
    """A reduction over `axes`; they stay with size 1 under `keepdims`."""

    x = operand_def(TensorType)
    axes = prop_def(Ints)
    keepdims = opt_prop_def(UnitAttr)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        axes = normal_axes(self.axes.data, len(self.shape()))
        expect(axes == self.axes.data, "ascending axes counted from the start", str(list(self.axes.data)), code="E0414")
        if not self.keeps_type():
            _not_quantized(self, "an integer form")
        return tensor(self.element(), kept_shape(self.shape(), axes, self.keepdims is not None))

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        n = prod(x.shape[a] for a in self.axes.data)
        return self.reduce(x, self.axes.data, n, self.keepdims is not None)


@irdl_op_definition
class ReduceSumOp(AxisReduction):
    """y = sum of x[i]."""

    name = "dnn.reduce_sum"


@irdl_op_definition
class ReduceMeanOp(AxisReduction):
    """y = (sum of x[i]) / n."""

    name = "dnn.reduce_mean"

    def finish(self, total, n):
        return total / n


@irdl_op_definition
class ReduceMaxOp(AxisReduction):
    """y = max of x[i]."""

    name = "dnn.reduce_max"
    STEP: ClassVar[str] = "maximum"


@irdl_op_definition
class ReduceMinOp(AxisReduction):
    """y = min of x[i]."""

    name = "dnn.reduce_min"
    STEP: ClassVar[str] = "minimum"


@irdl_op_definition
class ReduceProdOp(AxisReduction):
    """y = product of x[i]."""

    name = "dnn.reduce_prod"
    STEP: ClassVar[str] = "mul"


@irdl_op_definition
class ReduceL1Op(AxisReduction):
    """y = sum of |x[i]|."""

    name = "dnn.reduce_l1"

    def map(self, x):
        return S.abs(x)


@irdl_op_definition
class ReduceL2Op(AxisReduction):
    """y = sqrt(sum of x[i]^2)."""

    name = "dnn.reduce_l2"

    def map(self, x):
        return x * x

    def finish(self, total, n):
        return S.sqrt(total)


@irdl_op_definition
class ReduceSumSquareOp(AxisReduction):
    """y = sum of x[i]^2."""

    name = "dnn.reduce_sum_square"

    def map(self, x):
        return x * x


@irdl_op_definition
class ReduceLogSumOp(AxisReduction):
    """y = ln(sum of x[i])."""

    name = "dnn.reduce_log_sum"

    def finish(self, total, n):
        return S.log(total)


class ArgReduction(DnnOp):
    """Index along `axis` of an extreme element as i64; of equal ones the first, or the last under `last`."""

    x = operand_def(TensorType)
    axis = prop_def(Int)
    keepdims = opt_prop_def(UnitAttr)
    last = opt_prop_def(UnitAttr)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        shape = self.shape()
        axis = normal_axis(self.axis.data, len(shape))
        kept = (1,) if self.keepdims is not None else ()
        return tensor(I64, shape[:axis] + kept + shape[axis + 1 :])

    def pick(self, x: np.ndarray, axis: int) -> np.ndarray:
        """Index of the first extreme element."""
        raise NotImplementedError

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        axis = normal_axis(self.axis.data, x.ndim)
        index = x.shape[axis] - 1 - self.pick(np.flip(x, axis), axis) if self.last is not None else self.pick(x, axis)
        index = np.asarray(index, np.int64)
        return np.expand_dims(index, axis) if self.keepdims is not None else index

    def work(self) -> Work:
        return Work(ops=prod(self.shape()), elements=self.elements())


@irdl_op_definition
class ArgMaxOp(ArgReduction):
    """y = the index i of the largest x[i] along the axis."""

    name = "dnn.arg_max"

    def pick(self, x: np.ndarray, axis: int) -> np.ndarray:
        return np.argmax(x, axis)


@irdl_op_definition
class ArgMinOp(ArgReduction):
    """y = the index i of the smallest x[i] along the axis."""

    name = "dnn.arg_min"

    def pick(self, x: np.ndarray, axis: int) -> np.ndarray:
        return np.argmin(x, axis)


def window_counts(size: Sequence[int], win: Window, count_pad: bool) -> np.ndarray:
    """Elements of each window [E, F] that lie inside an input of spatial `size`, or inside its padding too."""
    counts = np.ones((), np.int64)
    for h, k, u, d, (before, after), o in zip(size, win.kernel, win.stride, win.dilation, win.pads, win.output(size)):
        at = np.arange(o)[:, None] * u + np.arange(k) * d
        low, high = (0, before + h + after) if count_pad else (before, before + h)
        counts = np.multiply.outer(counts, ((at >= low) & (at < high)).sum(1))
    return counts


class Pool(Reduction):
    """A reduction over the window at each output position of x [N, C, spatial...]."""

    BLOCKS: ClassVar[bool] = False  # whether it may run in blocks
    x = operand_def(TensorType)
    window = prop_def(WindowAttr)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        shape, win = self.shape(), self.window.data
        expect(len(shape) == win.rank + 2, f"an input of rank {win.rank + 2}", tensor_text(self.x.type), code="E0418")
        win.check(shape[2:], self.BLOCKS)
        return tensor(self.element(), (*shape[:2], *win.output(shape[2:])))

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        win = self.window.data
        view = patches(padded(x, win, self.identity()), win)
        return self.reduce(view, tuple(range(2 + win.rank, view.ndim)), self.count())

    def count(self) -> Any:
        """Elements reduced at each output position."""
        return prod(self.window.data.kernel)

    def reads(self) -> int:
        return self.elements() * prod(self.window.data.kernel)


@irdl_op_definition
class MaxPoolOp(Pool):
    """y[n][c][e][f] = max over the window of x; padding never wins."""

    name = "dnn.max_pool"
    STEP: ClassVar[str] = "maximum"
    BLOCKS: ClassVar[bool] = True

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        return by_blocks(x, self.window.data, self._largest)

    def _largest(self, x: np.ndarray, win: Window) -> np.ndarray:
        view = patches(padded(x, win, self.identity()), win)
        y = None
        for tap in np.ndindex(*win.kernel):  # R * S steps over whole outputs: faster than a strided reduction
            part = view[(Ellipsis, *tap)]
            y = part if y is None else np.maximum(y, part)
        assert y is not None
        return np.ascontiguousarray(y)


@irdl_op_definition
class ArgMaxPoolOp(Pool):
    """y[n][c][e][f] = flat index in x [N, C, spatial...] of the first largest element of the window, as i64.

    Spatial indices count row by row, or column by column under `column_major`.
    """

    name = "dnn.arg_max_pool"
    column_major = opt_prop_def(UnitAttr)

    def keeps_type(self) -> bool:
        return False

    def infer(self) -> TensorType:
        return tensor(I64, super().infer().get_shape())

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        win = self.window.data
        n, c, *hw = x.shape
        spatial = np.arange(prod(hw)).reshape(hw, order="F" if self.column_major is not None else "C")
        index = spatial + (np.arange(n * c) * prod(hw)).reshape(n, c, *(1,) * win.rank)
        low = lowest(self.element())
        values = patches(padded(x, win, low), win)
        places = patches(padded(index, win, -1), win)
        flat = (*values.shape[: 2 + win.rank], -1)
        values, places = values.reshape(flat), places.reshape(flat)
        first = np.where(places >= 0, values, low).argmax(-1)[..., None]
        return np.take_along_axis(places, first, -1)[..., 0]


@irdl_op_definition
class AvgPoolOp(Pool):
    """y = (sum over the window of x) / n; n counts elements inside the input, or padding too under `count_pad`."""

    name = "dnn.avg_pool"
    count_pad = opt_prop_def(UnitAttr)

    def finish(self, total, n):
        return total / n

    def count(self) -> np.ndarray:
        counts = window_counts(self.shape()[2:], self.window.data, self.count_pad is not None)
        kind = dtype(self.element()) if is_float(self.element()) else np.dtype(np.int64)
        return counts.astype(np.float32 if kind.itemsize in _NARROW else kind)

    def infer(self) -> TensorType:
        _not_quantized(self, "dnn.qavg_pool")
        return super().infer()


@irdl_op_definition
class LpPoolOp(Pool):
    """y = (sum over the window of |x|^p)^(1/p)."""

    name = "dnn.lp_pool"
    p = opt_prop_def(Int, default_value=Int(2))

    def infer(self) -> TensorType:
        _not_quantized(self, "dnn.dequantize")
        expect(self.p.data >= 1, "p of at least 1", str(self.p.data), code="E0433")
        return super().infer()

    def map(self, x):
        return x * x if self.p.data == 2 else S.pow(S.abs(x), float(self.p.data))

    def finish(self, total, n):
        return S.sqrt(total) if self.p.data == 2 else S.pow(total, 1.0 / self.p.data)


@irdl_op_definition
class CumSumOp(DnnOp):
    """y[i] = sum of x[j] for j <= i along the axis (j < i if `exclusive`), from the end if `reverse`."""

    name = "dnn.cum_sum"
    x = operand_def(TensorType)
    axis = prop_def(Int)
    exclusive = opt_prop_def(UnitAttr)
    reverse = opt_prop_def(UnitAttr)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        normal_axis(self.axis.data, len(self.shape()))
        _not_quantized(self, "dnn.dequantize")
        return tensor(self.element(), self.shape())

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        axis = self.axis.data
        v = np.flip(x, axis) if self.reverse is not None else x
        y = np.cumsum(v, axis, dtype=x.dtype)
        if self.exclusive is not None:
            y = y - v
        return np.flip(y, axis) if self.reverse is not None else y
