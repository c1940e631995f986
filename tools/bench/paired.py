"""Timing two callables in turn, A B A B ..., so that a drift of the machine's speed touches both alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Pair:
    """Median seconds of each side, and the median of the ratios a/b round by round."""

    a: float
    b: float
    ratio: float


def seconds(call: Callable[[], object], repeat: int) -> float:
    """Wall seconds of one call, averaged over `repeat`."""
    start = time.perf_counter()
    for _ in range(repeat):
        call()
    return (time.perf_counter() - start) / repeat


def compare(a: Callable[[], object], b: Callable[[], object], rounds: int = 7, budget: float = 0.05) -> Pair:
    """Both sides in turn for `rounds` rounds of at least `budget` seconds each, after one call to warm up."""
    once = [max(seconds(f, 1), seconds(f, 1)) for f in (a, b)]
    repeats = [max(1, int(budget / max(t, 1e-7))) for t in once]
    times = [(seconds(a, repeats[0]), seconds(b, repeats[1])) for _ in range(rounds)]
    return Pair(median(t for t, _ in times), median(t for _, t in times), median(x / y for x, y in times))
