"""Contractions: operations that multiply and accumulate over shared indices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.ir import Attribute
from xdsl.irdl import irdl_op_definition, operand_def, opt_operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Int, Ints, Window, WindowAttr
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.elementwise import broadcast
from dnnc.ir.types import I32, QuantType, along, dtype, shape_of, tensor, tensor_text, type_name

_BLOCK = 1 << 23  # elements of a matrix built at a time


@dataclass(frozen=True)
class ConvDims:
    """Loop bounds of a convolution, with the letters of its formula.

    N fmap batch, M filters, C channels, H x W input, R x S filter, E x F output, U stride, `groups` independent parts.
    Spatial values are tuples, one entry a dimension, so 1-D and 3-D convolutions fit too.
    """

    N: int
    M: int
    C: int
    HW: tuple[int, ...]
    RS: tuple[int, ...]
    EF: tuple[int, ...]
    U: tuple[int, ...]
    groups: int

    @property
    def macs(self) -> int:
        """N * M * E * F * (C / groups) * R * S."""
        return self.N * self.M * prod(self.EF) * (self.C // self.groups) * prod(self.RS)

    @property
    def depthwise(self) -> bool:
        """Whether every channel is convolved on its own."""
        return self.groups == self.C and self.groups > 1

    def text(self) -> str:
        """The bounds in a line, `N2 M64 C3 8x8 R3x3 U2 g2`: input H x W bare, what is 1 left out."""
        parts = [f"N{self.N}"] * (self.N != 1) + [f"M{self.M} C{self.C}"]
        for letter, values in (("", self.HW), ("R", self.RS), ("U", self.U)):
            if any(v != 1 for v in values):
                same = len(set(values)) == 1 and letter == "U"
                parts.append(letter + "x".join(map(str, values[:1] if same else values)))
        return " ".join(parts + [f"g{self.groups}"] * (self.groups != 1))


def product_type(x: Attribute, w: Attribute, axis: int) -> Attribute:
    """Element type of a sum of products: of floats and integers their own, of quantized values int32 at scale s_x * s_w.

    `axis` is the channel axis of the result, used when the weights have a scale per channel.
    """
    if not isinstance(x, QuantType) or not isinstance(w, QuantType):
        expect(x == w, f"weights of element type {type_name(x)}", type_name(w), code="E0424")
        return x
    expect(x.axis is None, "one scale for the input", x, code="E0429")
    scale = (x.scale * w.scale).astype(np.float32)
    return QuantType.per_tensor(I32, float(scale)) if w.axis is None else QuantType.per_channel(I32, scale, axis)


def exact_matmul(a: np.ndarray, b: np.ndarray, out: np.dtype) -> np.ndarray:
    """A @ b. Floats accumulate in the next wider type, so that the result does not depend on the order of the sum.

    Integers go through floating-point BLAS where every sum is exact, else through int64: K * max|a| * max|b| must stay
    below 2^24 (float32) or 2^53 (float64). They wrap when a sum leaves the type `out`.
    """
    if not np.issubdtype(a.dtype, np.integer):
        return _wide_matmul(a, b, np.dtype(np.float32 if a.dtype.itemsize < 4 else np.float64), out)
    if not a.size or not b.size:
        return np.zeros(np.matmul(a, b).shape, out)
    bound = a.shape[-1] * _largest(a) * _largest(b)
    kind = np.float32 if bound < 2**24 else np.float64 if bound < 2**53 else np.int64
    # By way of int64: a float beyond the range of `out` has no integer, an integer wraps.
    return np.matmul(a.astype(kind), b.astype(kind)).astype(np.int64, copy=False).astype(out, copy=False)


def _largest(x: np.ndarray) -> int:
    return max(-int(x.min()), int(x.max()))


def _wide_matmul(a: np.ndarray, b: np.ndarray, kind: np.dtype, out: np.dtype) -> np.ndarray:
    """A @ b with both cast to `kind`; a large b a few columns at a time, so that its cast stays small."""
    a = a.astype(kind, copy=False)
    with np.errstate(all="ignore"):  # infinities and NaN are values like others
        if b.size <= _BLOCK or b.ndim < 2 or b.dtype == kind:
            return np.matmul(a, b.astype(kind, copy=False)).astype(out, copy=False)
        step = max(1, _BLOCK * b.shape[-1] // b.size)
        parts = [np.matmul(a, b[..., c : c + step].astype(kind)).astype(out) for c in range(0, b.shape[-1], step)]
    return np.concatenate(parts, -1)


def centered(x: np.ndarray, element: Attribute) -> np.ndarray:
    """X - zero point as int32 when quantized, else x."""
    if not isinstance(element, QuantType):
        return x
    return x.astype(np.int32) - along(element.zero, element.axis, x.ndim).astype(np.int32)


def check_channels(w: Attribute, axis: int | None) -> None:
    """Verify that weights with a scale for each channel have them along the axis of output channels, if there is one."""
    fits = not isinstance(w, QuantType) or w.axis in (None, axis)
    want = "one scale for all weights" if axis is None else f"one scale for all weights, or one along dimension {axis}"
    expect(fits, want, w, code="E0429")


def patches(x: np.ndarray, window: Window) -> np.ndarray:
    """Every window of a padded [N, C, spatial...] array as a view [N, C, out..., kernel...]."""
    n = window.rank
    view = np.lib.stride_tricks.sliding_window_view(x, window.extent, axis=tuple(range(2, 2 + n)))
    out = window.output([s - a - b for s, (a, b) in zip(x.shape[2:], window.pads)])
    starts = tuple(slice(0, (o - 1) * u + 1, u) for o, u in zip(out, window.stride))
    taps = tuple(slice(None, None, d) for d in window.dilation)
    return view[(slice(None), slice(None), *starts, *taps)]


def padded(x: np.ndarray, window: Window, value: float) -> np.ndarray:
    """X [N, C, spatial...] with the window's padding filled with `value`; ceil mode adds what its last window needs."""
    width = []
    for size, (before, after), u, e, o in zip(
        x.shape[2:], window.pads, window.stride, window.extent, window.output(x.shape[2:])
    ):
        width.append((before, max(after, (o - 1) * u + e - size - before)))
    if not any(a or b for a, b in width):
        return x
    return np.pad(x, ((0, 0), (0, 0), *width), constant_values=value)


def by_blocks(x: np.ndarray, window: Window, made: Callable[[np.ndarray, Window], np.ndarray]) -> np.ndarray:
    """`made(part, its window)` of each block of x [N, C, spatial...] on its own, put together."""
    if not window.block:
        return made(x, window)
    whole: np.ndarray | None = None
    for cell in window.cells(x.shape[2:]):
        part = made(x[(Ellipsis, *cell.input)], cell.window)
        if whole is None:
            shape = (*part.shape[:2], *window.output(x.shape[2:]), *part.shape[2 + window.rank :])
            whole = np.empty(shape, part.dtype)
        whole[(slice(None), slice(None), *cell.out)] = part
    assert whole is not None
    return whole


def unrolled(x: np.ndarray, window: Window, value: float) -> np.ndarray:
    """What every window reads of x, padded with `value`, as [N, C, out..., kernel...]: a view where there are no blocks."""
    return by_blocks(x, window, lambda part, alone: patches(padded(part, alone, value), alone))


def convolve(x: np.ndarray, w: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """Sum over (k, i, j) of x[n, k, U*e + i, U*f + j] * w[m, k, i, j], for a padded x, group by group."""
    view = patches(x, window)
    n, c = view.shape[:2]
    out = view.shape[2 : 2 + window.rank]
    m, k = w.shape[0], prod(w.shape[1:])
    kind = np.dtype(np.int32) if np.issubdtype(x.dtype, np.integer) else x.dtype
    if groups == c == m:
        return _depthwise(view, w, window.rank, kind)
    wg = w.reshape(groups, m // groups, k)
    result = np.empty((n, m, *out), kind)
    rows = max(1, _BLOCK // max(1, c * prod(w.shape[2:]) * prod(out[1:])))
    # [N, C, rows, ..., R, S] -> [N, groups, C/groups * R * S, rows * ...]: one matrix product for each group
    order = (0, 1, *range(2 + window.rank, 2 + 2 * window.rank), *range(2, 2 + window.rank))
    for r in range(0, out[0], rows):
        part = view[:, :, r : r + rows]
        columns = part.transpose(order).reshape(n, groups, k, -1)
        block = exact_matmul(wg, columns, kind)
        result[:, :, r : r + rows] = block.reshape(n, m, *part.shape[2 : 2 + window.rank])
    return result


def _depthwise(view: np.ndarray, w: np.ndarray, rank: int, kind: np.dtype) -> np.ndarray:
    result = np.zeros(view.shape[: 2 + rank], kind)
    for tap in np.ndindex(*w.shape[2:]):  # R * S steps, each over the whole output
        weight = w[(slice(None), 0, *tap)].astype(kind)
        result += view[(Ellipsis, *tap)] * weight.reshape(-1, *(1,) * rank)
    return result


@irdl_op_definition
class ConvOp(DnnOp):
    """O[n][m][x][y] = B[m] + sum over k, i, j of I[n][k][U*x + i][U*y + j] * W[m][k][i][j], padding counted as zero.

    1-D and 3-D alike; `groups` splits channels and filters into independent parts (depthwise when groups = C).
    """

    name = "dnn.conv"
    x = operand_def(TensorType)
    w = operand_def(TensorType)
    bias = opt_operand_def(TensorType)
    window = prop_def(WindowAttr)
    groups = opt_prop_def(Int, default_value=Int(1))
    result = result_def(TensorType)

    def dims(self) -> ConvDims:
        """Loop bounds from operand shapes."""
        n, c, *hw = self.shape(0)
        m, _, *rs = self.shape(1)
        win = self.window.data
        return ConvDims(n, m, c, tuple(hw), tuple(rs), win.output(hw), win.stride, self.groups.data)

    def infer(self) -> TensorType:
        x, w = self.shape(0), self.shape(1)
        rank, groups = self.window.data.rank, self.groups.data
        expect(len(x) == rank + 2, f"an input of rank {rank + 2}", tensor_text(self.x.type), code="E0418")
        expect(len(w) == rank + 2, f"weights of rank {rank + 2}", tensor_text(self.w.type), code="E0418")
        expect(groups >= 1, "at least one group", str(groups), code="E0420")
        expect(x[1] == w[1] * groups, f"weights with {x[1]}/{groups} input channels", str(w[1]), code="E0419")
        expect(w[0] % groups == 0, f"a multiple of {groups} filters", str(w[0]), code="E0420")
        expect(
            w[2:] == self.window.data.kernel,
            f"a kernel of {list(w[2:])}",
            str(list(self.window.data.kernel)),
            code="E0421",
        )
        self.window.data.check(x[2:], blocks=True)
        check_channels(self.element(1), 0)
        element = product_type(self.element(0), self.element(1), 1)
        if self.bias is not None:
            check_bias(self.bias.type, (w[0],), element)
        return tensor(element, (x[0], w[0], *self.window.data.output(x[2:])))

    def evaluate(self, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        win, groups = self.window.data, self.groups.data
        x, w = centered(x, self.element(0)), centered(w, self.element(1))
        y = by_blocks(x, win, lambda part, alone: convolve(padded(part, alone, 0), w, alone, groups))
        if bias is not None:
            y += bias.reshape(-1, *(1,) * win.rank)
        return y

    def work(self) -> Work:
        n = self.elements()
        return Work(self.dims().macs, n if self.bias is not None else 0, n)


def check_bias(type_: Attribute, shape: tuple[int, ...], element: Attribute) -> None:
    """Verify a bias: its shape, and the element type of the sum it is added to."""
    assert isinstance(type_, TensorType)
    expect(shape_of(type_) == shape, f"a bias of shape {list(shape)}", tensor_text(type_), code="E0422")
    got = type_.element_type
    if isinstance(element, QuantType):
        # The channel axis is another in the bias than in the result; the scales are what must agree.
        fits = got == element.storage or (
            isinstance(got, QuantType) and (got.storage, got.data.scales) == (element.storage, element.data.scales)
        )
        expect(fits, "a bias of i32 at the scale of input times weights", got, code="E0423")
    else:
        expect(got == element, f"a bias of element type {type_name(element)}", type_name(got), code="E0423")


@irdl_op_definition
class ConvTransposeOp(DnnOp):
    """O[n][m][U*x + i][U*y + j] += I[n][k][x][y] * W[k][m][i][j], then + B[m]: the adjoint of convolution.

    Output size U * (H - 1) + extent + output_pad - pads; the window's pads crop the result.
    """

    name = "dnn.conv_transpose"
    x = operand_def(TensorType)
    w = operand_def(TensorType)
    bias = opt_operand_def(TensorType)
    window = prop_def(WindowAttr)
    groups = opt_prop_def(Int, default_value=Int(1))
    output_pad = opt_prop_def(Ints)
    result = result_def(TensorType)

    def extra(self) -> tuple[int, ...]:
        """Output padding of each spatial dimension."""
        return self.output_pad.data if self.output_pad is not None else (0,) * self.window.data.rank

    def infer(self) -> TensorType:
        x, w = self.shape(0), self.shape(1)
        win, groups = self.window.data, self.groups.data
        expect(
            len(x) == win.rank + 2 == len(w),
            f"input and weights of rank {win.rank + 2}",
            tensor_text(self.x.type),
            code="E0418",
        )
        expect(w[0] == x[1], f"weights with {x[1]} input channels", str(w[0]), code="E0419")
        expect(groups >= 1, "at least one group", str(groups), code="E0420")
        expect(x[1] % groups == 0, f"a multiple of {groups} input channels", str(x[1]), code="E0420")
        expect(w[2:] == win.kernel, f"a kernel of {list(w[2:])}", str(list(win.kernel)), code="E0421")
        win.check_form(x[2:])
        win.check_blocks(False)
        extra = self.extra()
        fits = len(extra) == win.rank and min(extra, default=0) >= 0
        expect(fits, f"{win.rank} output pads of at least 0", str(list(extra)), code="E0434")
        check_channels(self.element(1), 1 if groups == 1 else None)
        element = product_type(self.element(0), self.element(1), 1)
        out = tuple(
            u * (h - 1) + e + o - a - b
            for h, u, e, o, (a, b) in zip(x[2:], win.stride, win.extent, self.extra(), win.pads)
        )
        expect(all(o >= 0 for o in out), "pads smaller than the output", str(list(win.pad)), code="E0417")
        m = w[1] * groups
        if self.bias is not None:
            check_bias(self.bias.type, (m,), element)
        return tensor(element, (x[0], m, *out))

    def evaluate(self, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        win, groups = self.window.data, self.groups.data
        n, c, *hw = x.shape
        m = w.shape[1]
        full = [u * (h - 1) + e + o for h, u, e, o in zip(hw, win.stride, win.extent, self.extra())]
        x, w = centered(x, self.element(0)), centered(w, self.element(1))
        y = np.zeros((n, m * groups, *full), x.dtype)
        xg = x.reshape(n, groups, c // groups, prod(hw))
        wg = w.reshape(groups, c // groups, m, *win.kernel)
        for tap in np.ndindex(*win.kernel):  # R * S steps, each one matrix product
            weight = wg[(slice(None), slice(None), slice(None), *tap)].transpose(0, 2, 1)
            part = exact_matmul(weight, xg, x.dtype) if np.issubdtype(x.dtype, np.integer) else np.matmul(weight, xg)
            at = tuple(
                slice(i * d, i * d + u * (h - 1) + 1, u) for i, d, u, h in zip(tap, win.dilation, win.stride, hw)
            )
            y[(slice(None), slice(None), *at)] += part.reshape(n, m * groups, *hw)
        crop = tuple(slice(a, size - b) for (a, b), size in zip(win.pads, full))
        y = y[(slice(None), slice(None), *crop)]
        return y if bias is None else y + bias.reshape(-1, *(1,) * win.rank)

    def work(self) -> Work:
        macs = prod(self.shape(0)) * self.shape(1)[1] * prod(self.window.data.kernel)
        return Work(macs, self.elements() if self.bias is not None else 0, self.elements())


@irdl_op_definition
class MatmulOp(DnnOp):
    """Y[..., i, j] = bias[j] + sum over k of A[..., i, k] * B[..., k, j]; leading dimensions broadcast.

    `trans_a` and `trans_b` swap the last two dimensions of an operand; the bias broadcasts to the result.
    """

    name = "dnn.matmul"
    a = operand_def(TensorType)
    b = operand_def(TensorType)
    bias = opt_operand_def(TensorType)
    trans_a = opt_prop_def(UnitAttr)
    trans_b = opt_prop_def(UnitAttr)
    result = result_def(TensorType)

    def operand_shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of A and B after transposition, vectors taken as a row and a column."""
        a, b = self.shape(0), self.shape(1)
        a = (1, *a) if len(a) == 1 else a
        b = (*b, 1) if len(b) == 1 else b
        swap = lambda s: (*s[:-2], s[-1], s[-2])  # noqa: E731
        return (swap(a) if self.trans_a else a), (swap(b) if self.trans_b else b)

    def infer(self) -> TensorType:
        expect(
            len(self.shape(0)) > 0 < len(self.shape(1)),
            "operands of rank 1 or more",
            tensor_text(self.a.type),
            code="E0418",
        )
        a, b = self.operand_shapes()
        both = f"{tensor_text(self.a.type)} and {tensor_text(self.b.type)}"
        expect(a[-1] == b[-2], "operands that share the inner dimension", both, code="E0425")
        element = self.element(0)
        batch = broadcast(tensor(element, a[:-2]), tensor(element, b[:-2]))
        shape = batch + a[-2:-1] * (len(self.shape(0)) > 1) + b[-1:] * (len(self.shape(1)) > 1)
        check_channels(self.element(1), max(0, len(self.shape(1)) - (1 if self.trans_b is None else 2)))
        kind = product_type(element, self.element(1), len(shape) - 1)
        result = tensor(kind, shape)
        if self.bias is not None:
            spread = broadcast(result, self.bias.type)
            expect(
                spread == shape, f"a bias that broadcasts to {list(shape)}", tensor_text(self.bias.type), code="E0422"
            )
            check_bias(self.bias.type, shape_of(self.bias.type), kind)
        return result

    def evaluate(self, a: np.ndarray, b: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        a, b = centered(a, self.element(0)), centered(b, self.element(1))
        a = a.swapaxes(-1, -2) if self.trans_a else a
        b = b.swapaxes(-1, -2) if self.trans_b else b
        type_ = self.result.type
        assert isinstance(type_, TensorType)
        y = exact_matmul(a, b, dtype(type_.element_type))
        return y if bias is None else y + bias

    def work(self) -> Work:
        a, _ = self.operand_shapes()
        n = self.elements()
        return Work(n * a[-1], n if self.bias is not None else 0, n)


def loop_dims(op: ConvOp | ConvTransposeOp | MatmulOp) -> ConvDims:
    """Loop bounds in the letters of convolution; a matrix product is one over a single pixel.

    [.., N, C] x [C, M]: every row of the first operand is an image. With a batch of second operands, each is a group.
    """
    if isinstance(op, ConvOp):
        return op.dims()
    if isinstance(op, ConvTransposeOp):
        (n, c, *hw), (_, m, *rs), win = op.shape(0), op.shape(1), op.window.data
        ef, groups = shape_of(op.result.type)[2:], op.groups.data
        return ConvDims(n, m * groups, c, tuple(hw), tuple(rs), ef, win.stride, groups)
    a, b = op.operand_shapes()
    one = (1, 1)
    if prod(b[:-2]) == 1:
        return ConvDims(prod(a[:-1]), b[-1], a[-1], one, one, one, one, 1)
    groups = op.elements() // max(1, a[-2] * b[-1])
    return ConvDims(a[-2], groups * b[-1], groups * a[-1], one, one, one, one, groups)
