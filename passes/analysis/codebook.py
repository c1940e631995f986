"""A codebook for the weights of a layer: k-means, then the shared values of least squares for the codes that rounding gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dnnc.ir.codes import nearest_index
from dnnc.passes.analysis.grids import BookGrid, largest

STEPS = 50  # of k-means at the most
ROUNDS = 3  # of codes, then values

Rounded = Callable[[BookGrid], np.ndarray]  # weights to be had of a grid, in place of the rows


def shared_values(rows: np.ndarray, h: np.ndarray | None, bits: int, rounded: Rounded) -> BookGrid:
    """The grid of 2^bits values with the least error e H e^T of those that rounds of codes and values give."""
    importance = np.ones(rows.shape[::2]) if h is None else np.diagonal(h, axis1=1, axis2=2)
    grid = first_values(rows, importance, bits)
    if h is None:
        return grid.whole()
    tried = [grid.whole()]
    for _ in range(ROUNDS):
        grid = least_squares(rows, h, rounded(grid), grid)
        tried.append(grid.whole())
    errors = [error(rows, h, rounded(g)).sum() for g in tried]
    return tried[int(np.argmin(errors))]


def error(rows: np.ndarray, h: np.ndarray, w: np.ndarray) -> np.ndarray:
    """E H e^T of each row, e = w - rows; [G, M]."""
    e = w - rows
    return ((e @ h) * e).sum(-1)


def first_values(rows: np.ndarray, importance: np.ndarray, bits: int) -> BookGrid:
    """The means of weighted clusters of w / max|w|; weights of 0 keep a value of their own."""
    scale = largest(rows).astype(np.float32).astype(np.float64)
    x = (rows / scale[..., None]).reshape(-1)
    weight = np.broadcast_to(importance[:, None, :] * scale[..., None] ** 2, rows.shape).reshape(-1)
    values = np.linspace(x.min(initial=-1), x.max(initial=1), 2**bits)
    for _ in range(STEPS):
        before, values = values, _means(x, weight, values)
        if np.abs(values - before).max() < 1e-6:
            break
    grid = BookGrid(scale, values, bits)
    return with_zero(grid) if np.any(rows == 0) else grid


def _means(x: np.ndarray, weight: np.ndarray, values: np.ndarray) -> np.ndarray:
    index = nearest_index(x, values)
    total = np.bincount(index, weight, len(values))
    return np.where(total > 0, np.bincount(index, weight * x, len(values)) / np.where(total > 0, total, 1), values)


def with_zero(grid: BookGrid) -> BookGrid:
    """The value nearest to 0 is 0."""
    values = grid.values.copy()
    values[np.abs(values).argmin()] = 0
    return replace(grid, values=values)


def least_squares(rows: np.ndarray, h: np.ndarray, w: np.ndarray, grid: BookGrid) -> BookGrid:
    """The values v that minimise the error for the codes of w: A v = b, A_st = sum e_s H e_t^T, b_s = sum e_s H w^T.

    e_s are the scales of a row where its code is s.
    """
    index = nearest_index(w / grid.scale[..., None], grid.values)
    count = len(grid.values)
    a, b = np.zeros((count, count)), np.zeros(count)
    for g, (codes, scale, moments) in enumerate(zip(index, grid.scale, h)):
        marked = [np.where(codes == s, scale[:, None], 0.0) for s in range(count)]
        for s, e in enumerate(marked):
            through = e @ moments
            a[s] += [(through * other).sum() for other in marked]
            b[s] += (through * rows[g]).sum()
    used = np.diagonal(a) > 0
    values = grid.values.copy()
    values[used] = np.linalg.lstsq(a[np.ix_(used, used)], b[used], rcond=None)[0]
    zero = grid.values == 0
    return replace(grid, values=np.where(zero, 0.0, values))
