"""What a small change of each operand of a float operation does to a sum over its results: reverse-mode differentiation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.composite import BatchNormOp, LogSoftmaxOp, SoftmaxOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp, padded, patches, unrolled
from dnnc.ir.dnn.elementwise import Elementwise
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.reduction import AvgPoolOp, MaxPoolOp, ReduceMeanOp, ReduceSumOp

STEP = 2.0**-8  # of an operand, or of its size above 1

Arrays = Sequence[np.ndarray]


def gradient(op: DnnOp, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray) -> np.ndarray | None:
    """Sum over y of g[y] * d y / d x for every x of operand `index`; None for an operation without a known derivative."""
    for kind, rule in _RULES:
        if isinstance(op, kind):
            return rule(op, index, operands, result, g)
    return None


def _conv(op: ConvOp, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray) -> np.ndarray | None:
    """The transposed convolution, tap by tap."""
    x, w = operands[:2]
    window, groups = op.window.data, op.groups.data
    n, m, *out = g.shape
    rows = g.reshape(n, groups, m // groups, -1)
    taps = w.reshape(groups, m // groups, w.shape[1], *w.shape[2:])

    def part(tap: tuple[int, ...]) -> np.ndarray:
        weights = taps[(slice(None), slice(None), slice(None), *tap)]
        return (weights.swapaxes(1, 2) @ rows).reshape(n, x.shape[1], *out)

    return _scattered(x, window, part) if index == 0 else None


def _scattered(x: np.ndarray, window: Window, part: Callable[[tuple[int, ...]], np.ndarray]) -> np.ndarray:
    """The sum of what each tap of a window gives to the elements it reads; what falls on padding is dropped."""
    cells = list(window.cells(x.shape[2:]))
    totals = [np.zeros_like(padded(x[(Ellipsis, *cell.input)], cell.window, 0), subok=False) for cell in cells]
    views = [patches_writable(total, cell.window) for total, cell in zip(totals, cells)]
    for tap in np.ndindex(*window.kernel):
        given = part(tap)
        for view, cell in zip(views, cells):
            view[(Ellipsis, *tap)] += given[(Ellipsis, *cell.out)]
    found = np.zeros_like(x, subok=False)
    for total, cell in zip(totals, cells):
        inside = tuple(slice(a, n - b) for (a, b), n in zip(cell.window.pads, total.shape[2:]))
        found[(Ellipsis, *cell.input)] = total[(Ellipsis, *inside)]
    return found


def patches_writable(x: np.ndarray, window: Window) -> np.ndarray:
    """`patches` of an array that may be added to, one tap at a time."""
    view = patches(x, window)
    return np.lib.stride_tricks.as_strided(x, view.shape, view.strides, writeable=True)


def _max_pool(op: MaxPoolOp, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray) -> np.ndarray:
    """All of it to the first largest element of each window."""
    window = op.window.data
    view = unrolled(operands[0], window, -np.inf)
    left = np.ones(result.shape, bool)

    def part(tap: tuple[int, ...]) -> np.ndarray:
        nonlocal left
        here = left & (view[(Ellipsis, *tap)] == result)
        left = left & ~here
        return np.where(here, g, 0)

    return _scattered(operands[0], window, part)


def _avg_pool(op: AvgPoolOp, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray) -> np.ndarray:
    each = (g / op.count()).astype(g.dtype)
    return _scattered(operands[0], op.window.data, lambda tap: each)


def _reduce(
    op: ReduceMeanOp | ReduceSumOp, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray
) -> np.ndarray:
    shape = operands[0].shape
    kept = [1 if i in op.axes.data else n for i, n in enumerate(shape)]
    share = prod(shape[a] for a in op.axes.data) if isinstance(op, ReduceMeanOp) else 1
    return np.broadcast_to(g.reshape(kept) / np.float32(share), shape)


def _batch_norm(op: BatchNormOp, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray) -> np.ndarray | None:
    scale, var = operands[1], operands[4]
    factor = scale / np.sqrt(var + np.float32(op.epsilon.data))
    return g * factor.reshape(-1, *(1,) * (g.ndim - 2)) if index == 0 else None


def _softmax(op: SoftmaxOp, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray) -> np.ndarray:
    return result * (g - (g * result).sum(op.axis.data, keepdims=True))


def _log_softmax(op: LogSoftmaxOp, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray) -> np.ndarray:
    return g - np.exp(result) * g.sum(op.axis.data, keepdims=True)


def _matmul(op: MatmulOp, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray) -> np.ndarray | None:
    a, b = operands[:2]
    if index > 1 or a.ndim < 2 or b.ndim < 2:
        return None
    straight_a, straight_b = _turned(a, op.trans_a is not None), _turned(b, op.trans_b is not None)
    found = g @ _turned(straight_b, True) if index == 0 else _turned(straight_a, True) @ g
    return _summed(_turned(found, (op.trans_a, op.trans_b)[index] is not None), operands[index].shape)


def _turned(x: np.ndarray, swap: bool) -> np.ndarray:
    return x.swapaxes(-1, -2) if swap else x


def _summed(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Summed over the axes along which an operand of this shape was repeated."""
    g = g.sum(tuple(range(g.ndim - len(shape)))) if g.ndim > len(shape) else g
    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1 < g.shape[i]), keepdims=True)


def _elementwise(op: Elementwise, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray) -> np.ndarray | None:
    """By the difference of two values near each element."""
    x = operands[index]
    if not np.issubdtype(x.dtype, np.floating):
        return None
    h = (STEP * np.maximum(np.abs(x), 1)).astype(x.dtype)
    high, low = (op.run([*operands[:index], v, *operands[index + 1 :]])[0] for v in (x + h, x - h))
    return _summed(g * (high - low) / ((x + h) - (x - h)), x.shape)


def _movement(op: Movement, index: int, operands: Arrays, result: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Each element gets what the places it is copied to have."""
    flat, total = np.ascontiguousarray(g).reshape(-1), np.zeros(operands[index].size)
    places = np.arange(operands[index].size)
    for p in op.parts():
        if p.operand == index:
            total += np.bincount(p.read.of(places).reshape(-1), p.write.of(flat).reshape(-1), total.size)
    return total.astype(g.dtype).reshape(operands[index].shape)


_RULES: tuple[tuple[type[DnnOp], Callable[..., np.ndarray | None]], ...] = (
    (ConvOp, _conv),
    (MatmulOp, _matmul),
    (BatchNormOp, _batch_norm),
    (SoftmaxOp, _softmax),
    (LogSoftmaxOp, _log_softmax),
    (MaxPoolOp, _max_pool),
    (AvgPoolOp, _avg_pool),
    (ReduceMeanOp, _reduce),
    (ReduceSumOp, _reduce),
    (Movement, _movement),
    (Elementwise, _elementwise),
)
