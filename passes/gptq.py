"""Weights become integers one input after another, and the weights not yet rounded make up for the error of each.

With H = X X^T of a layer's operands, as the layers before it, already integers, make them, and U the upper Cholesky factor of
H^-1: for each column i, q_i = round(w_i), then w_j -= (w_i - q_i) / U_ii * U_ij for all j > i. Columns come in the order of
falling H_ii. The IR is that of `quantize-weights`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.compensation import Compensation, hessian
from dnnc.passes.analysis.integer_weights import (
    Quantizer,
    Rows,
    largest_scale,
    rows_of,
    set_weights,
    shared_scale,
    taken_by,
    widths_of,
)
from dnnc.passes.analysis.samples import given_samples
from dnnc.passes.analysis.walk import Walk

SHRINK = (1.0, 0.92, 0.84, 0.76, 0.68, 0.6, 0.52)


@dataclass(frozen=True)
class GptqPass(ModulePass):
    """GPTQ of every layer's weights to `bits`, from the inputs that samples give it; `damping` is a part of the mean of H_ii."""

    name = "gptq"
    bits: int = 4
    damping: float = 0.01

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        for layer, rows, h, full in weighed(self.name, self.bits, op, store):
            best = least_error(rows, h, full, self.damping)
            set_weights(layer, best.q, best.quantizer, store)


def weighed(
    name: str, bits: int, op: ModuleOp, store: WeightStore
) -> Iterator[tuple[Rows, np.ndarray, np.ndarray, Quantizer]]:
    """Each layer that a pass takes: rows of weights [G, M, K], second moments [G, K, K] of its inputs, scales of its widths."""
    walk = Walk(op, store, given_samples(name), name)
    for layer in walk:
        if not taken_by(name, layer):
            continue
        assert isinstance(layer, Rows)
        rows = rows_of(layer, layer.operands[1].owner.array(store))  # pyright: ignore
        h = hessian(layer, walk.column(layer.operands[0]))
        yield layer, rows, h, largest_scale(rows, widths_of(layer, rows, bits), shared_scale(layer))


@dataclass(frozen=True)
class Rounding:
    """Integers [G, M, K], their scales, and the error e H e^T that each row of them leaves, [G, M]."""

    q: np.ndarray
    quantizer: Quantizer
    error: np.ndarray


def least_error(rows: np.ndarray, h: np.ndarray, full: Quantizer, damping: float) -> Rounding:
    """For each row the scale p times that of `full`, p of `SHRINK`, whose integers leave the least error."""
    best, compensation = None, Compensation.of(h, damping)
    for p in SHRINK:
        tried = _rounding(rows, h, full.times(p), compensation)
        best = tried if best is None else _lesser(best, tried)
    assert best is not None
    return best


def _rounding(rows: np.ndarray, h: np.ndarray, quantizer: Quantizer, compensation: Compensation) -> Rounding:
    w = compensation.rounded(rows, lambda column, _: quantizer.values(column))
    q, e = np.rint(w / quantizer.scale[..., None]), w - rows
    return Rounding(q, quantizer, quantizer.totals(((e @ h) * e).sum(-1)))


def _lesser(a: Rounding, b: Rounding) -> Rounding:
    """Row by row the one with less error."""
    better = b.error < a.error
    scale = np.where(better, b.quantizer.scale, a.quantizer.scale)
    q = np.where(better[..., None], b.q, a.q)
    return Rounding(q, replace(a.quantizer, scale=scale), np.minimum(a.error, b.error))
