"""Every rounding mode against exact rational arithmetic, on random vectors and on every tie."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnc.ir import fixed
from dnnc.ir.fixed import Rounding

INT32 = st.integers(-(2**31), 2**31 - 1)
Q31 = st.one_of(st.just(0), st.integers(2**30, 2**31 - 1))
SHIFT = st.integers(0, 63)


def exact_half_even(x: Fraction) -> int:
    return round(x)


def exact_half_up(x: Fraction) -> int:
    return math.floor(x + Fraction(1, 2))


def exact_half_away(x: Fraction) -> int:
    return exact_half_up(x) if x >= 0 else -exact_half_up(-x)


EXACT = {
    Rounding.Q31_HALF_EVEN: exact_half_even,
    Rounding.HALF_UP: exact_half_up,
    Rounding.HALF_AWAY: exact_half_away,
    Rounding.TRUNC: math.floor,
}


def gemmlowp(acc: int, q: int, shift: int) -> int:
    """MultiplyByQuantizedMultiplier with two roundings, written on Python integers from the published formula."""
    e = 31 - shift
    a = min(max(acc << max(e, 0), -(2**31)), 2**31 - 1)
    ab = a * q
    t = ab + (2**30 if ab >= 0 else 1 - 2**30)
    h = abs(t) // 2**31 * (1 if t >= 0 else -1)
    n = max(-e, 0)
    mask = (1 << n) - 1
    return (h >> n) + ((h & mask) > (mask >> 1) + (h < 0))


def ort_float32(acc: int, q: int, shift: int) -> int:
    product = np.float32(acc) * np.float32(math.ldexp(q, -shift))
    return round(Fraction(float(product)))


def exact(mode: Rounding, acc: int, q: int, shift: int) -> int:
    if mode == Rounding.TFLITE_DOUBLE:
        return gemmlowp(acc, q, shift)
    if mode == Rounding.F32_HALF_EVEN:
        return ort_float32(acc, q, shift)
    return EXACT[mode](Fraction(acc * q, 2**shift))


def check(mode, acc, q, shift):
    expected = [exact(mode, int(a), int(m), int(s)) for a, m, s in np.broadcast(acc, q, shift)]
    np.testing.assert_array_equal(fixed.rescale(acc, q, shift, mode).ravel(), np.array(expected, np.int64))


@pytest.mark.parametrize("mode", Rounding)
@given(data=st.lists(st.tuples(INT32, Q31, SHIFT), min_size=1, max_size=30))
def test_rescale_equals_rational_arithmetic(mode, data):
    acc, q, shift = np.array(data, np.int64).T
    if mode == Rounding.F32_HALF_EVEN:
        q = q >> 7 << 7  # a multiplier that came from float32 has 24 significant bits
    check(mode, acc, q, shift)


@pytest.mark.parametrize("mode", Rounding)
def test_rescale_on_random_layers(mode):
    rng = np.random.default_rng(1)
    acc = rng.integers(-(2**20), 2**20, 4000)
    q, shift = fixed.multiplier(np.exp2(rng.uniform(-14, -5, 4000)).astype(np.float32))
    check(mode, acc, q, shift)


@pytest.mark.parametrize("mode", Rounding)
@pytest.mark.parametrize("e", [-12, -7, -3, -1, 0, 1])
def test_rescale_on_every_tie(mode, e):
    """M = 2**e: each tie of int8 range and its two neighbours."""
    q, shift = fixed.multiplier(np.float32(2.0**e))
    unit = 1 << max(-e, 0)
    ties = np.arange(-300, 300) * unit + unit // 2
    check(mode, np.concatenate([ties - 1, ties, ties + 1]), q, shift)


@pytest.mark.parametrize("mode", Rounding)
def test_rescale_at_the_corners(mode):
    acc = np.array([-(2**31), -(2**31) + 1, -1, 0, 1, 2**31 - 1])[:, None, None]
    q = np.array([0, 2**30, 2**30 + 128, 2**31 - 128])[:, None]
    check(mode, acc, q, np.array([0, 1, 2, 30, 31, 32, 61, 62, 63]))


@given(st.floats(2.0**-126, 2.0**30, width=32))
def test_multiplier_is_exact_for_float32(m):
    q, shift = (int(v) for v in fixed.multiplier(np.float32(m)))
    assert 2**30 <= q < 2**31
    if m >= 2.0**-33:
        assert Fraction(q, 1) / 2**shift == Fraction(m)
    else:
        assert shift == 63


def test_multiplier_rounds_up_across_a_power_of_two():
    q, shift = fixed.multiplier(np.nextafter(np.float64(1), 0))
    assert (int(q), int(shift)) == (2**30, 30)


def test_multiplier_of_zero_gives_zero():
    q, shift = fixed.multiplier(np.float32(0))
    assert fixed.rescale(123456, q, shift) == 0


@pytest.mark.parametrize("m", [-1.0, np.nan, np.inf, 2.0**31])
def test_multiplier_outside_its_range_is_refused(m):
    with pytest.raises(ValueError, match="a scale in"):
        fixed.multiplier(np.array([0.5, m]))


def test_effective_scale_rounds_twice_in_float32():
    x, w, y = np.float32(0.1), np.float32(0.3), np.float32(0.7)
    product = np.float32(float(x) * float(w))
    assert fixed.effective_scale(x, w, y) == np.float32(float(product) / float(y))
    assert fixed.effective_scale(x, w, y).dtype == np.float32


def test_requantize_adds_zero_then_clips():
    q, shift = fixed.multiplier(np.float32(0.5))
    np.testing.assert_array_equal(fixed.requantize([-400, -3, 3, 5, 400], q, shift, zero=10), [-128, 8, 12, 12, 127])


def test_half_even_and_half_up_differ_only_on_ties():
    p = np.arange(-64, 64)
    differ = fixed.half_even(p, 3) != fixed.half_up(p, 3)
    assert np.all((p[differ] & 7) == 4)
    assert differ.sum() == 8


@given(st.floats(1e-3, 10), st.floats(1e-3, 10), st.floats(1e-2, 10), st.integers(-255, 255), st.integers(-255, 255))
def test_addition_is_within_half_of_the_real_sum(sa, sb, sy, a, b):
    ma, mb, shift = fixed.add_multipliers(sa, sb, sy)
    assert max(ma, mb) < 2**31 + 1
    real = (a * sa + b * sb) / sy
    assert abs(int(fixed.half_even(a * ma + b * mb, shift)) - real) <= 0.5 + 1e-6 * max(1, abs(real))


def test_accumulator_bound_is_reached_by_the_worst_input():
    rng = np.random.default_rng(0)
    w, bias = rng.integers(-128, 128, (5, 3, 2, 2)), rng.integers(-1000, 1000, 5)
    bound = fixed.accumulator_bound(w, low=0, high=255, zero=10, bias=bias)
    # x - zero reaches 245 with either sign only when the range is symmetric; take |x - zero| = 245 for all
    worst = np.abs(w.reshape(5, -1)).sum(axis=1) * 245 + np.abs(bias)
    np.testing.assert_array_equal(bound, worst)
    x = np.where(w.reshape(5, -1) > 0, 255, 10) - 10
    assert np.all((w.reshape(5, -1) * x).sum(axis=1) + bias <= bound)


@given(st.integers(0, 2**63 - 1))
def test_isqrt(v):
    assert int(fixed.isqrt(v)) == math.isqrt(v)


def test_isqrt_beside_every_square():
    roots = np.concatenate([np.arange(1, 2000), 3037000499 - np.arange(2000)])
    squares = roots * roots
    np.testing.assert_array_equal(fixed.isqrt(squares), roots)
    np.testing.assert_array_equal(fixed.isqrt(squares - 1), roots - 1)
