"""Integer arithmetic that is bit-exact everywhere: requantize in every rounding mode, accumulator bound, square root,
normalization, softmax.

The interpreter, the simulator and the emitted C follow this file. A multiplier M is held as `q * 2**-shift`, `q` a
31-bit mantissa; `p = acc * q` is a 64-bit product and `shift` takes it back. All arrays are int64 and broadcast.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Int = NDArray[np.int64]

RECORD = np.dtype([("bias", "<i4"), ("multiplier", "<i4"), ("shift", "u1")])
"""A channel's requantize constants as the accelerator reads them: y = round((acc + bias) * multiplier * 2**-shift)."""

OFFSET_RECORD = np.dtype([("bias", "<i4"), ("multiplier", "<i4"), ("offset", "<i8")])
"""The same with an offset, and one shift of all: y = round(((acc + bias) * multiplier + offset) * 2**-shift)."""

AFFINE = np.dtype([("multiplier", "<i4"), ("offset", "<i8")])
"""An element's constants of a normalization as the accelerator reads them: y = half_even(u * multiplier + offset, shift)."""

EXP_BYTES = 1024
"""Size of the table of exponentials of a softmax: int32[256]."""

_AT_ONCE = 1 << 22
"""Weights that are widened at a time."""

MAX_SHIFT = 63
"""A larger shift gives the same results: `|acc * q| < 2**62`."""


class Rounding(StrEnum):
    """How `acc * M` becomes an integer; an attribute of every requantize."""

    Q31_HALF_EVEN = "q31_half_even"
    F32_HALF_EVEN = "f32_half_even"
    HALF_UP = "half_up"
    HALF_AWAY = "half_away"
    TFLITE_DOUBLE = "tflite_double"
    TRUNC = "trunc"


def effective_scale(x: ArrayLike, w: ArrayLike, y: ArrayLike) -> NDArray[np.float32]:
    """M = fl32(fl32(s_x * s_w) / s_y), the order of ONNX Runtime; scalars or per channel."""
    product = np.asarray(x, np.float32) * np.asarray(w, np.float32)
    return np.asarray(product / np.asarray(y, np.float32), np.float32)


def multiplier(m: ArrayLike) -> tuple[Int, Int]:
    """(q, shift) with M = q * 2**-shift, q in [2**30, 2**31) or 0, shift in [0, 63].

    frexp gives M = frac * 2**e, q = round(frac * 2**31), shift = 31 - e; below 2**-33, where no result
    depends on it any more, the shift stays 63. Raises ValueError unless 0 <= M < 2**31.
    """
    m = np.asarray(m)
    if not np.all((m >= 0) & (m < 2.0**31)):
        raise ValueError(
            f"multiplier: a scale in [0, 2**31) was expected, not {m[~((m >= 0) & (m < 2.0**31))].flat[0]}"
        )
    frac, e = np.frexp(m.astype(np.float64))
    q = np.rint(np.ldexp(frac, 31)).astype(np.int64)
    carry = q == 1 << 31
    q, e = np.where(carry, q >> 1, q), e.astype(np.int64) + carry
    return q, np.where(q == 0, 31, np.minimum(31 - e, MAX_SHIFT))


def half_even(p: ArrayLike, shift: ArrayLike) -> Int:
    """P / 2**shift rounded to the nearest integer, ties to even; shift in [0, 63]."""
    p, shift = np.asarray(p, np.int64), np.asarray(shift, np.int64)
    floor = p >> shift
    rest = p - (floor << shift)
    # 2**(shift - 1), and for shift 0 a value `rest` never reaches
    half = np.where(shift > 0, np.left_shift(np.int64(1), np.maximum(shift - 1, 0)), 1)
    return floor + ((rest > half) | ((rest == half) & ((floor & 1) == 1)))


def half_up(p: ArrayLike, shift: ArrayLike) -> Int:
    """floor(p / 2**shift + 1/2), as (p + 2**(shift-1)) >> shift."""
    p, shift = np.asarray(p, np.int64), np.asarray(shift, np.int64)
    return (p + (np.left_shift(np.int64(1), shift) >> 1 & np.int64((1 << 63) - 1))) >> shift


def half_away(p: ArrayLike, shift: ArrayLike) -> Int:
    """P / 2**shift to the nearest integer, ties away from zero."""
    p = np.asarray(p, np.int64)
    return np.sign(p) * half_up(np.abs(p), shift)


def trunc(p: ArrayLike, shift: ArrayLike) -> Int:
    """floor(p / 2**shift): the low bits are dropped, as an arithmetic shift does."""
    return np.asarray(p, np.int64) >> np.asarray(shift, np.int64)


def _tflite_double(acc: Int, q: Int, shift: Int) -> Int:
    """Rounding doubling high multiply, then rounding shift: two roundings, as gemmlowp.

    The left shift of a multiplier above one saturates to int32, where gemmlowp leaves overflow undefined.
    """
    e = 31 - shift
    shifted = np.clip(acc << np.maximum(e, 0), -(1 << 31), (1 << 31) - 1)
    ab = shifted * q
    nudged = ab + np.where(ab >= 0, 1 << 30, 1 - (1 << 30))
    high = np.sign(nudged) * (np.abs(nudged) >> 31)
    n = np.maximum(-e, 0)
    mask = np.left_shift(np.int64(1), n) - 1
    return (high >> n) + ((high & mask) > (mask >> 1) + (high < 0))


def _f32_half_even(acc: Int, q: Int, shift: Int) -> Int:
    """rint(fl32(fl32(acc) * fl32(M))): one IEEE multiply, the bits of ONNX Runtime."""
    m = np.ldexp(q.astype(np.float32), -shift.astype(np.int32))
    return np.rint(acc.astype(np.float32) * m).astype(np.int64)


_ROUNDERS: dict[Rounding, Callable[[Int, Int, Int], Int]] = {
    Rounding.Q31_HALF_EVEN: lambda acc, q, shift: half_even(acc * q, shift),
    Rounding.F32_HALF_EVEN: _f32_half_even,
    Rounding.HALF_UP: lambda acc, q, shift: half_up(acc * q, shift),
    Rounding.HALF_AWAY: lambda acc, q, shift: half_away(acc * q, shift),
    Rounding.TFLITE_DOUBLE: _tflite_double,
    Rounding.TRUNC: lambda acc, q, shift: trunc(acc * q, shift),
}


def rescale(acc: ArrayLike, q: ArrayLike, shift: ArrayLike, rounding: Rounding = Rounding.Q31_HALF_EVEN) -> Int:
    """round(acc * q * 2**-shift) in the given mode; acc and q int32 values, shift in [0, 63]."""
    acc, q, shift = (np.asarray(a, np.int64) for a in (acc, q, shift))
    return _ROUNDERS[Rounding(rounding)](acc, q, shift)


def requantize(
    acc: ArrayLike,
    q: ArrayLike,
    shift: ArrayLike,
    zero: ArrayLike = 0,
    low: int = -128,
    high: int = 127,
    rounding: Rounding = Rounding.Q31_HALF_EVEN,
) -> Int:
    """clip(round(acc * q * 2**-shift) + zero, low, high)."""
    return np.clip(rescale(acc, q, shift, rounding) + np.asarray(zero, np.int64), low, high)


def add_multipliers(a: float, b: float, y: float) -> tuple[int, int, int]:
    """(Ma, Mb, shift) of a quantized addition, M = round(s / s_y * 2**shift).

    shift = 30 - floor(log2(max(s_a, s_b) / s_y)); then y = half_even((a - z_a) * Ma + (b - z_b) * Mb, shift) + z_y.
    """
    ratio = np.array([a, b], np.float64) / float(y)
    shift = 30 - int(np.frexp(ratio.max())[1] - 1)
    if not 0 <= shift <= MAX_SHIFT:
        raise ValueError(f"add_multipliers: a scale ratio in [2**-33, 2**31) was expected, not {ratio.max()}")
    ma, mb = np.rint(np.ldexp(ratio, shift)).astype(np.int64)
    return int(ma), int(mb), shift


def accumulator_bound(weights: ArrayLike, low: int, high: int, zero: int = 0, bias: ArrayLike = 0) -> Int:
    """A[m] = sum |w[m]| * max|x - zero| + |b[m]|: no partial sum of channel m can exceed it, x in [low, high].

    `weights` has the output channel first. int32 accumulators are safe when A < 2**31.
    """
    reach = max(abs(low - zero), abs(high - zero))
    w = np.asarray(weights)
    wide = np.int32 if w.dtype.itemsize <= 2 else np.int64  # |-128| has no int8
    sums = [np.abs(part, dtype=wide).sum(axis=1, dtype=np.int64) for part in _some_rows(w.reshape(len(w), -1))]
    return np.concatenate([np.zeros(0, np.int64), *sums]) * reach + np.abs(np.asarray(bias, np.int64))


def _some_rows(w: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """A matrix some rows at a time, so that what is made of them stays small."""
    step = max(1, _AT_ONCE // max(1, w.shape[1]))
    return (w[i : i + step] for i in range(0, len(w), step))


_ROOT_MAX = 3037000499  # floor(sqrt(2**63 - 1))


def isqrt(v: ArrayLike) -> Int:
    """floor(sqrt(v)) for 0 <= v < 2**63."""
    v = np.asarray(v, np.int64)
    root = np.minimum(np.sqrt(v.astype(np.float64)).astype(np.int64), _ROOT_MAX)
    # float64 is off by at most one at this size
    root = root - (root * root > v)
    above = np.minimum(root + 1, _ROOT_MAX)
    return np.where(above * above <= v, above, root)


UNIT_BITS = 30
"""Fraction bits of a normalized value: d / sqrt(V) lies in [-1, 1]."""


def root_shift(largest: int) -> int:
    """The even k in [0, 32] that keeps `V << k` below 2**62 for every V up to `largest` < 2**62."""
    return min(32, max(0, (62 - int(largest).bit_length()) // 2 * 2))


def normalized(d: ArrayLike, v: ArrayLike, k: int) -> Int:
    """RNE(d / sqrt(V) * 2**30) by one division a row: sigma = isqrt(V << k), R = 2**62 // sigma, half_even(d * R, 32 - k/2).

    Needs 1 <= V < 2**(62 - k) and |d| <= sqrt(V); R is below 2**(62 - k/2), so the product stays below 2**63.
    """
    sigma = isqrt(np.asarray(v, np.int64) << k)
    return half_even(np.asarray(d, np.int64) * (np.int64(1 << 62) // sigma), 62 - UNIT_BITS - k // 2)


def exp_bits(terms: int) -> int:
    """B = min(30, 31 - ceil(log2 terms)): `terms` values of up to 2**B sum to at most 2**31."""
    return min(30, 31 - max(0, terms - 1).bit_length())


def exp_table(scale: float, terms: int, entries: int) -> Int:
    """T[k] = RNE(2**B * e**(-scale * k)) for k < entries, B = exp_bits(terms)."""
    return np.rint(np.exp(-float(scale) * np.arange(entries)) * 2.0 ** exp_bits(terms)).astype(np.int64)


def proportions(e: ArrayLike, total: ArrayLike, bits: int) -> Int:
    """min(2**bits - 1, (2**(bits+1) * E + S) // (2 * S)): E / S in units of 2**-bits, ties up."""
    e, total = np.asarray(e, np.int64), np.asarray(total, np.int64)
    return np.minimum((1 << bits) - 1, ((e << bits + 1) + total) // (2 * total))


def interpolated(offset: ArrayLike, knots: ArrayLike) -> Int:
    """T[k] + ((T[k + 1] - T[k]) * f + 2^(s-1) >> s), k and f the upper and the lower s bits of an offset in [0, 2^16).

    There are 2^(16 - s) + 1 knots, s at least 1.
    """
    offset, knots = np.asarray(offset, np.int64), np.asarray(knots, np.int64)
    s = knot_shift(knots.size)
    k, f = offset >> s, offset & ((1 << s) - 1)
    first = knots[k]
    return first + ((knots[k + 1] - first) * f + (1 << (s - 1)) >> s)


def table_entries(shift: int) -> int:
    """Entries of a table: one for each value of 8 bits, or knots 2^shift values of 16 bits apart where a shift is given."""
    return (1 << 16 - shift) + 1 if shift else 256


def knot_shift(count: int) -> int:
    """The bits of an offset between two of 2^(16 - s) + 1 knots: s."""
    return 16 - (count - 1).bit_length() + 1
