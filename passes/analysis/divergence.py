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
    axis = _classes(scores)
    x = np.moveaxis(scores.astype(np.float64), axis, -1).reshape(-1, scores.shape[axis])
    if _probable(x):
        return x / x.sum(-1, keepdims=True)
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def slopes(scores: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """G such that E[g g^T] over `signs` of +-1 is the second derivative of the divergence at these very scores.

    sqrt(p) v - p sum(sqrt(p) v), or v / sqrt(p) where the scores are probabilities.
    """
    axis = _classes(scores)
    p, moved = distributions(scores), np.moveaxis(scores, axis, -1)
    v, root = np.moveaxis(signs, axis, -1).reshape(p.shape), np.sqrt(np.maximum(p, 1e-12))
    g = v / root if _probable(moved.reshape(p.shape)) else root * v - p * (root * v).sum(-1, keepdims=True)
    return np.moveaxis(g.reshape(moved.shape), -1, axis).astype(scores.dtype)


def _classes(scores: np.ndarray) -> int:
    return next((i for i in range(1, scores.ndim) if scores.shape[i] > 1), scores.ndim - 1)


def _probable(x: np.ndarray) -> bool:
    return bool((x >= 0).all() and (np.abs(x.sum(-1, dtype=np.float64) - 1) < 1e-3).all())


def _divergences(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / np.maximum(q, 1e-12)), 0.0)
    return terms.sum(-1)
