"""Sums and multipliers that every backend rescales to the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from dnnc.ir import fixed


@dataclass(frozen=True)
class Sums:
    """Rows of int32 sums, with one multiplier q * 2^-shift a row, and a zero point."""

    acc: np.ndarray
    q: np.ndarray
    shift: np.ndarray
    zero: int = 3


def _scales(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers of layers, as float32 scales have them, and any others."""
    q, shift = fixed.multiplier((2.0 ** rng.uniform(-16, 4, n)).astype(np.float32))
    wild = rng.integers(1 << 30, 1 << 31, n // 4)
    q[: n // 4], shift[: n // 4] = wild, rng.integers(0, 64, n // 4)
    q[n // 2], shift[n // 2] = 0, 31
    return q, shift


class Vectors:
    """What a requantize is tried on."""

    def random(self, bits: int) -> Sums:
        """2^bits random sums of every size."""
        rng = np.random.default_rng(bits)
        rows = 1 << (bits // 2)
        q, shift = _scales(rng, rows)
        reach = 2.0 ** rng.uniform(3, 31, (rows, 1))
        acc = np.clip(rng.uniform(-1, 1, (rows, 1 << (bits - bits // 2))) * reach, -(2**31), 2**31 - 1).astype(np.int32)
        acc[:, :3] = -(2**31), 2**31 - 1, 0
        return Sums(acc, q, shift, int(rng.integers(-128, 128)))

    def ties(self) -> Iterator[Sums]:
        """acc * M = k + 1/2 exactly: M = f * 2^-n, acc an odd multiple of half of 2^n, a row for each n."""
        shift = np.arange(1, 24)
        odd = np.arange(-1001, 1002, 2)
        for factor in (1, 3, 5):
            acc = odd[None, :] * (1 << (shift - 1))[:, None]
            acc = np.clip(acc, -(2**31) + 1, 2**31 - 1).astype(np.int32)
            yield Sums(acc, *fixed.multiplier((factor * 2.0**-shift).astype(np.float32)))


@pytest.fixture(scope="session")
def vectors() -> Vectors:
    return Vectors()
