"""Softmax and normalizations on float32 and float64, each as its formula reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

from xdsl.ir import SSAValue

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.reduction import split
from dnnc.backends.c.text import c_type, collapse, index, shifted
from dnnc.ir.dnn.attributes import normal_axes, normal_axis
from dnnc.ir.dnn.composite import (
    AxisOp,
    BatchNormOp,
    GroupNormOp,
    HardmaxOp,
    InstanceNormOp,
    LayerNormOp,
    LogSoftmaxOp,
    LpNormOp,
    LrnOp,
    MeanVarianceNormOp,
    ReduceLogSumExpOp,
    RmsNormOp,
)
from dnnc.ir.scalar import c_literal
from dnnc.ir.types import shape_of


@dataclass(frozen=True)
class Real:
    """The floating type of a kernel: its C name, the suffix of its functions, its literals."""

    name: str
    suffix: str

    @staticmethod
    def of(value: SSAValue) -> Real:
        """The type of a value's elements."""
        name = c_type(value)
        return Real(name, "f" if name == "float" else "")

    def number(self, value: float) -> str:
        """A literal."""
        return c_literal(value, self.name)


def emit_softmax(kernel: Kernel, op: AxisOp) -> None:
    """Y = e^(x - m) / sum of e^(x - m), or its logarithm; m = max of x, along the axis."""
    real, log = Real.of(op.x), isinstance(op, LogSoftmaxOp)
    code, f = kernel.code, real.suffix
    with _rows(kernel, op.x, op.axis.data) as (n, step):
        code.add(f"{real.name} most = in[0], sum = 0;")
        with code.loop("i", n, start=1):
            code.add(f"most = dnnc_max{f}(most, in[i * {step}]);")
        with code.loop("i", n):
            code.add(f"const {real.name} d = in[i * {step}] - most;", f"const {real.name} e = exp{f}(d);", "sum += e;")
            code.add(f"out[i * {step}] = {'d' if log else 'e'};")
        code.add(f"const {real.name} scale = {f'log{f}(sum)' if log else 'sum'};")
        with code.loop("i", n):
            code.add(f"out[i * {step}] {'-' if log else '/'}= scale;")


def emit_hardmax(kernel: Kernel, op: HardmaxOp) -> None:
    """Y = 1 for the first largest x along the axis, else 0."""
    code = kernel.code
    with _rows(kernel, op.x, op.axis.data) as (n, step):
        code.add("int32_t best = 0;")
        with code.loop("i", n, start=1):
            code.add(f"best = in[i * {step}] > in[best * {step}] ? i : best;")
        with code.loop("i", n):
            code.add(f"out[i * {step}] = i == best ? 1 : 0;")


def emit_lp_norm(kernel: Kernel, op: LpNormOp) -> None:
    """Y = x / (sum of |x|^p)^(1/p) along the axis."""
    real, code = Real.of(op.x), kernel.code
    f, one = real.suffix, op.p.data == 1
    with _rows(kernel, op.x, op.axis.data) as (n, step):
        code.add(f"{real.name} sum = 0;")
        with code.loop("i", n):
            v = f"in[i * {step}]"
            code.add(f"sum += {f'fabs{f}({v})' if one else f'{v} * {v}'};")
        code.add(f"sum = {'sum' if one else f'sqrt{f}(sum)'};", f"sum = sum == {real.number(0)} ? 1 : sum;")
        with code.loop("i", n):
            code.add(f"out[i * {step}] = in[i * {step}] / sum;")


@contextmanager
def _rows(kernel: Kernel, x: SSAValue, axis: int) -> Iterator[tuple[int, int]]:
    """A loop over the lines along an axis, with `in` and `out` at their first elements; gives length and stride."""
    outer, n, inner = split(shape_of(x.type), axis)
    code = kernel.code
    with code.loop("a", outer), code.loop("b", inner):
        at = index(["a", "b"], [n * inner, 1])
        code.add(f"const {c_type(x)} *in = {shifted(kernel.x(x), at)};")
        code.add(f"{c_type(x)} *out = {shifted(kernel.y(), at)};")
        yield n, inner


def emit_batch_norm(kernel: Kernel, op: BatchNormOp) -> None:
    """Y = (x - mean[c]) * (scale[c] / sqrt(var[c] + epsilon)) + shift[c]."""
    real, code = Real.of(op.x), kernel.code
    n, c, *hw = op.shape()
    scale, shift, mean, var = (kernel.x(v) for v in (op.scale, op.shift, op.mean, op.var))
    with code.loop("n", n), code.loop("c", c):
        root = f"sqrt{real.suffix}({var}[c] + {real.number(op.epsilon.data)})"
        code.add(f"const {real.name} factor = {scale}[c] / {root};")
        with code.loop("p", prod(hw)):
            at = index(["n", "c", "p"], [c * prod(hw), prod(hw), 1])
            code.add(f"{kernel.y()}[{at}] = ({kernel.x(op.x)}[{at}] - {mean}[c]) * factor + {shift}[c];")


def emit_channel_norm(kernel: Kernel, op: InstanceNormOp | GroupNormOp) -> None:
    """Y = scale[c] * (x - mean) / sqrt(var + epsilon) + shift[c], statistics of each channel or group of channels."""
    n, c, *hw = op.shape()
    groups = op.groups.data if isinstance(op, GroupNormOp) else c
    part, size = c // groups, prod(hw)
    real, code = Real.of(op.x), kernel.code
    with code.loop("g", n * groups):
        code.add(f"const {real.name} *in = {kernel.x(op.x)} + g * {part * size};")
        code.add(f"{real.name} *out = {kernel.y()} + g * {part * size};")
        _emit_moments(kernel, real, part * size, op.epsilon.data)
        with code.loop("c", part):
            code.add(f"const int32_t at = (g % {groups}) * {part} + c;")
            with code.loop("p", size):
                value = f"(in[c * {size} + p] - mean) / root"
                code.add(f"out[c * {size} + p] = {value} * {kernel.x(op.scale)}[at] + {kernel.x(op.shift)}[at];")


def _emit_moments(kernel: Kernel, real: Real, n: int, epsilon: float) -> None:
    """`mean` and `root` = sqrt(var + epsilon) of the n elements from `in`."""
    f, count = real.suffix, real.number(n)
    kernel.code.add(
        f"const {real.name} mean = dnnc_sum{f}(in, {n}, 1) / {count};",
        f"const {real.name} var = dnnc_var{f}(in, {n}, 1, mean) / {count};",
        f"const {real.name} root = sqrt{f}(var + {real.number(epsilon)});",
    )


def emit_layer_norm(kernel: Kernel, op: LayerNormOp | RmsNormOp) -> None:
    """Y = scale * (x - mean) / sqrt(var + epsilon) + shift over the last dimensions; RMS norm without mean and shift."""
    shape = op.shape()
    axis = normal_axis(op.axis.data, len(shape))
    outer, n = prod(shape[:axis]), prod(shape[axis:])
    real, code = Real.of(op.x), kernel.code
    shift = op.shift if isinstance(op, LayerNormOp) else None
    operands = [op.scale] if shift is None else [op.scale, shift]
    with code.loop("a", outer):
        code.add(f"const {real.name} *in = {kernel.x(op.x)} + a * {n};", f"{real.name} *out = {kernel.y()} + a * {n};")
        if isinstance(op, LayerNormOp):
            _emit_moments(kernel, real, n, op.epsilon.data)
        else:
            f = real.suffix
            square = f"dnnc_var{f}(in, {n}, 1, {real.number(0)}) / {real.number(n)}"
            code.add(f"const {real.name} root = sqrt{f}({square} + {real.number(op.epsilon.data)});")
        centered = "(in[p] - mean)" if isinstance(op, LayerNormOp) else "in[p]"
        _emit_affine(kernel, shape, axis, f"{centered} / root", operands)


def _emit_affine(kernel: Kernel, shape: tuple[int, ...], axis: int, value: str, operands: list[SSAValue]) -> None:
    """out[p] = value * scale (+ shift), p over the dimensions from `axis`; the row is `a`."""
    from_axis = shape[axis:]
    plain = all(shape_of(v.type) == from_axis for v in operands)
    with kernel.code.loop("p", prod(from_axis)):
        texts = []
        for v in operands:
            at = "p" if plain else _broadcast_at(shape, axis, shape_of(v.type))
            texts.append(f"{kernel.x(v)}[{at}]")
        kernel.code.add(f"out[p] = {value} * {' + '.join(texts)};")


def _broadcast_at(shape: tuple[int, ...], axis: int, operand: tuple[int, ...]) -> str:
    """Index into an operand that broadcasts to the shape, from row `a` and place `p` in it."""
    padded = (1,) * (len(shape) - len(operand)) + operand
    terms, strides = [], []
    for d, size in enumerate(padded):
        base, rest = ("a", prod(shape[d + 1 : axis])) if d < axis else ("p", prod(shape[d + 1 :]))
        terms.append(f"({base} / {rest} % {shape[d]})" if size > 1 else "0")
        strides.append(prod(padded[d + 1 :]) if size > 1 else 0)
    return index(terms, strides)


def emit_mean_variance_norm(kernel: Kernel, op: MeanVarianceNormOp) -> None:
    """Y = (x - mean) / (sqrt(var) + 1e-9) over the axes."""
    shape = op.shape()
    axes = normal_axes(op.axes.data, len(shape))
    real, code, f = Real.of(op.x), kernel.code, Real.of(op.x).suffix
    x, y, count = kernel.x(op.x), kernel.y(), real.number(prod(shape[a] for a in axes))
    with _reduced(kernel, shape, axes) as (row, bounds, strides):
        code.add(f"{real.name} mean = 0, var = 0;")
        with code.nest(bounds, "r") as at:
            code.add(f"mean += {x}[{row} + {index(at, strides)}];")
        code.add(f"mean /= {count};")
        with code.nest(bounds, "r") as at:
            code.add(f"const {real.name} d = {x}[{row} + {index(at, strides)}] - mean;", "var += d * d;")
        code.add(f"const {real.name} root = sqrt{f}(var / {count}) + {real.number(1e-9)};")
        with code.nest(bounds, "r") as at:
            place = f"{row} + {index(at, strides)}"
            code.add(f"{y}[{place}] = ({x}[{place}] - mean) / root;")


def emit_log_sum_exp(kernel: Kernel, op: ReduceLogSumExpOp) -> None:
    """Y = m + ln(sum of e^(x - m)), m = max of x over the axes where that is finite."""
    shape = op.shape()
    axes = normal_axes(op.axes.data, len(shape))
    real, code = Real.of(op.x), kernel.code
    x, f = kernel.x(op.x), real.suffix
    kept = [d for i, d in enumerate(shape) if i not in axes]
    code.add("int32_t o = 0;") if prod(kept) > 1 else None
    with _reduced(kernel, shape, axes) as (row, bounds, strides):
        code.add(f"{real.name} most = -INFINITY, sum = 0;")
        with code.nest(bounds, "r") as at:
            code.add(f"most = dnnc_max{f}(most, {x}[{row} + {index(at, strides)}]);")
        code.add("most = isinf(most) ? 0 : most;")
        with code.nest(bounds, "r") as at:
            code.add(f"sum += exp{f}({x}[{row} + {index(at, strides)}] - most);")
        code.add(f"{kernel.y()}[{'o++' if prod(kept) > 1 else 0}] = most + log{f}(sum);")


@contextmanager
def _reduced(
    kernel: Kernel, shape: tuple[int, ...], axes: tuple[int, ...]
) -> Iterator[tuple[str, list, tuple[int, ...]]]:
    """A loop over the kept dimensions; gives the place of a line and the bounds and strides of the reduced ones."""
    strides = [prod(shape[i + 1 :]) for i in range(len(shape))]
    kept = [i for i in range(len(shape)) if i not in axes]
    bounds, (steps,) = collapse([shape[i] for i in axes], [[strides[i] for i in axes]])
    outer, (outer_steps,) = collapse([shape[i] for i in kept], [[strides[i] for i in kept]])
    with kernel.code.nest(outer) as at:
        yield index(at, outer_steps), bounds, steps


def emit_lrn(kernel: Kernel, op: LrnOp) -> None:
    """y[c] = x[c] / (bias + alpha / size * sum of x[k]^2)^beta, k over the channels around c."""
    n, c, *hw = op.shape()
    size, (before, after) = prod(hw), op.reach()
    real, code = Real.of(op.x), kernel.code
    f = real.suffix
    with code.loop("n", n), code.loop("c", c):
        code.add(f"const {real.name} *in = {kernel.x(op.x)} + n * {c * size};")
        code.add(f"{real.name} *out = {kernel.y()} + (n * {c} + c) * {size};")
        code.add(f"const int32_t low = c < {before} ? 0 : c - {before};")
        code.add(f"const int32_t high = c + {after} < {c} ? c + {after} + 1 : {c};")
        with code.loop("p", size):
            code.add("out[p] = 0;")
        with code.loop("k", "high", start="low"), code.loop("p", size):
            code.add(f"out[p] += in[k * {size} + p] * in[k * {size} + p];")
        with code.loop("p", size):
            factor = real.number(op.alpha.data / op.size.data)
            code.add(f"const {real.name} s = {real.number(op.bias.data)} + {factor} * out[p];")
            power = f"pow{f}(s, {real.number(op.beta.data)})"
            if op.beta.data == 0.75:  # the usual exponent, by two square roots
                code.add(f"const {real.name} root = sqrt{f}(s);")
                power = f"(root * sqrt{f}(root))"
            code.add(f"out[p] = in[c * {size} + p] / {power};")
