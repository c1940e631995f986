"""Weights of contractions as rows of one output channel each, and as integers of 2 to 8 bits with a scale a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects.builtin import IntegerType, ModuleOp
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.codes import WeightCode
from dnnc.ir.diagnostics import DnncError, Finding, where
from dnnc.ir.dnn.attributes import Key
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp, unrolled
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.types import F32, Quantized, QuantType, dtype, shape_of, tensor
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.choices import FLOAT as IN_FLOAT
from dnnc.passes.analysis.choices import WIDTHS, Choice, choice_of, set_choice, width
from dnnc.passes.analysis.contractions import Contraction

FLOAT = "dnn.float"  # key of the weights that integers stand for
OUTLIER = 3.0  # largest weight of an outlier, in medians over the channels

Rows = ConvOp | MatmulOp
Widths = int | np.ndarray  # bits of all rows [G, M], or of each

_SHRINK = np.arange(1.0, 0.195, -0.01)
NORM = 2.4  # between squares, which neglect small weights, and the absolute error


@dataclass(frozen=True)
class Quantizer:
    """Q = clamp(round(w / s[g, m]), -2^(b-1), 2^(b-1) - 1) for weights [G, M, ...], of b[g, m] bits; `shared`: all s are one."""

    scale: np.ndarray
    bits: Widths
    shared: bool = False

    @property
    def storage(self) -> IntegerType:
        """The integers that hold all of them."""
        return IntegerType(int(np.max(self.bits)))

    def integers(self, w: np.ndarray) -> np.ndarray:
        """The nearest integers, as float64; `w` is [G, M] or [G, M, K]."""
        half = 2.0 ** (np.asarray(self.bits) - 1)
        half = self._along(w, half) if half.ndim else half
        return np.clip(np.rint(w / self._along(w, self.scale)), -half, half - 1)

    def values(self, w: np.ndarray) -> np.ndarray:
        """The weights that the nearest integers stand for."""
        return self.integers(w) * self._along(w, self.scale)

    def times(self, p: float) -> Quantizer:
        """The same with scales p times as large."""
        return replace(self, scale=(self.scale * p).astype(np.float32).astype(np.float64))

    def totals(self, error: np.ndarray) -> np.ndarray:
        """The error of each row [G, M] that its scale answers for: of all of them when it is shared."""
        return np.full(error.shape, error.sum()) if self.shared else error

    def _along(self, w: np.ndarray, values: np.ndarray) -> np.ndarray:
        return values if w.ndim == values.ndim else values[..., None]


def largest_scale(rows: np.ndarray, bits: Widths, shared: bool = False) -> Quantizer:
    """S = max|w| / (2^(bits-1) - 1) for each row, none below 2^-12 of the layer's largest: biases are integers at this scale.

    `shared`: the largest of them for all.
    """
    largest = np.abs(rows).max(-1, initial=0) / (2 ** (np.asarray(bits) - 1) - 1)
    top = largest.max(initial=0)
    largest = np.full(largest.shape, top) if shared else np.maximum(largest, top * 2.0**-12)
    scale = np.where(largest > np.finfo(np.float32).tiny, largest, 1.0)
    return Quantizer(scale.astype(np.float32).astype(np.float64), bits, shared)


def best_scale(rows: np.ndarray, bits: Widths, shared: bool = False) -> Quantizer:
    """For each row the scale p * max|w| / (2^(bits-1) - 1), p of 1, 0.99 ... 0.2, with the least sum |w - s q|^2.4."""
    full = largest_scale(rows, bits, shared)
    best, least = full.scale.copy(), np.full(full.scale.shape, np.inf)
    for p in _SHRINK:
        tried = full.times(p)
        error = tried.totals((np.abs(rows - tried.values(rows)) ** NORM).sum(-1))
        best, least = np.where(error < least, tried.scale, best), np.minimum(error, least)
    return replace(full, scale=best)


def layers(module: ModuleOp) -> Iterator[Rows]:
    """The convolutions and matrix products of floats with constant float weights, in order."""
    for op in main_function(module).body.block.ops:
        if is_layer(op):
            yield op  # pyright: ignore[reportReturnType]


def is_layer(op: object) -> bool:
    """Whether an operation is a convolution, or a product with a matrix, of constant float weights."""
    if not isinstance(op, Rows) or not isinstance(op.operands[1].owner, ConstOp):
        return False
    floats = all(op.element(i) == F32 for i in (0, 1))
    return floats and (isinstance(op, ConvOp) or (len(op.shape(1)) == 2 and op.trans_a is None))


def rows_of(op: Rows, w: np.ndarray) -> np.ndarray:
    """Weights as float64 [groups, output channels of a group, products of a sum]."""
    if isinstance(op, ConvOp):
        groups = op.groups.data
        return w.reshape(groups, w.shape[0] // groups, -1).astype(np.float64)
    return (w if op.trans_b is not None else w.T)[None].astype(np.float64)


def weights_of(op: Rows, rows: np.ndarray) -> np.ndarray:
    """Rows in the shape of an operation's weights."""
    if isinstance(op, ConvOp):
        return rows.reshape(op.shape(1))
    return rows[0] if op.trans_b is not None else rows[0].T


def second_moments(op: Rows, x: np.ndarray) -> np.ndarray:
    """X X^T of the operands of a layer's sums, float64 [groups, K, K]."""
    if isinstance(op, MatmulOp):
        columns = x.reshape(1, -1, x.shape[-1])
        return (columns.swapaxes(1, 2) @ columns).astype(np.float64)
    rank, groups = op.window.data.rank, op.groups.data
    view = unrolled(x, op.window.data, 0)
    c = view.shape[1]
    order = (1, *range(2 + rank, 2 + 2 * rank), 0, *range(2, 2 + rank))
    columns = np.ascontiguousarray(view.transpose(order)).reshape(
        groups, c // groups * int(np.prod(op.shape(1)[2:])), -1
    )
    return (columns @ columns.swapaxes(1, 2)).astype(np.float64)


def taken_by(name: str, op: object) -> bool:
    """Whether the weights of an operation are there for a pass to make integers of, and the scheme gives them to no other."""
    if not is_layer(op):
        return False
    choice = choice_of(op)  # pyright: ignore[reportArgumentType]
    return choice.weights != IN_FLOAT and choice.algorithm in (None, name)


def width_of(op: Contraction, default: int) -> int:
    """The bits of a layer's weights: its own, or those of all."""
    bits = choice_of(op).bits or default
    if bits not in WIDTHS:
        message = f"expected weights of 2 to 8 bits, not {bits}."
        raise DnncError(Finding(where(op.location, op.name), message, "E0705"))
    return bits


def widths_of(op: Contraction, rows: np.ndarray, default: int) -> Widths:
    """The bits of the weights [G, M, K]: the layer's, or those of each row."""
    return channel_widths(rows, width_of(op, default), choice_of(op))


def channel_widths(rows: np.ndarray, bits: int, choice: Choice) -> Widths:
    """The bits of all rows of the last axis, or of each where they are stated one by one or outliers have more.

    An outlier is a channel whose largest weight is more than `outlier_ratio` medians of that over the channels.
    """
    if choice.channels is not None:
        return choice.channels.reshape(rows.shape[:-1])
    if choice.outliers is None:
        return bits
    largest = np.abs(rows).max(-1, initial=0)
    above = largest > (choice.outlier_ratio or OUTLIER) * np.median(largest)
    return np.where(above, max(bits, width(choice.outliers)), bits)


def bits_of(widths: Widths, shape: Sequence[int]) -> int:
    """What weights [..., K] take: widths that differ with, for each row, the number of its width among the layer's."""
    each = np.broadcast_to(widths, shape[:-1])
    return int(each.sum()) * shape[-1] + each.size * (len(np.unique(each)) - 1).bit_length()


def shared_scale(op: Contraction) -> bool:
    """Whether all weights of a layer have one scale."""
    return choice_of(op).by == "tensor"


def set_weights(op: Rows, rows: np.ndarray, quantizer: Quantizer, store: WeightStore) -> None:
    """Let an operation read the dequantized form of integers, [G, M, K]; the float weights are noted."""
    axis = 0 if isinstance(op, ConvOp) or op.trans_b is not None else 1
    if np.ndim(quantizer.bits) and choice_of(op).channels is None:  # the storage tells of the outliers alone
        set_choice(op, choice_of(op) | Choice(weights=f"int{np.min(quantizer.bits)}"))
    storage, scale = quantizer.storage, quantizer.scale.reshape(-1)
    shared = QuantType.per_tensor(storage, float(scale[0])) if quantizer.shared else None
    type_ = shared or QuantType.per_channel(storage, scale, axis)
    values = np.ascontiguousarray(weights_of(op, rows)).astype(np.int8).astype(dtype(type_))
    _read(op, values, type_, f"i{storage.width.data}", store)


def set_codes(op: Rows, rows: np.ndarray, code: WeightCode, suffix: str, store: WeightStore) -> None:
    """Let an operation read the dequantized form of the codes of weights [G, M, K]; the float weights are noted."""
    _read(op, code.codes(np.ascontiguousarray(weights_of(op, rows))), code, suffix, store)


def _read(op: Rows, values: np.ndarray, type_: Quantized, suffix: str, store: WeightStore) -> None:
    const = op.operands[1].owner
    assert isinstance(const, ConstOp)
    hint = const.key.data if const.key is not None else "weights"
    new = ConstOp.of(values, store, f"{hint}.{suffix}", tensor(type_, shape_of(const.result.type)))
    back = DequantizeOp(new)
    new.location = back.location = op.location
    Rewriter.insert_op([new, back], InsertPoint.before(op))
    op.attributes[FLOAT] = Key(hint if const.key is not None else store.add(hint, const.array(store)))
    op.operands[1] = back.result
