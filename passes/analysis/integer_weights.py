"""Weights of contractions as rows of one output channel each, and as integers of 2 to 8 bits with a scale a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import IntegerType, ModuleOp
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.diagnostics import DnncError, Finding, where
from dnnc.ir.dnn.attributes import Int, Key
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp, padded, patches
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.types import F32, QuantType, dtype, integer_range, shape_of, tensor
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.contractions import Contraction

BITS = "dnn.bits"  # width of a contraction's weights, where it is not that of all
FLOAT = "dnn.float"  # key of the weights that integers stand for
WIDTHS = range(2, 9)

Rows = ConvOp | MatmulOp

_SHRINK = np.arange(1.0, 0.195, -0.01)
_NORM = 2.4  # between squares, which neglect small weights, and the absolute error


@dataclass(frozen=True)
class Quantizer:
    """Q = clamp(round(w / s[g, m]), lowest, highest) for weights [G, M, ...]."""

    scale: np.ndarray
    storage: IntegerType

    def integers(self, w: np.ndarray) -> np.ndarray:
        """The nearest integers, as float64; `w` is [G, M] or [G, M, K]."""
        low, high = integer_range(self.storage)
        return np.clip(np.rint(w / self._along(w)), low, high)

    def values(self, w: np.ndarray) -> np.ndarray:
        """The weights that the nearest integers stand for."""
        return self.integers(w) * self._along(w)

    def _along(self, w: np.ndarray) -> np.ndarray:
        return self.scale if w.ndim == self.scale.ndim else self.scale[..., None]


def largest_scale(rows: np.ndarray, bits: int) -> Quantizer:
    """S = max|w| / (2^(bits-1) - 1) for each row, none below 2^-12 of the layer's largest: biases are integers at this scale."""
    largest = np.abs(rows).max(-1, initial=0) / (2 ** (bits - 1) - 1)
    largest = np.maximum(largest, largest.max(initial=0) * 2.0**-12)
    scale = np.where(largest > np.finfo(np.float32).tiny, largest, 1.0)
    return Quantizer(scale.astype(np.float32).astype(np.float64), IntegerType(bits))


def best_scale(rows: np.ndarray, bits: int) -> Quantizer:
    """For each row the scale p * max|w| / (2^(bits-1) - 1), p of 1, 0.99 ... 0.2, with the least sum |w - s q|^2.4."""
    full = largest_scale(rows, bits)
    best, least = full.scale.copy(), np.full(full.scale.shape, np.inf)
    for p in _SHRINK:
        tried = Quantizer((full.scale * p).astype(np.float32).astype(np.float64), full.storage)
        error = (np.abs(rows - tried.values(rows)) ** _NORM).sum(-1)
        best, least = np.where(error < least, tried.scale, best), np.minimum(error, least)
    return Quantizer(best, full.storage)


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
    view = patches(padded(x, op.window.data, 0), op.window.data)
    c = view.shape[1]
    order = (1, *range(2 + rank, 2 + 2 * rank), 0, *range(2, 2 + rank))
    columns = np.ascontiguousarray(view.transpose(order)).reshape(
        groups, c // groups * int(np.prod(op.shape(1)[2:])), -1
    )
    return (columns @ columns.swapaxes(1, 2)).astype(np.float64)


def width_of(op: Contraction, default: int) -> int:
    """The bits of a layer's weights: its own, or those of all."""
    own = op.attributes.get(BITS)
    bits = own.data if isinstance(own, Int) else default
    if bits not in WIDTHS:
        message = f"expected weights of 2 to 8 bits, not {bits}."
        raise DnncError(Finding(where(op.location, op.name), message, "E0705"))
    return bits


def set_weights(op: Rows, rows: np.ndarray, scale: np.ndarray, storage: IntegerType, store: WeightStore) -> None:
    """Let an operation read the dequantized form of integers, [G, M, K] with scales [G, M]; the float weights are noted."""
    const = op.operands[1].owner
    assert isinstance(const, ConstOp)
    axis = 0 if isinstance(op, ConvOp) or op.trans_b is not None else 1
    type_ = QuantType.per_channel(storage, scale.reshape(-1), axis)
    hint = const.key.data if const.key is not None else "weights"
    values = np.ascontiguousarray(weights_of(op, rows)).astype(np.int8).astype(dtype(type_))
    new = ConstOp.of(values, store, f"{hint}.i{storage.width.data}", tensor(type_, shape_of(const.result.type)))
    back = DequantizeOp(new)
    new.location = back.location = op.location
    Rewriter.insert_op([new, back], InsertPoint.before(op))
    op.attributes[FLOAT] = Key(hint if const.key is not None else store.add(hint, const.array(store)))
    op.operands[1] = back.result
