"""How good numbers are: errors of a layer, scores of classes, pictures and boxes. Pure functions of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from dnnc.ir.types import QuantType, along, integer_range

STEPS, BINS = 4.0, 33  # an error histogram reaches from -4 to 4 quantization steps


class Errors:
    """Errors of a value over all samples: sums, from which SNR = 10 log10(sum x^2 / sum e^2) and the cosine follow."""

    def __init__(self, element: QuantType | None, source: QuantType | None = None):
        self.element, self.source = element, source
        self.count = self.saturated = 0
        self.largest = self.absolute = self.noise = self.signal = self.power = self.product = 0.0
        self.histogram = np.zeros(BINS, np.int64)

    def add(self, reference: np.ndarray, stored: np.ndarray) -> None:
        """Take one sample in: the reference, and the value compared with it, each as it is stored."""
        x, y = real(reference, self.source), real(stored, self.element)
        e = y - x
        self.count += x.size
        self.largest = max(self.largest, float(np.abs(e).max(initial=0)))
        self.absolute += float(np.abs(e).sum())
        self.noise += float((e * e).sum())
        self.signal += float((x * x).sum())
        self.power += float((y * y).sum())
        self.product += float((x * y).sum())
        if self.element is not None:
            self.saturated += saturated(stored, self.element)
            steps = e / along(self.element.scale, self.element.axis, e.ndim)
            self.histogram += np.histogram(np.clip(steps, -STEPS, STEPS), BINS, (-STEPS, STEPS))[0]

    def to_dict(self) -> dict[str, Any]:
        """The figures; null where one is not a finite number."""
        length = np.sqrt(self.signal * self.power)
        return {
            "elements": self.count,
            "max_error": finite(self.largest),
            "mean_error": finite(self.absolute / max(1, self.count)),
            "snr_db": snr(self.signal, self.noise),
            "cosine": finite(self.product / length) if length else None,
            "saturated": self.saturated,
            "histogram": [int(n) for n in self.histogram] if self.element is not None else None,
        }


def real(x: np.ndarray, element: QuantType | None) -> np.ndarray:
    """Stored values as reals: s * (q - z) of a quantized type."""
    if element is None:
        return x.astype(np.float64)
    centered = x.astype(np.int64) - along(element.zero, element.axis, x.ndim)
    return centered * along(element.scale, element.axis, x.ndim).astype(np.float64)


def saturated(q: np.ndarray, element: QuantType) -> int:
    """Elements at an end of the range; a lower end at the zero point is a ReLU, not a saturation."""
    low, high = integer_range(element.storage)
    below = (q == low) & (along(element.zero, element.axis, q.ndim) > low)
    return int(np.count_nonzero(below | (q == high)))


def snr(signal: float, noise: float) -> float | None:
    """10 log10(signal / noise) in decibels; null without signal or without noise."""
    return finite(10 * np.log10(signal / noise)) if signal > 0 and noise > 0 else None


def finite(x: float) -> float | None:
    """A float as JSON has it."""
    return float(x) if np.isfinite(x) else None


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
