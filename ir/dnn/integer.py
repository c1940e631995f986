"""Integer forms: what operations on real numbers become between quantized values; no float is computed.

`dnn.qX` is the integer form of `dnn.X`: operands with one scale each, a result of the quantized type `to`. The arithmetic
is in `dnnc.ir.fixed`; multipliers follow from the types. What only moves or compares values has no form of its own: it
runs on the quantized type as it is (`DnnOp.keeps_type`).
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.ir import Attribute
from xdsl.irdl import irdl_op_definition, operand_def, opt_operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir import fixed
from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Int, Ints, WindowAttr, Word, normal_axes, normal_axis
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.contraction import padded, patches
from dnnc.ir.dnn.elementwise import broadcast
from dnnc.ir.dnn.quantize import check_quantized, check_ratio, check_rounding, check_target
from dnnc.ir.dnn.reduction import kept_shape, window_counts
from dnnc.ir.types import I32, I64, QuantType, bits, dtype, integer_range, shape_of, tensor, tensor_text, type_name

WIDEST = 16  # bits of an operand: products and sums of differences q - z then fit the integers used


def check_operand(element: Attribute, widest: int = WIDEST) -> QuantType:
    """Verify the type of a value an integer form reads: quantized, one scale, few bits."""
    q = check_quantized(element, "a quantized operand")
    expect(q.axis is None, "one scale for the whole tensor", q, "Requantize first.", code="E0429")
    expect(bits(q) <= widest, f"values of at most {widest} bits", type_name(q), "Requantize first.", code="E0428")
    return q


def reach(q: QuantType) -> int:
    """Max |q - z| over all values of a type."""
    low, high = integer_range(q.storage)
    return int(max(np.max(q.zero) - low, high - np.min(q.zero)))


class IntegerForm(DnnOp):
    """An operation on quantized values that gives values of the quantized type `to`."""

    to = prop_def(Attribute)
    result = result_def(TensorType)

    def source(self, i: int = 0) -> QuantType:
        """The quantized type of an operand, verified."""
        return check_operand(self.element(i))

    def target(self) -> QuantType:
        """The quantized type of the result, verified."""
        return check_target(self.to)

    def centered(self, i: int, q: np.ndarray) -> np.ndarray:
        """Q - z of an operand, int64."""
        return q.astype(np.int64) - int(self.source(i).zero)

    def stored(self, y: np.ndarray) -> np.ndarray:
        """clamp(y + z_y) in the storage type."""
        to = self.target()
        return np.clip(y + int(to.zero), *integer_range(to.storage)).astype(dtype(to))


class Sum(IntegerForm):
    """y = clamp(half_even((a - z_a) * Ma + (b - z_b) * Mb, shift) + z_y); a difference has a negative Mb."""

    SIGN: ClassVar[int] = 1
    a = operand_def(TensorType)
    b = operand_def(TensorType)

    def infer(self) -> TensorType:
        a, b, to = self.source(0), self.source(1), self.target()
        largest = max(float(a.scale), float(b.scale)) / float(to.scale)
        expect(2.0**-33 <= largest < 2.0**31, "a scale ratio in [2^-33, 2^31)", f"{largest:g}", code="E0460")
        return tensor(to, broadcast(self.a.type, self.b.type))

    def multipliers(self) -> tuple[int, int, int]:
        """(Ma, Mb, shift); Mb is negative for a difference."""
        scales = (float(q.scale) for q in (self.source(0), self.source(1), self.target()))
        ma, mb, shift = fixed.add_multipliers(*scales)
        return ma, self.SIGN * mb, shift

    def evaluate(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        ma, mb, shift = self.multipliers()
        return self.stored(fixed.half_even(self.centered(0, a) * ma + self.centered(1, b) * mb, shift))

    def work(self) -> Work:
        return Work(ops=5 * self.elements(), elements=self.elements())


@irdl_op_definition
class QAddOp(Sum):
    """y = clamp(half_even((a - z_a) * Ma + (b - z_b) * Mb, shift) + z_y), M = round(s / s_y * 2^shift); operands broadcast.

    One shift = 30 - floor(log2(max(s_a, s_b) / s_y)), a 64-bit sum, one rounding: `dnnc.ir.fixed.add_multipliers`.
    """

    name = "dnn.qadd"


@irdl_op_definition
class QSubOp(Sum):
    """y = clamp(half_even((a - z_a) * Ma - (b - z_b) * Mb, shift) + z_y): as dnn.qadd, Mb subtracted."""

    name = "dnn.qsub"
    SIGN: ClassVar[int] = -1


class Rescaled(IntegerForm):
    """An integer form that ends in y = clamp(round(v * M) + z_y), in the rounding mode `rounding`."""

    rounding = opt_prop_def(Word, default_value=Word("q31_half_even"))

    def rescaled(self, v: np.ndarray, q: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """The result from the integers before the multiplier q * 2^-shift."""
        return self.stored(fixed.rescale(v, q, shift, fixed.Rounding(self.rounding.data)))


@irdl_op_definition
class QMulOp(Rescaled):
    """y = clamp(round((a - z_a) * (b - z_b) * M) + z_y), M = fl32(fl32(s_a * s_b) / s_y); operands broadcast."""

    name = "dnn.qmul"
    a = operand_def(TensorType)
    b = operand_def(TensorType)

    def infer(self) -> TensorType:
        a, b, to = self.source(0), self.source(1), self.target()
        check_rounding(self.rounding)
        check_ratio(a.scale * b.scale, to)
        expect(reach(a) * reach(b) < 2**31, "products below 2^31", f"up to {reach(a) * reach(b)}", code="E0461")
        return tensor(to, broadcast(self.a.type, self.b.type))

    def multipliers(self) -> tuple[np.ndarray, np.ndarray]:
        """(q, shift) with M = q * 2^-shift."""
        return fixed.multiplier(fixed.effective_scale(self.source(0).scale, self.source(1).scale, self.target().scale))

    def evaluate(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.rescaled(self.centered(0, a) * self.centered(1, b), *self.multipliers())

    def work(self) -> Work:
        return Work(ops=4 * self.elements(), elements=self.elements())


class Mean(Rescaled):
    """y = clamp(round(v * M[n]) + z_y), v = sum of (x - z_x) in int32, M[n] = s_x / (n * s_y) in float64, n summed elements."""

    x = operand_def(TensorType)

    def multiplier_of(self, n: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
        """(q, shift) with M[n] = q * 2^-shift, of the shape of n."""
        return fixed.multiplier(float(self.source().scale) / (np.maximum(n, 1) * float(self.target().scale)))

    def check_mean(self, most: int) -> None:
        """Verify rounding, multipliers, and that a sum of `most` elements fits int32."""
        check_rounding(self.rounding)
        check_ratio(self.source().scale, self.target())
        largest = most * reach(self.source())
        expect(largest < 2**31, "sums below 2^31", f"up to {largest}", "Reduce in two steps.", code="E0461")


@irdl_op_definition
class QAvgPoolOp(Mean):
    """y = clamp(round(v * M[n]) + z_y), v = sum over the window of (x - z_x), M[n] = s_x / (n * s_y); padding adds 0 to v.

    n counts elements inside the input, or padding too under `count_pad`; it is one number for all windows, but at a border
    that is not counted: `counts` has n for each position, `count` the one n if there is one.
    """

    name = "dnn.qavg_pool"
    window = prop_def(WindowAttr)
    count_pad = opt_prop_def(UnitAttr)

    def infer(self) -> TensorType:
        shape, win = self.shape(), self.window.data
        expect(len(shape) == win.rank + 2, f"an input of rank {win.rank + 2}", tensor_text(self.x.type), code="E0418")
        win.check(shape[2:])
        self.check_mean(prod(win.kernel))
        return tensor(self.target(), (*shape[:2], *win.output(shape[2:])))

    def counts(self) -> np.ndarray:
        """N of each output position [E, F]."""
        return window_counts(self.shape()[2:], self.window.data, self.count_pad is not None)

    def count(self) -> int | None:
        """The one n of all positions, None when a border has fewer."""
        n = np.unique(self.counts())
        return int(n[0]) if n.size == 1 else None

    def totals(self, x: np.ndarray) -> np.ndarray:
        """The sums v."""
        win = self.window.data
        view = patches(padded(self.centered(0, x).astype(np.int32), win, 0), win)
        total = np.zeros(view.shape[: 2 + win.rank], np.int32)
        for tap in np.ndindex(*win.kernel):  # R * S steps over whole outputs: faster than a strided reduction
            total += view[(Ellipsis, *tap)]
        return total

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        return self.rescaled(self.totals(x), *self.multiplier_of(self.counts()))

    def work(self) -> Work:
        return Work(ops=self.elements() * (prod(self.window.data.kernel) + 3), elements=self.elements())


class QReduction(Mean):
    """A sum over `axes`, scaled; they stay with size 1 under `keepdims`."""

    axes = prop_def(Ints)
    keepdims = opt_prop_def(UnitAttr)

    def reduced(self) -> int:
        """Number of elements summed for each result."""
        return prod(self.shape()[a] for a in self.axes.data)

    def divisor(self) -> int:
        """The n of M[n]."""
        raise NotImplementedError

    def infer(self) -> TensorType:
        axes = normal_axes(self.axes.data, len(self.shape()))
        expect(axes == self.axes.data, "ascending axes counted from the start", str(list(self.axes.data)), code="E0414")
        self.check_mean(self.reduced())
        return tensor(self.target(), kept_shape(self.shape(), axes, self.keepdims is not None))

    def totals(self, x: np.ndarray) -> np.ndarray:
        """The sums v."""
        return self.centered(0, x).sum(self.axes.data, keepdims=self.keepdims is not None)

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        return self.rescaled(self.totals(x), *self.multiplier_of(self.divisor()))

    def work(self) -> Work:
        return Work(ops=prod(self.shape()) + 3 * self.elements(), elements=self.elements())


@irdl_op_definition
class QReduceMeanOp(QReduction):
    """y = clamp(round(v * M) + z_y), v = sum over the axes of (x - z_x) in int32, M = s_x / (n * s_y), n elements summed."""

    name = "dnn.qreduce_mean"

    def divisor(self) -> int:
        return self.reduced()


@irdl_op_definition
class QReduceSumOp(QReduction):
    """y = clamp(round(v * M) + z_y), v = sum over the axes of (x - z_x) in int32, M = s_x / s_y."""

    name = "dnn.qreduce_sum"

    def divisor(self) -> int:
        return 1


@irdl_op_definition
class TableOp(DnnOp):
    """y = table[x - low], low the smallest value of the storage type of x: any function of one quantized value.

    The table [2^bits] is made when the program is compiled: T[q - low] = clamp(RNE(f(s_x * (q - z_x)) / s_y) + z_y) in
    float64; its element type is that of the result.
    """

    name = "dnn.table"
    x = operand_def(TensorType)
    table = operand_def(TensorType)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        x = check_operand(self.element(0))
        size = 2 ** bits(x)
        expect(self.shape(1) == (size,), f"a table of {size} entries", tensor_text(self.table.type), code="E0462")
        return tensor(check_target(self.element(1)), self.shape())

    def evaluate(self, x: np.ndarray, table: np.ndarray) -> np.ndarray:
        element = self.element(0)
        assert isinstance(element, QuantType)
        return table[x.astype(np.int64) - integer_range(element.storage)[0]]


@irdl_op_definition
class InterpolateOp(DnnOp):
    """y = T[k] + ((T[k+1] - T[k]) * f + 2^(s-1) >> s), x - low = 2^s * k + f: a smooth function of one 16-bit value.

    The knots T [2^(16-s) + 1] are made when the program is compiled, 513 where s is 7; their element type is that of the
    result.
    """

    name = "dnn.interpolate"
    x = operand_def(TensorType)
    knots = operand_def(TensorType)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        x, to = check_operand(self.element(0)), check_target(self.element(1))
        expect(bits(x) == 16, "an operand of 16 bits", type_name(x), "Use dnn.table for fewer.", code="E0428")
        n = prod(self.shape(1)) - 1
        known = len(self.shape(1)) == 1 and 1 < n <= 2**15 and n & (n - 1) == 0
        expect(known, "knots of 2^n + 1 entries, n in [1, 15]", tensor_text(self.knots.type), code="E0462")
        fits = integer_range(to.storage)[1] < 2**15
        expect(fits, "results that an int16 holds", type_name(to), code="E0428")
        return tensor(to, self.shape())

    def shift(self) -> int:
        """The s of the formula."""
        return fixed.knot_shift(self.shape(1)[0])

    def evaluate(self, x: np.ndarray, knots: np.ndarray) -> np.ndarray:
        low = integer_range(self.element().storage)[0]  # pyright: ignore[reportAttributeAccessIssue]
        return fixed.interpolated(x.astype(np.int64) - low, knots).astype(knots.dtype)

    def work(self) -> Work:
        return Work(ops=5 * self.elements(), elements=self.elements())


@irdl_op_definition
class QSoftmaxOp(IntegerForm):
    """k = max(x) - x; E = exp[k]; y = min(2^n - 1, (2^(n+1) * E + S) // (2 * S)) + z_y, S = sum of E, along the axis.

    `exp` is T[k] = RNE(2^B * e^(-s_x * k)), B = min(30, 31 - ceil(log2 D)), D the size of the axis: `dnnc.ir.fixed.exp_table`.
    The result has n bits, scale 2^-n and the smallest value of its storage as zero point.
    """

    name = "dnn.qsoftmax"
    x = operand_def(TensorType)
    exp = operand_def(TensorType)
    axis = prop_def(Int)

    def infer(self) -> TensorType:
        source, to = check_operand(self.element(0), 8), self.target()
        normal_axis(self.axis.data, len(self.shape()))
        table = tensor(I32, (2 ** bits(source),))
        expect(
            self.exp.type == table, f"exponentials of {tensor_text(table)}", tensor_text(self.exp.type), code="E0462"
        )
        whole = bits(to) <= 16 and to == softmax_type(to.storage)
        expect(whole, "a result of scale 2^-bits and the smallest zero point", to, code="E0431")
        return tensor(to, self.shape())

    def evaluate(self, x: np.ndarray, exp: np.ndarray) -> np.ndarray:
        axis = self.axis.data
        wide = x.astype(np.int64)
        e = exp.astype(np.int64)[wide.max(axis, keepdims=True) - wide]
        return self.stored(fixed.proportions(e, e.sum(axis, keepdims=True), bits(self.target())))

    def work(self) -> Work:
        return Work(ops=6 * self.elements(), elements=self.elements())


def softmax_type(storage: Attribute) -> QuantType:
    """The type of an integer softmax: scale 2^-bits, the smallest value of the storage as zero point."""
    return QuantType.per_tensor(storage, 2.0 ** -bits(storage), integer_range(storage)[0])  # pyright: ignore


@irdl_op_definition
class QNormalizeOp(IntegerForm):
    """u = d / sqrt(V) in 2^-30; y = clamp(half_even(u * multiplier + offset, shift) + z_y): layer, RMS and L2 norms.

    d = q - z_x, or n * q - sum of q under `center`; V = max(1, sum of d^2 + epsilon), over the `axes`, n their elements.
    u = half_even(d * (2^62 // isqrt(V << k)), 32 - k/2), k = `root_shift`: `dnnc.ir.fixed.normalized`. `multiplier` (int32)
    and `offset` (int64) broadcast to x and hold scale * sqrt(n) / s_y * 2^(shift - 30) and shift / s_y * 2^shift.
    """

    name = "dnn.qnormalize"
    x = operand_def(TensorType)
    multiplier = operand_def(TensorType)
    offset = opt_operand_def(TensorType)
    axes = prop_def(Ints)
    center = opt_prop_def(UnitAttr)
    epsilon = opt_prop_def(Int, default_value=Int(0))
    shift = prop_def(Int)

    def infer(self) -> TensorType:
        axes = normal_axes(self.axes.data, len(self.shape()))
        expect(axes == self.axes.data, "ascending axes counted from the start", str(list(self.axes.data)), code="E0414")
        expect(0 <= self.shift.data <= 62, "a shift in [0, 62]", str(self.shift.data), code="E0433")
        expect(self.epsilon.data >= 0, "an epsilon of at least 0", str(self.epsilon.data), code="E0433")
        wide = self.largest() < 2**62
        expect(wide, "sums of squares below 2^62", str(self.largest()), "Normalize fewer elements.", code="E0461")
        for name, kind in (("multiplier", I32), ("offset", I64)):
            self._check_affine(name, kind)
        return tensor(self.target(), self.shape())

    def _check_affine(self, name: str, kind: Attribute) -> None:
        operand = getattr(self, name)
        if operand is not None:
            fits = operand.type == tensor(kind, shape_of(operand.type))
            expect(fits, f"{name} of {type_name(kind)}", tensor_text(operand.type), code="E0428")
            fits = broadcast(self.x.type, operand.type) == self.shape()
            want = f"{name} that broadcasts to {list(self.shape())}"
            expect(fits, want, tensor_text(operand.type), code="E0426")

    def largest(self) -> int:
        """An upper bound of V."""
        q = self.source()
        n = prod(self.shape()[a] for a in self.axes.data)
        span = n * n * 4 ** (bits(q) - 1) if self.center is not None else reach(q) ** 2
        return n * span + self.epsilon.data + 1

    def root_shift(self) -> int:
        """The k of the formula."""
        return fixed.root_shift(self.largest())

    def evaluate(self, x: np.ndarray, multiplier: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
        axes = self.axes.data
        d = self.centered(0, x)
        if self.center is not None:
            n = prod(x.shape[a] for a in axes)
            d = n * d - d.sum(axes, keepdims=True)
        v = np.maximum(1, (d * d).sum(axes, keepdims=True) + self.epsilon.data)
        p = fixed.normalized(d, v, self.root_shift()) * multiplier.astype(np.int64)
        return self.stored(fixed.half_even(p if offset is None else p + offset, self.shift.data))

    def work(self) -> Work:
        return Work(ops=8 * self.elements(), elements=self.elements())
