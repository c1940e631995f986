"""Quantized types from ranges of values and from weights."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import IntegerType

from dnnc.ir.types import I8, QuantType, integer_range

Range = tuple[float, float]

TINY = np.finfo(np.float32).tiny  # the smallest scale: one that keeps all its digits


def activation_type(
    extremes: Range, symmetric: bool = False, storage: IntegerType | None = None, power: bool = False
) -> QuantType:
    """S = (max(0, hi) - min(0, lo)) / 255, z = RNE(-128 - lo / s): the int8 type that holds the range and zero exactly.

    Symmetric: s = max(|lo|, |hi|) / 127, z = 0. Of another storage the smallest integer is -128's place, and the span 255's.
    With `power` s is the next power of two.
    """
    first, last = integer_range(storage or I8)
    low, high = min(0.0, extremes[0]), max(0.0, extremes[1])
    span = max(-low, high) / last if symmetric else (high - low) / (last - first)
    scale = max(np.float32(span), TINY) if high > low else np.float32(1)
    scale = power_above(scale) if power else scale
    zero = 0 if symmetric else int(np.clip(np.rint(first - low / float(scale)), first, last))
    return QuantType.per_tensor(storage or I8, float(scale), zero)


def power_above(scale: np.ndarray | np.floating) -> np.ndarray:
    """The least power of two that is not below a scale."""
    fraction, exponent = np.frexp(scale)
    return np.ldexp(np.float32(1), exponent - (fraction == 0.5))


LARGEST_BIAS = 2.0**30  # in units of a sum: half of int32 is left to the products


def weight_type(w: np.ndarray, axis: int | None, least: np.ndarray | float = 0.0) -> QuantType:
    """s[m] = max(max|w[m]| / 127, least[m]) for each output channel m along `axis`, one for all without; zero point 0."""
    return narrow_type(w, axis, axis, least, 8)


def narrow_type(
    w: np.ndarray, axis: int | None, channels: int | None, least: np.ndarray | float, widths: int | np.ndarray
) -> QuantType:
    """The same for integers of other widths, of all or of each channel along `channels`; without `axis` the largest scale."""
    others = tuple(i for i in range(w.ndim) if i != channels)
    largest = np.abs(w).max(others if channels is not None else None, initial=0).astype(np.float32)
    scales = np.maximum(largest / np.float32(2 ** (np.asarray(widths) - 1) - 1), np.asarray(least, np.float32))
    scales = np.where(scales > 0, np.maximum(scales, TINY), np.float32(1))
    storage = IntegerType(int(np.max(widths)))
    if axis is None:
        return QuantType.per_tensor(storage, float(scales.max()))
    return QuantType.per_channel(storage, scales, axis)
