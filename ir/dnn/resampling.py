"""Resampling: operations whose result along an axis is a table of places in the operand, with weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir.diagnostics import expect, support
from dnnc.ir.dnn.attributes import Ints, Real, Reals, Word
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.quantize import stored_value
from dnnc.ir.types import is_float, tensor, tensor_text, type_name

_BORDERS = ("reflect", "edge", "wrap")


@irdl_op_definition
class BorderPadOp(DnnOp):
    """y[i] = x[table[i]], the border made of x itself: mirrored (reflect), its last element (edge) or periodic (wrap)."""

    name = "dnn.border_pad"
    x = operand_def(TensorType)
    before = prop_def(Ints)
    after = prop_def(Ints)
    mode = prop_def(Word)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        shape, before, after = self.shape(), self.before.data, self.after.data
        expect(self.mode.data in _BORDERS, f"a mode of {', '.join(_BORDERS)}", self.mode.data, code="E0432")
        expect(len(before) == len(after) == len(shape), f"pads of {len(shape)} dimensions", len(before), code="E0434")
        expect(
            min((*before, *after), default=0) >= 0, "pads of at least 0", f"{list(before)}, {list(after)}", code="E0433"
        )
        padded = [d for d, b, a in zip(shape, before, after) if a or b]
        expect(0 not in padded, "padded dimensions with elements", tensor_text(self.x.type), code="E0443")
        return tensor(self.element(), tuple(b + d + a for b, d, a in zip(before, shape, after)))

    def tables(self) -> tuple[np.ndarray, ...]:
        """For each dimension, the index in x of every index in y."""
        mode = self.mode.data
        pads = zip(self.shape(), self.before.data, self.after.data)
        return tuple(np.pad(np.arange(d), (b, a), mode=mode) if a or b else np.arange(d) for d, b, a in pads)  # pyright: ignore

    def keeps_type(self) -> bool:
        return True

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        for axis, table in enumerate(self.tables()):
            x = x if len(table) == x.shape[axis] else np.take(x, table, axis)
        return x

    def work(self) -> Work:
        return Work(elements=self.elements())


@dataclass(frozen=True)
class Taps:
    """One axis of a resize: y[o] = sum over k of weight[o, k] * x[index[o, k]], a fixed value where `outside[o]`."""

    index: np.ndarray  # int64 [out, k], clamped to the axis
    weight: np.ndarray  # float32 [out, k]
    outside: np.ndarray  # bool [out]


@irdl_op_definition
class ResizeOp(DnnOp):
    """y[o] = sum over k of w[o, k] * x[i[o, k]] along each axis in turn; taps i and weights w follow from the parameters.

    The place of o in x is `coordinates(o)`, by default (o + 1/2) / scale - 1/2, scale = size of y / size of x. Nearest
    rounds it, linear takes two neighbours, cubic four with Keys' kernel; `antialias` widens the kernel by 1 / scale
    when shrinking. Names and formulas are those of ONNX Resize.
    """

    name = "dnn.resize"
    x = operand_def(TensorType)
    size = prop_def(Ints)
    mode = prop_def(Word)
    scale = opt_prop_def(Reals)
    coordinates = opt_prop_def(Word, default_value=Word("half_pixel"))
    rounding = opt_prop_def(Word, default_value=Word("round_prefer_floor"))
    cubic = opt_prop_def(Real, default_value=Real(-0.75))
    exclude_outside = opt_prop_def(UnitAttr)
    antialias = opt_prop_def(UnitAttr)
    region = opt_prop_def(Reals)
    extrapolation = opt_prop_def(Real, default_value=Real(0.0))
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        shape, size, rank = self.shape(), self.size.data, len(self.shape())
        expect(len(size) == rank, f"a size of {rank} dimensions", str(list(size)), code="E0434")
        empty = any(d == 0 < n for d, n in zip(shape, size))
        expect(min(size, default=0) >= 0 and not empty, "a size that the input can fill", str(list(size)), code="E0443")
        expect(self.scale is None or len(self.scale.data) == rank, f"{rank} scales", self.scale, code="E0434")
        expect(
            min(self.scales(), default=1.0) > 0 or 0 in size, "positive scales", str(list(self.scales())), code="E0433"
        )
        for name, allowed in (("mode", _MODES), ("coordinates", _COORDINATES), ("rounding", _ROUNDINGS)):
            word = getattr(self, name).data
            expect(word in allowed, f"{name} of {', '.join(allowed)}", word, code="E0432")
        crop = self.coordinates.data == "tf_crop_and_resize"
        given = self.region is not None and len(self.region.data) == 2 * rank
        expect(given or not crop, f"a region of {2 * rank} values", self.region, code="E0434")
        plain = self.mode.data == "nearest" or is_float(self.element())
        support(plain, f"a float input for mode {self.mode.data}", type_name(self.element()), code="E0428")
        return tensor(self.element(), size)

    def keeps_type(self) -> bool:
        return self.mode.data == "nearest"

    def outside(self) -> float:
        """What y holds in its storage type where its place lies outside x."""
        return stored_value(self.extrapolation.data, self.element())

    def scales(self) -> tuple[float, ...]:
        """Scale of each axis: as given, else output size over input size."""
        if self.scale is not None:
            return self.scale.data
        pairs = zip(self.size.data, self.shape())
        return tuple(float(np.float32(n) / np.float32(d)) if d else 1.0 for n, d in pairs)

    def axes(self) -> tuple[int, ...]:
        """The axes along which anything changes."""
        crop = self.coordinates.data == "tf_crop_and_resize"
        rank = len(self.shape())
        region = self.region.data if self.region is not None and crop else (0.0,) * rank + (1.0,) * rank
        same = [
            n == d and s == 1.0 and (region[k], region[rank + k]) == (0.0, 1.0)
            for k, (n, d, s) in enumerate(zip(self.size.data, self.shape(), self.scales()))
        ]
        return tuple(k for k in range(rank) if not same[k])

    def place(self, axis: int) -> np.ndarray:
        """Coordinate in x of each index of y along an axis, float32."""
        d, n, f = self.shape()[axis], self.size.data[axis], np.float32
        scale, o = f(self.scales()[axis]), np.arange(n, dtype=np.float32)
        width = f(scale * f(d))  # the size of y before it was rounded
        match self.coordinates.data:
            case "half_pixel":
                return (o + f(0.5)) / scale - f(0.5)
            case "half_pixel_symmetric":
                return f(d / 2) * (1 - f(n) / width) + (o + f(0.5)) / scale - f(0.5)
            case "pytorch_half_pixel":
                return (o + f(0.5)) / scale - f(0.5) if n > 1 else o * 0
            case "align_corners":
                return o * f(d - 1) / (width - f(1)) if width != 1 else o * 0
            case "asymmetric":
                return o / scale
            case "tf_half_pixel_for_nn":
                return (o + f(0.5)) / scale
            case _:
                return self._crop(axis, o, width)

    def _crop(self, axis: int, o: np.ndarray, width: np.float32) -> np.ndarray:
        assert self.region is not None
        d, rank, f = self.shape()[axis], len(self.shape()), np.float32
        start, end = f(self.region.data[axis]), f(self.region.data[rank + axis])
        if width == 1:
            return o * 0 + f(0.5) * (start + end) * f(d - 1)
        return start * f(d - 1) + o * (end - start) * f(d - 1) / (width - f(1))

    def taps(self, axis: int) -> Taps:
        """Index and weight tables of an axis."""
        d, at = self.shape()[axis], self.place(axis)
        crop = self.coordinates.data == "tf_crop_and_resize"
        outside = (at < 0) | (at > d - 1) if crop else np.zeros(len(at), bool)
        if self.mode.data == "nearest":
            index = _ROUNDINGS[self.rounding.data](at).astype(np.int64)[:, None]
            return Taps(np.clip(index, 0, d - 1), np.ones(index.shape, np.float32), outside)
        index, weight = self._neighbours(at, self.scales()[axis])
        if self.exclude_outside is not None:
            weight = np.where((index < 0) | (index >= d), 0, weight)
            total = weight.sum(1, keepdims=True)
            weight = weight / np.where(total == 0, 1, total)
        return Taps(np.clip(index, 0, d - 1), weight.astype(np.float32), outside)

    def _neighbours(self, at: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Indices around each coordinate, not clamped, and their weights."""
        kernel, radius = (self._cubic, 2) if self.mode.data == "cubic" else (_linear, 1)
        shrink = min(scale, 1.0) if self.antialias is not None else 1.0
        reach = int(np.ceil(radius / shrink))
        at = at.astype(np.float64)
        index = np.floor(at).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
        weight = kernel(np.abs(index - at[:, None]) * shrink)
        return index, weight / weight.sum(1, keepdims=True) if shrink < 1 else weight

    def _cubic(self, t: np.ndarray) -> np.ndarray:
        a = self.cubic.data
        near = ((a + 2) * t - (a + 3)) * t * t + 1
        far = ((t - 5) * t + 8) * t * a - 4 * a
        return np.where(t <= 1, near, np.where(t < 2, far, 0))

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        kind = np.float32 if is_float(self.element()) and x.dtype.itemsize < 4 else x.dtype
        y, outside = x.astype(kind, copy=False), np.zeros((), bool)
        for axis in self.axes():
            taps = self.taps(axis)
            along = (-1, *(1,) * (y.ndim - axis - 1))
            parts = [np.take(y, index, axis) for index in taps.index.T]
            if self.mode.data != "nearest":
                parts = [p * w.astype(kind).reshape(along) for p, w in zip(parts, taps.weight.T)]
            y = np.asarray(sum(parts[1:], parts[0]))
            outside = outside | taps.outside.reshape(along)
        if outside.any():
            y = np.where(outside, np.asarray(self.outside(), kind), y)
        return y.astype(x.dtype)

    def work(self) -> Work:
        """One multiply-accumulate a tap, axis after axis; none for nearest."""
        n, shape, macs = self.elements(), list(self.shape()), 0
        for axis in self.axes() if self.mode.data != "nearest" else ():
            shape[axis] = self.size.data[axis]
            macs += prod(shape) * self.taps(axis).index.shape[1]
        return Work(macs, 0, n)


def _linear(t: np.ndarray) -> np.ndarray:
    return np.clip(1 - t, 0, 1)


_MODES = ("nearest", "linear", "cubic")
_COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
)
_ROUNDINGS = {
    "round_prefer_floor": lambda at: np.ceil(at - np.float32(0.5)),
    "round_prefer_ceil": lambda at: np.floor(at + np.float32(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}
