"""A histogram that takes values as they come, and the ranges one may quantize them over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

BINS = 4096
_SHRINK = np.arange(1.0, 0.195, -0.01)
_LAPLACE = {2: 2.83, 3: 3.89, 4: 5.03, 5: 6.20, 6: 7.41, 7: 8.64, 8: 9.90}  # best clipping / mean |x - mean|, by bits
_ABSENT = 1e-4  # values that a bin without any counts as

Range = tuple[float, float]


@dataclass
class Histogram:
    """Counts over [-reach, reach), reach a power of two that grows with what is seen: two bins become one, exactly."""

    reach: float = 0.0
    low: float = np.inf
    high: float = -np.inf
    counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, x: np.ndarray) -> None:
        """Count the finite values of an array."""
        x = x[np.isfinite(x)]
        if not x.size:
            return
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        largest = max(-self.low, self.high)
        if largest >= self.reach:
            self._grow(2.0 ** (np.floor(np.log2(largest)) + 1) if largest > 0 else 2.0**-126)
        at = ((x.astype(np.float64) / self.reach + 1) * (BINS // 2)).astype(np.int64)
        self.counts += np.bincount(np.clip(at, 0, BINS - 1).reshape(-1), minlength=BINS)

    def _grow(self, reach: float) -> None:
        while 0 < self.reach < reach and self.counts.any():
            pairs = self.counts.reshape(-1, 2).sum(1)
            self.counts = np.concatenate([np.zeros(BINS // 4, np.int64), pairs, np.zeros(BINS // 4, np.int64)])
            self.reach *= 2
        self.reach = reach

    def centers(self) -> np.ndarray:
        """The value in the middle of each bin."""
        return (np.arange(BINS) + 0.5) * (2 * self.reach / BINS) - self.reach


def percentile(h: Histogram, bits: int, part: float) -> Range:
    """The range without the (100 - part) / 2 percent of the values at either end."""
    share = np.cumsum(h.counts) / max(1, h.counts.sum())
    cut = (100 - part) / 200
    x, half = h.centers(), h.reach / BINS
    low = x[min(BINS - 1, np.searchsorted(share, cut, "right"))] - half
    high = x[min(BINS - 1, np.searchsorted(share, 1 - cut))] + half
    return max(h.low, float(low)), min(h.high, float(high))


def least_squares(h: Histogram, bits: int, part: float) -> Range:
    """The range [p low, p high], p of 1, 0.99 ... 0.2, with the least sum of (x - Q(x))^2."""
    x = h.centers()

    def loss(low: float, high: float) -> float:
        return float((h.counts * (x - _quantized(x, low, high, bits)[1]) ** 2).sum())

    return _best(h, loss)


def laplace(h: Histogram, bits: int, part: float) -> Range:
    """Mean -+ k E|x - mean|, k the best clipping of a Laplace distribution at so many bits (ACIQ)."""
    x, share = h.centers(), h.counts / max(1, h.counts.sum())
    mean = float((share * x).sum())
    alpha = _LAPLACE[bits] * float((share * np.abs(x - mean)).sum())
    return max(h.low, mean - alpha), min(h.high, mean + alpha)


def entropy(h: Histogram, bits: int, part: float) -> Range:
    """The range within -+T whose 2^(bits-1) levels of |x| leave the least divergence KL(P || Q) (TensorRT).

    P is the histogram of |x| up to T with all beyond in its last bin; Q the same without what is beyond, its bins in groups of
    equal width, one a level, each group spread evenly over its bins that hold something. A bin counts no more than the larger
    of its neighbours: the zeros that a relu leaves and the background of pictures are single values, and say nothing of T.
    """
    counts = (h.counts[BINS // 2 :] + h.counts[: BINS // 2][::-1]).astype(np.float64)
    counts = np.minimum(counts, np.maximum(np.r_[0, counts[:-1]], np.r_[counts[1:], 0]))
    if not counts.any():
        return h.low, h.high
    levels, last = 2 ** (bits - 1), int(np.flatnonzero(counts)[-1]) + 1
    tried = np.arange(min(levels, last), last + 1)
    losses = [_divergence(counts, int(bins), levels) for bins in tried]
    t = float(tried[int(np.argmin(losses))] * 2 * h.reach / BINS)
    return max(h.low, -t), min(h.high, t)


def _divergence(counts: np.ndarray, bins: int, levels: int) -> float:
    """KL(P || Q) of a range of so many bins; a bin that P alone has counts as 1e-4 of a value in Q. Infinite for an empty Q."""
    q, p = counts[:bins], counts[:bins].copy()
    if not q.any():
        return np.inf
    p[-1] += counts[bins:].sum()
    group = np.arange(bins) * levels // bins
    held = np.bincount(group, q > 0, levels)
    spread = np.where(q > 0, (np.bincount(group, q, levels) / np.maximum(held, 1))[group], 0)
    spread = np.where((p > 0) & (spread == 0), _ABSENT, spread)
    some = p > 0
    p, spread = p[some] / p.sum(), spread[some] / spread.sum()
    return float((p * np.log(p / spread)).sum())


def _quantized(x: np.ndarray, low: float, high: float, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Index of the level, and its value, of each x, for levels of [min(low, 0), max(high, 0)]."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = max((high - low) / (2**bits - 1), 1e-300)
    zero = np.rint(-low / step)
    level = np.clip(np.rint(x / step) + zero, 0, 2**bits - 1).astype(np.int64)
    return level, (level - zero) * step


def _best(h: Histogram, loss: Callable[[float, float], float]) -> Range:
    losses = [loss(h.low * p, h.high * p) for p in _SHRINK]
    p = _SHRINK[int(np.argmin(losses))]
    return float(h.low * p), float(h.high * p)


METHODS: dict[str, Callable[[Histogram, int, float], Range]] = {
    "percentile": percentile,
    "mse": least_squares,
    "entropy": entropy,
    "aciq": laplace,
}
