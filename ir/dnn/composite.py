"""Composites: operations the field names that are sums of simpler ones; `decompose` rewrites them where no target claims them."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.irdl import irdl_op_definition, operand_def, opt_operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Int, Ints, Real, normal_axes, normal_axis
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.elementwise import broadcast
from dnnc.ir.types import is_float, shape_of, tensor, tensor_text, type_name


def wide(x: np.ndarray) -> np.ndarray:
    """Floats narrower than 32 bits as float32, so that sums do not lose them."""
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x


class Normalizing(DnnOp):
    """An operation on floats whose result has the type of its first operand."""

    def infer(self) -> TensorType:
        expect(
            is_float(self.element()),
            "a float input",
            type_name(self.element()),
            "Cast the operand first.",
            code="E0428",
        )
        self.check()
        return tensor(self.element(), self.shape())

    def check(self) -> None:
        """Verify parameters and further operands."""

    def channels(self, *names: str) -> None:
        """Verify that the named operands hold one value a channel (dimension 1)."""
        expect(len(self.shape()) >= 2, "an input of rank 2 or more", tensor_text(self.operands[0].type), code="E0418")
        c = self.shape()[1]
        for name in names:
            type_ = getattr(self, name).type
            expect(shape_of(type_) == (c,), f"{name} of shape [{c}]", tensor_text(type_), code="E0442")

    def trailing(self, axis: int, *names: str) -> None:
        """Verify an axis, and that the named operands, where given, broadcast to the shape of the first one."""
        normal_axis(axis, len(self.shape()))
        for name in names:
            operand = getattr(self, name)
            if operand is not None:
                fits = broadcast(self.operands[0].type, operand.type) == self.shape()
                expect(fits, f"{name} that broadcasts to {list(self.shape())}", tensor_text(operand.type), code="E0442")

    def work(self) -> Work:
        n = self.elements()
        return Work(ops=self.per_element() * n, elements=n)

    def per_element(self) -> int:
        """Elementary operations an element."""
        return 4


def per_channel(v: np.ndarray, rank: int) -> np.ndarray:
    """A vector [C] shaped to broadcast over [N, C, ...]."""
    return v.reshape(-1, *(1,) * (rank - 2))


class AxisOp(Normalizing):
    """A normalization along one axis."""

    x = operand_def(TensorType)
    axis = prop_def(Int)
    result = result_def(TensorType)

    def check(self) -> None:
        normal_axis(self.axis.data, max(1, len(self.shape())))


@irdl_op_definition
class SoftmaxOp(AxisOp):
    """y[i] = e^(x[i] - m) / sum over j of e^(x[j] - m), m = max of x, along the axis."""

    name = "dnn.softmax"

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        v = np.atleast_1d(wide(x))
        with np.errstate(invalid="ignore"):  # a line of -inf alone is NaN
            e = np.exp(v - v.max(self.axis.data, keepdims=True, initial=-np.inf))
        return (e / e.sum(self.axis.data, keepdims=True)).astype(x.dtype).reshape(x.shape)


@irdl_op_definition
class LogSoftmaxOp(AxisOp):
    """y[i] = x[i] - m - ln(sum over j of e^(x[j] - m)), m = max of x, along the axis."""

    name = "dnn.log_softmax"

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        v = np.atleast_1d(wide(x))
        with np.errstate(invalid="ignore"):
            d = v - v.max(self.axis.data, keepdims=True, initial=-np.inf)
        return (d - np.log(np.exp(d).sum(self.axis.data, keepdims=True))).astype(x.dtype).reshape(x.shape)


@irdl_op_definition
class HardmaxOp(AxisOp):
    """y[i] = 1 for the first largest x[i] along the axis, else 0."""

    name = "dnn.hardmax"

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        axis = self.axis.data
        y = np.zeros_like(x)
        np.put_along_axis(y, x.argmax(axis, keepdims=True), x.dtype.type(1), axis)
        return y

    def per_element(self) -> int:
        return 1


@irdl_op_definition
class BatchNormOp(Normalizing):
    """y = scale[c] * (x - mean[c]) / sqrt(var[c] + epsilon) + shift[c], the form used in inference."""

    name = "dnn.batch_norm"
    x = operand_def(TensorType)
    scale = operand_def(TensorType)
    shift = operand_def(TensorType)
    mean = operand_def(TensorType)
    var = operand_def(TensorType)
    epsilon = opt_prop_def(Real, default_value=Real(1e-5))
    result = result_def(TensorType)

    def check(self) -> None:
        self.channels("scale", "shift", "mean", "var")

    def evaluate(self, x: np.ndarray, *stats: np.ndarray) -> np.ndarray:
        scale, shift, mean, var = (per_channel(wide(s), x.ndim) for s in stats)
        factor = scale / np.sqrt(var + np.float32(self.epsilon.data))
        return ((wide(x) - mean) * factor + shift).astype(x.dtype)


@irdl_op_definition
class InstanceNormOp(Normalizing):
    """y = scale[c] * (x - mean) / sqrt(var + epsilon) + shift[c], mean and variance of each channel of each sample."""

    name = "dnn.instance_norm"
    x = operand_def(TensorType)
    scale = operand_def(TensorType)
    shift = operand_def(TensorType)
    epsilon = opt_prop_def(Real, default_value=Real(1e-5))
    result = result_def(TensorType)

    def check(self) -> None:
        self.channels("scale", "shift")

    def evaluate(self, x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
        y = standardized(wide(x), tuple(range(2, x.ndim)), self.epsilon.data)
        return (y * per_channel(wide(scale), x.ndim) + per_channel(wide(shift), x.ndim)).astype(x.dtype)

    def per_element(self) -> int:
        return 8


def standardized(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> np.ndarray:
    """(x - mean) / sqrt(variance + epsilon) over the axes."""
    d = x - x.mean(axes, keepdims=True)
    return d / np.sqrt((d * d).mean(axes, keepdims=True) + x.dtype.type(epsilon))


@irdl_op_definition
class LayerNormOp(Normalizing):
    """y = scale * (x - mean) / sqrt(var + epsilon) + shift, mean and variance over the dimensions from `axis` on."""

    name = "dnn.layer_norm"
    x = operand_def(TensorType)
    scale = operand_def(TensorType)
    shift = opt_operand_def(TensorType)
    axis = opt_prop_def(Int, default_value=Int(-1))
    epsilon = opt_prop_def(Real, default_value=Real(1e-5))
    result = result_def(TensorType)

    def check(self) -> None:
        self.trailing(self.axis.data, "scale", "shift")

    def evaluate(self, x: np.ndarray, scale: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
        axes = tuple(range(normal_axis(self.axis.data, x.ndim), x.ndim))
        y = standardized(wide(x), axes, self.epsilon.data) * wide(scale)
        return (y if shift is None else y + wide(shift)).astype(x.dtype)

    def per_element(self) -> int:
        return 8


@irdl_op_definition
class RmsNormOp(Normalizing):
    """y = scale * x / sqrt(mean of x^2 + epsilon), the mean over the dimensions from `axis` on."""

    name = "dnn.rms_norm"
    x = operand_def(TensorType)
    scale = operand_def(TensorType)
    axis = opt_prop_def(Int, default_value=Int(-1))
    epsilon = opt_prop_def(Real, default_value=Real(1e-5))
    result = result_def(TensorType)

    def check(self) -> None:
        self.trailing(self.axis.data, "scale")

    def evaluate(self, x: np.ndarray, scale: np.ndarray) -> np.ndarray:
        axes = tuple(range(normal_axis(self.axis.data, x.ndim), x.ndim))
        v = wide(x)
        y = v / np.sqrt((v * v).mean(axes, keepdims=True) + v.dtype.type(self.epsilon.data))
        return (y * wide(scale)).astype(x.dtype)

    def per_element(self) -> int:
        return 5


@irdl_op_definition
class GroupNormOp(Normalizing):
    """y = scale[c] * (x - mean) / sqrt(var + epsilon) + shift[c], statistics over each of `groups` groups of channels."""

    name = "dnn.group_norm"
    x = operand_def(TensorType)
    scale = operand_def(TensorType)
    shift = operand_def(TensorType)
    groups = prop_def(Int)
    epsilon = opt_prop_def(Real, default_value=Real(1e-5))
    result = result_def(TensorType)

    def check(self) -> None:
        self.channels("scale", "shift")
        c, g = self.shape()[1], self.groups.data
        expect(g > 0 and c % g == 0, f"a number of groups that divides {c} channels", str(g), code="E0420")

    def evaluate(self, x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
        v = wide(x).reshape(x.shape[0], self.groups.data, -1)
        y = standardized(v, (2,), self.epsilon.data).reshape(x.shape)
        return (y * per_channel(wide(scale), x.ndim) + per_channel(wide(shift), x.ndim)).astype(x.dtype)

    def per_element(self) -> int:
        return 8


@irdl_op_definition
class MeanVarianceNormOp(Normalizing):
    """y = (x - mean) / (sqrt(var) + 1e-9), mean and variance over the axes."""

    name = "dnn.mean_variance_norm"
    x = operand_def(TensorType)
    axes = prop_def(Ints)
    result = result_def(TensorType)

    def check(self) -> None:
        normal_axes(self.axes.data, len(self.shape()))

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        v, axes = wide(x), self.axes.data
        d = v - v.mean(axes, keepdims=True)
        return (d / (np.sqrt((d * d).mean(axes, keepdims=True)) + v.dtype.type(1e-9))).astype(x.dtype)


@irdl_op_definition
class LpNormOp(Normalizing):
    """y = x / (sum of |x|^p)^(1/p) along the axis, p 1 or 2; 0 where the sum is 0."""

    name = "dnn.lp_norm"
    x = operand_def(TensorType)
    axis = opt_prop_def(Int, default_value=Int(-1))
    p = opt_prop_def(Int, default_value=Int(2))
    result = result_def(TensorType)

    def check(self) -> None:
        normal_axis(self.axis.data, len(self.shape()))
        expect(self.p.data in (1, 2), "p of 1 or 2", str(self.p.data), code="E0433")

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        v, axis = wide(x), self.axis.data
        total = np.abs(v).sum(axis, keepdims=True) if self.p.data == 1 else np.sqrt((v * v).sum(axis, keepdims=True))
        return (v / np.where(total == 0, 1, total)).astype(x.dtype)


@irdl_op_definition
class LrnOp(Normalizing):
    """y[c] = x[c] / (bias + alpha / size * sum of x[k]^2)^beta, k over `size` channels around c (AlexNet, 2012)."""

    name = "dnn.lrn"
    x = operand_def(TensorType)
    size = prop_def(Int)
    alpha = opt_prop_def(Real, default_value=Real(1e-4))
    beta = opt_prop_def(Real, default_value=Real(0.75))
    bias = opt_prop_def(Real, default_value=Real(1.0))
    result = result_def(TensorType)

    def check(self) -> None:
        expect(len(self.shape()) >= 2, "an input of rank 2 or more", tensor_text(self.x.type), code="E0418")
        expect(self.size.data > 0, "a size of at least 1", str(self.size.data), code="E0433")

    def reach(self) -> tuple[int, int]:
        """Channels before and after c that count: floor and ceil of (size - 1) / 2."""
        n = self.size.data - 1
        return n // 2, n - n // 2

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        v = wide(x)
        before, after = self.reach()
        c = v.shape[1]
        square = np.pad(v * v, ((0, 0), (before, after), *((0, 0),) * (v.ndim - 2)))
        total = sum(square[:, k : k + c] for k in range(self.size.data))
        scale = v.dtype.type(self.bias.data) + v.dtype.type(self.alpha.data / self.size.data) * total
        return (v / np.power(scale, v.dtype.type(self.beta.data))).astype(x.dtype)

    def per_element(self) -> int:
        return self.size.data + 5


@irdl_op_definition
class ReduceLogSumExpOp(DnnOp):
    """y = m + ln(sum of e^(x[i] - m)), m = max of x, over the axes."""

    name = "dnn.reduce_log_sum_exp"
    x = operand_def(TensorType)
    axes = prop_def(Ints)
    keepdims = opt_prop_def(UnitAttr)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        shape = self.shape()
        axes = normal_axes(self.axes.data, len(shape))
        kept = (1,) if self.keepdims is not None else ()
        out: tuple[int, ...] = ()
        for i, d in enumerate(shape):
            out += kept if i in axes else (d,)
        return tensor(self.element(), out)

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        axes = normal_axes(self.axes.data, x.ndim)
        v = wide(x)
        with np.errstate(all="ignore"):
            m = v.max(axes, keepdims=True, initial=-np.inf)
            m = np.where(np.isfinite(m), m, 0).astype(v.dtype)
            y = m + np.log(np.exp(v - m).sum(axes, keepdims=True))
        return np.asarray(y.reshape(shape_of(self.result.type))).astype(x.dtype)

    def work(self) -> Work:
        return Work(ops=4 * prod(self.shape()), elements=self.elements())
