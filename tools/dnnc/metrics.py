"""How good numbers are: scores of classes, pictures and boxes. Pure functions of arrays."""

from __future__ import annotations

import numpy as np

from dnnc.passes.analysis.errors import snr


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Scores of one sample as probabilities: as they are when they sum to 1 and none is negative, else their softmax."""
    x = scores.astype(np.float64).reshape(-1)
    if (x >= 0).all() and abs(x.sum() - 1) < 1e-3:
        return x / x.sum()
    e = np.exp(x - x.max())
    return e / e.sum()


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback-Leibler divergence sum p ln(p / q) in nats, q at least 1e-12."""
    kept = p > 0
    return float((p[kept] * np.log(p[kept] / np.maximum(q[kept], 1e-12))).sum())


def in_top(scores: np.ndarray, label: int, k: int) -> bool:
    """Whether a class is among the k with the largest scores; of equal scores the lower index comes first."""
    order = np.argsort(-scores.astype(np.float64).reshape(-1), kind="stable")
    return label in order[:k]


def psnr(reference: np.ndarray, picture: np.ndarray, peak: float) -> float | None:
    """Peak signal to noise of a picture, 10 log10(peak^2 / mean squared error), in decibels; null when they are equal."""
    e = picture.astype(np.float64) - reference.astype(np.float64)
    return snr(peak * peak, float((e * e).mean()))


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every box [N, 4] of `a` with every one [M, 4] of `b`, as x1, y1, x2, y2: [N, M]."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(x[:, 2:] - x[:, :2], 0), axis=1) for x in (a, b)]
    union = areas[0][:, None] + areas[1][None] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def hits(boxes: np.ndarray, scores: np.ndarray, truth: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """For boxes from the best score down, the IoU with the true box each takes (0 for none), and their scores.

    A box takes the true box it overlaps most, if by the threshold and if no better box has taken it (Pascal VOC).
    """
    order = np.argsort(-scores, kind="stable")
    overlap = iou(boxes[order].astype(np.float64), truth.astype(np.float64))
    taken, found = np.zeros(len(truth), bool), np.zeros(len(order))
    for i, row in enumerate(overlap if len(truth) else ()):
        best = int(row.argmax())
        if row[best] >= threshold and not taken[best]:
            taken[best], found[i] = True, row[best]
    return found, scores[order]


def average_precision(correct: np.ndarray, scores: np.ndarray, truths: int) -> float:
    """Area under precision over recall, precision made falling from the right (Pascal VOC 2010 on)."""
    if not truths:
        return 0.0
    right = np.cumsum(correct[np.argsort(-scores, kind="stable")])
    precision = np.maximum.accumulate((right / np.arange(1, len(right) + 1))[::-1])[::-1]
    recall = right / truths
    return float((np.diff(recall, prepend=0.0) * precision).sum())
