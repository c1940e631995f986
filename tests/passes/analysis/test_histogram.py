"""Ranges from a histogram: nothing is lost as it grows, what is rare is left out, a coarser scale pays for clipping."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnc.passes.analysis import histogram
from dnnc.passes.analysis.histogram import METHODS, Histogram


def of(*arrays):
    histogram = Histogram()
    for x in arrays:
        histogram.add(x)
    return histogram


def test_it_grows_without_losing_a_value():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=500).astype(np.float32) * 10.0**k for k in (-3, 0, -1, 2)]
    grown, whole = of(*parts), of(np.concatenate(parts))
    assert grown.counts.sum() == 2000
    assert (grown.low, grown.high, grown.reach) == (whole.low, whole.high, whole.reach)
    # Bins of before lie whole in those of after: the same counts whatever the order.
    np.testing.assert_array_equal(grown.counts, whole.counts)


def test_percentile_leaves_out_what_is_rare():
    low, high = METHODS["percentile"](of(np.r_[np.linspace(0, 1, 10000), 50.0]), 8, 99.9)
    assert low == pytest.approx(0, abs=0.05)
    assert high == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_mse_leaves_less_error_than_the_extremes(bits):
    x = np.random.default_rng(1).laplace(size=20000)
    h = of(x)

    def error(low, high):
        step = (high - low) / (2**bits - 1)
        zero = np.rint(-low / step)
        return np.mean(((np.clip(np.rint(x / step) + zero, 0, 2**bits - 1) - zero) * step - x) ** 2)

    assert error(*METHODS["mse"](h, bits, 0)) < error(h.low, h.high)


def test_aciq_clips_a_laplace_distribution_where_theory_says():
    low, high = METHODS["aciq"](of(np.random.default_rng(2).laplace(size=200000)), 4, 0)
    assert (low, high) == pytest.approx((-5.03, 5.03), rel=0.02)


def cleaned(counts):
    """Counts of |x|, none larger than the larger of its neighbours."""
    half = len(counts) // 2
    both = [int(counts[half + i]) + int(counts[half - 1 - i]) for i in range(half)]
    around = [0, *both, 0]
    return [min(both[i], max(around[i], around[i + 2])) for i in range(half)]


def divergences(counts, levels):
    """KL(P || Q) by T in bins, bin by bin as TensorRT defines it: no arrays, no shared code."""
    last = max(i for i, c in enumerate(counts) if c) + 1
    found = {}
    for bins in range(min(levels, last), last + 1):
        p = [float(c) for c in counts[:bins]]
        p[-1] += sum(counts[bins:])
        q = [0.0] * bins
        for level in range(levels):
            members = [i for i in range(bins) if i * levels // bins == level and counts[i]]
            for i in members:
                q[i] = sum(counts[j] for j in members) / len(members)
        if not any(q):
            continue
        q = [b or (1e-4 if a else 0.0) for a, b in zip(p, q)]
        found[bins] = sum(a / sum(p) * math.log(a / sum(p) / (b / sum(q))) for a, b in zip(p, q) if a)
    return found


@pytest.mark.parametrize("draw", ["normal", "laplace", "standard_cauchy", "exponential", "uniform"])
@pytest.mark.parametrize("seen", [60, 3000])
def test_entropy_takes_the_threshold_of_least_divergence(draw, seen, monkeypatch):
    monkeypatch.setattr(histogram, "BINS", 256)
    h = Histogram(counts=np.zeros(256, np.int64))
    h.add(getattr(np.random.default_rng(3), draw)(size=seen))
    losses = divergences(cleaned(h.counts), 2**3)
    low, high = METHODS["entropy"](h, 4, 0)
    t = min(losses, key=losses.__getitem__) * h.reach / 128
    assert (low, high) == pytest.approx((max(h.low, -t), min(h.high, t)))


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60), st.integers(2, 8))
def test_no_range_of_entropy_is_empty(values, bits):
    h = of(np.array(values))
    low, high = METHODS["entropy"](h, bits, 0)
    assert h.low <= low <= high <= h.high
    assert low < high or h.low == h.high


def test_entropy_clips_more_at_fewer_levels_and_less_at_shorter_tails():
    rng = np.random.default_rng(4)
    reach = {k: METHODS["entropy"](of(rng.standard_normal(100000)), k, 0)[1] for k in (3, 5, 8)}
    assert reach[3] < reach[5] < reach[8]
    uniform, tails = rng.uniform(-1, 1, 100000), rng.laplace(size=100000)
    assert METHODS["entropy"](of(uniform), 8, 0)[1] == pytest.approx(1, abs=1e-3)
    assert METHODS["entropy"](of(tails), 8, 0)[1] < 0.9 * np.abs(tails).max()


def test_entropy_minds_neither_one_outlier_nor_a_background():
    x = np.random.default_rng(5).standard_normal(100000)
    alone = METHODS["entropy"](of(x), 8, 0)
    assert METHODS["entropy"](of(np.r_[x, 1000.0]), 8, 0)[1] < 100
    assert METHODS["entropy"](of(np.r_[x, np.full(300000, 0.4), np.zeros(300000)]), 8, 0) == pytest.approx(
        alone, rel=0.1
    )
