"""How far values are from those they stand for: largest error, signal to noise, cosine, saturation, a histogram."""

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
        with np.errstate(invalid="ignore"):
            e = np.where(x == y, 0.0, y - x)  # infinities that are the same are no error
        self.count += x.size
        self.largest = float(np.maximum(self.largest, np.abs(e).max(initial=0)))
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
            "cosine": finite(self.product / length) if length and np.isfinite(length) else None,
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
    return finite(10 * np.log10(signal / noise)) if signal > 0 and 0 < noise < np.inf else None


def finite(x: float) -> float | None:
    """A float as JSON has it."""
    return float(x) if np.isfinite(x) else None
