"""How far scores of classes are from those they stand for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def mean_divergence(reference: Iterable[np.ndarray], scores: Iterable[np.ndarray]) -> float:
    """The mean of sum p ln(p / q) in nats over all samples, and over all places of one, q at least 1e-12."""
    found = [_divergences(distributions(x), distributions(y)) for x, y in zip(reference, scores, strict=True)]
    return float(np.mean(np.concatenate(found)))


def distributions(scores: np.ndarray) -> np.ndarray:
    """Scores as probabilities [places, classes]: as they are where all sum to 1 and none is negative, else their softmax.

    The classes lie along the first axis behind the batch that has more than one element.
    """
    x = scores.astype(np.float64)
    axis = next((i for i in range(1, x.ndim) if x.shape[i] > 1), x.ndim - 1)
    x = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
    if (x >= 0).all() and (np.abs(x.sum(-1) - 1) < 1e-3).all():
        return x / x.sum(-1, keepdims=True)
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _divergences(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / np.maximum(q, 1e-12)), 0.0)
    return terms.sum(-1)
