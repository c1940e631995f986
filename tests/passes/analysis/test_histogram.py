"""Ranges from a histogram: nothing is lost as it grows, what is rare is left out, a coarser scale pays for clipping."""

import numpy as np
import pytest

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
