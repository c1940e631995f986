"""Weights that are drawn or filled: `he(f32[64, 3, 3, 3])`, the same seed and name give the same bits."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np
from xdsl.dialects.builtin import TensorType

from dnnc.ir.dnn.quantize import quantized
from dnnc.ir.types import QuantType, dtype, integer_range, is_float, shape_of, type_name

Draw = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Initialiser:
    """How a tensor gets its values: drawn by a formula over a generator and a shape, or `value` everywhere.

    Parameters come with their defaults, None for one that must be given.
    """

    meaning: str
    draw: Draw | None
    parameters: Mapping[str, float | None]
    value: float | None = None


def _normal(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Inputs and outputs of one element of a weight [M, C, R, S] or [M, C]."""
    taps = prod(shape[2:])
    return max(1, prod(shape[1:])), max(1, shape[0] * taps if shape else 1)


def _glorot(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    bound = np.float32(sqrt(6 / sum(_fans(shape))))
    return bound * (2 * rng.random(shape, dtype=np.float32) - 1)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    return np.float32(low) + np.float32(high - low) * rng.random(shape, dtype=np.float32)


INITIALISERS: dict[str, Initialiser] = {
    "he": Initialiser(
        "sqrt(2 / fan_in) * N(0, 1), fan_in = C*R*S (He et al., ICCV 2015)",
        lambda rng, shape: _normal(rng, shape, sqrt(2 / _fans(shape)[0])),
        {},
    ),
    "glorot": Initialiser(
        "uniform in +-sqrt(6 / (fan_in + fan_out)), fan_out = M*R*S (Glorot and Bengio, AISTATS 2010)", _glorot, {}
    ),
    "normal": Initialiser(
        "mean + deviation * N(0, 1)",
        lambda rng, shape, mean, deviation: np.float32(mean) + _normal(rng, shape, deviation),
        {"mean": 0.0, "deviation": 1.0},
    ),
    "uniform": Initialiser("low + (high - low) * U[0, 1)", _uniform, {"low": 0.0, "high": 1.0}),
    "zeros": Initialiser("0", None, {}, 0),
    "ones": Initialiser("1", None, {}, 1),
    "full": Initialiser("value", None, {"value": None}),
}


def generator(seed: int, key: str) -> np.random.Generator:
    """The generator of one weight: it depends on the seed and the weight's name alone, not on what else is drawn."""
    return np.random.default_rng([seed, zlib.crc32(key.encode())])


def refusal(initialiser: Initialiser, name: str, type_: TensorType, values: Mapping[str, Any]) -> str | None:
    """Why a tensor of this type cannot be made so, or None."""
    element = type_.element_type
    if isinstance(element, QuantType) or is_float(element):
        return None
    if initialiser.draw is not None:
        return (
            f"expected a float or quantized type for {name}, not {type_name(element)}. Use zeros, ones, full or const."
        )
    value, (low, high) = values.get("value", initialiser.value), integer_range(element)
    if not low <= value <= high or value != int(value):
        return f"expected a whole number in [{low}, {high}] for {type_name(element)}, not {value}."
    return None


def initial(initialiser: Initialiser, type_: TensorType, seed: int, key: str, values: Mapping[str, Any]) -> np.ndarray:
    """The array: real values as the type stores them, quantized ones rounded by its scale and zero point."""
    element, shape = type_.element_type, shape_of(type_)
    if initialiser.draw is not None:
        real = initialiser.draw(generator(seed, key), shape, **values)
        return quantized(real, element) if isinstance(element, QuantType) else real.astype(dtype(element), copy=False)
    value = values.get("value", initialiser.value)
    if isinstance(element, QuantType):
        return quantized(np.full(shape, value, np.float32), element)
    return np.broadcast_to(np.asarray(value).astype(dtype(element)), shape)
