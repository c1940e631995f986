"""Weights become integers one input after another, and the weights not yet rounded make up for the error of each.

With H = X X^T of a layer's operands, as the layers before it, already integers, make them, and U the upper Cholesky factor of
H^-1: for each column i, q_i = round(w_i), then w_j -= (w_i - q_i) / U_ii * U_ij for all j > i. Columns come in the order of
falling H_ii. The IR is that of `quantize-weights`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.weights import store_of
from dnnc.passes.analysis.integer_weights import (
    Quantizer,
    Rows,
    largest_scale,
    rows_of,
    second_moments,
    set_weights,
    shared_scale,
    taken_by,
    widths_of,
)
from dnnc.passes.analysis.samples import given_samples
from dnnc.passes.analysis.walk import Walk

BLOCK = 128  # columns whose effect on the others is applied at once
SHRINK = (1.0, 0.92, 0.84, 0.76, 0.68, 0.6, 0.52)


@dataclass(frozen=True)
class GptqPass(ModulePass):
    """GPTQ of every layer's weights to `bits`, from the inputs that samples give it; `damping` is a part of the mean of H_ii."""

    name = "gptq"
    bits: int = 4
    damping: float = 0.01

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        walk = Walk(op, store, given_samples(self.name), self.name)
        for layer in walk:
            if not taken_by(self.name, layer):
                continue
            assert isinstance(layer, Rows)
            rows = rows_of(layer, layer.operands[1].owner.array(store))  # pyright: ignore
            h = hessian(layer, walk.column(layer.operands[0]))
            full = largest_scale(rows, widths_of(layer, rows, self.bits), shared_scale(layer))
            best = least_error(rows, h, full, self.damping)
            set_weights(layer, best.q, best.quantizer, store)


@dataclass(frozen=True)
class Rounding:
    """Integers [G, M, K], their scales, and the error e H e^T that each row of them leaves, [G, M]."""

    q: np.ndarray
    quantizer: Quantizer
    error: np.ndarray


def least_error(rows: np.ndarray, h: np.ndarray, full: Quantizer, damping: float) -> Rounding:
    """For each row the scale p times that of `full`, p of `SHRINK`, whose integers leave the least error."""
    best = None
    for p in SHRINK:
        tried = _rounding(rows, h, full.times(p), damping)
        best = tried if best is None else _lesser(best, tried)
    assert best is not None
    return best


def _rounding(rows: np.ndarray, h: np.ndarray, quantizer: Quantizer, damping: float) -> Rounding:
    q = rounded(rows, h, quantizer, damping)
    e = q * quantizer.scale[..., None] - rows
    return Rounding(q, quantizer, quantizer.totals(((e @ h) * e).sum(-1)))


def _lesser(a: Rounding, b: Rounding) -> Rounding:
    """Row by row the one with less error."""
    better = b.error < a.error
    scale = np.where(better, b.quantizer.scale, a.quantizer.scale)
    q = np.where(better[..., None], b.q, a.q)
    return Rounding(q, replace(a.quantizer, scale=scale), np.minimum(a.error, b.error))


def hessian(layer: Rows, column: Sequence[np.ndarray]) -> np.ndarray:
    """The mean over samples of X X^T, [G, K, K]."""
    total = second_moments(layer, column[0])
    for x in column[1:]:
        total += second_moments(layer, x)
    return total / len(column)


def rounded(rows: np.ndarray, h: np.ndarray, quantizer: Quantizer, damping: float) -> np.ndarray:
    """Integers [G, M, K] whose weights w minimise, column by column, (w - rows) H (w - rows)^T."""
    order = np.argsort(-np.diagonal(h, axis1=1, axis2=2), axis=1, kind="stable")
    w = np.take_along_axis(rows, order[:, None, :], 2)
    u = _factor(np.take_along_axis(np.take_along_axis(h, order[:, :, None], 1), order[:, None, :], 2), damping)
    q = np.empty_like(w)
    for start in range(0, w.shape[2], BLOCK):
        stop = min(start + BLOCK, w.shape[2])
        errors = np.empty((*w.shape[:2], stop - start))
        for i in range(start, stop):
            q[..., i] = quantizer.integers(w[..., i])
            errors[..., i - start] = (w[..., i] - q[..., i] * quantizer.scale) / u[:, i, i, None]
            w[..., i + 1 : stop] -= errors[..., i - start, None] * u[:, None, i, i + 1 : stop]
        w[..., stop:] -= errors @ u[:, start:stop, stop:]
    return np.take_along_axis(q, np.argsort(order, axis=1)[:, None, :], 2)


def _factor(h: np.ndarray, damping: float) -> np.ndarray:
    """U, upper, with U^T U = (H + d I)^-1; inputs that are always zero count as one."""
    diagonal = np.einsum("gii->gi", h)
    dead = diagonal == 0
    d = damping * np.where(dead, 0, diagonal).mean(1, keepdims=True) + 1e-12
    diagonal += np.where(dead, 1.0, 0.0) + d
    return np.linalg.cholesky(np.linalg.inv(h)).swapaxes(1, 2)
