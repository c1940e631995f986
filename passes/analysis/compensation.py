"""Weights rounded one input after another, while those not yet rounded make up for the error of each (GPTQ)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dnnc.passes.analysis.integer_weights import Rows, second_moments

BLOCK = 128  # columns whose effect on the others is applied at once

Nearest = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""The weights to be had nearest to given ones [G, M], of a column a group [G]."""


def hessian(layer: Rows, column: Sequence[np.ndarray]) -> np.ndarray:
    """The mean over samples of X X^T, [G, K, K]."""
    total = second_moments(layer, column[0])
    for x in column[1:]:
        total += second_moments(layer, x)
    return total / len(column)


@dataclass(frozen=True)
class Compensation:
    """The order of columns [G, K], by falling H_ii, and the upper factor U of H^-1 in that order."""

    order: np.ndarray
    factor: np.ndarray

    @staticmethod
    def of(h: np.ndarray, damping: float) -> Compensation:
        """For the second moments H [G, K, K]; `damping` is a part of the mean of H_ii."""
        order = np.argsort(-np.diagonal(h, axis1=1, axis2=2), axis=1, kind="stable")
        sorted_ = np.take_along_axis(np.take_along_axis(h, order[:, :, None], 1), order[:, None, :], 2)
        return Compensation(order, _factor(sorted_, damping))

    def rounded(self, rows: np.ndarray, nearest: Nearest) -> np.ndarray:
        """Weights w [G, M, K], each one of those to be had, that minimise, column by column, (w - rows) H (w - rows)^T.

        w_j -= (w_i - nearest(w_i)) / U_ii * U_ij for all columns j after i.
        """
        w, u = np.take_along_axis(rows, self.order[:, None, :], 2), self.factor
        out = np.empty_like(w)
        for start in range(0, w.shape[2], BLOCK):
            stop = min(start + BLOCK, w.shape[2])
            errors = np.empty((*w.shape[:2], stop - start))
            for i in range(start, stop):
                out[..., i] = nearest(w[..., i], self.order[:, i])
                errors[..., i - start] = (w[..., i] - out[..., i]) / u[:, i, i, None]
                w[..., i + 1 : stop] -= errors[..., i - start, None] * u[:, None, i, i + 1 : stop]
            w[..., stop:] -= errors @ u[:, start:stop, stop:]
        return np.take_along_axis(out, np.argsort(self.order, axis=1)[:, None, :], 2)


def _factor(h: np.ndarray, damping: float) -> np.ndarray:
    """U, upper, with U^T U = (H + d I)^-1; inputs that are always zero count as one."""
    diagonal = np.einsum("gii->gi", h)
    dead = diagonal == 0
    d = damping * np.where(dead, 0, diagonal).mean(1, keepdims=True) + 1e-12
    diagonal += np.where(dead, 1.0, 0.0) + d
    return np.linalg.cholesky(np.linalg.inv(h)).swapaxes(1, 2)
