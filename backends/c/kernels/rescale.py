"""Requantize as C: the text of one value, and functions for a row of int32 sums, in each rounding mode.

`dnnc_MODE(acc, q, shift)` is exact for every operand. Its `_small` form holds where the generator proves that acc * q has
at most 53 bits and the result at most 30: there a double holds the product exactly and one addition rounds it to even, in
vectors. The multiplier of a layer comes from a float and has 24 bits, so that sums below 2^29 qualify. Machines without
fast doubles (`DNNC_DOUBLES` 0) keep to integers; the bits are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dnnc.ir.fixed import Rounding
from dnnc.ir.types import QuantType, integer_range

_MANTISSA = 53
_RESULT = 30
_DOUBLES = (Rounding.Q31_HALF_EVEN, Rounding.F32_HALF_EVEN)

_ROW = """\
/* y[i] = clamp(round(acc[i] * q * 2^-shift) + zero, low, high). */
DNNC_WIDE static void dnnc_rescale_{mode}_{bits}(uint{bits}_t *restrict y, const int32_t *restrict acc, ptrdiff_t n, int32_t q,
                                       int32_t shift, int32_t zero, int32_t low, int32_t high)
{{
    for (ptrdiff_t i = 0; i < n; ++i) {{
        y[i] = (uint{bits}_t){clamp}(dnnc_{mode}(acc[i], q, shift) + zero, low, high);
    }}
}}
/*== dnnc_rescale_{mode}_{bits}_each ==*/
/* y[i] = clamp(round(acc[i] * q[i] * 2^-shift[i]) + zero, low, high). */
DNNC_WIDE static void dnnc_rescale_{mode}_{bits}_each(uint{bits}_t *restrict y, const int32_t *restrict acc, ptrdiff_t n,
                                            const int32_t *restrict q, const uint8_t *restrict shift, int32_t zero,
                                            int32_t low, int32_t high)
{{
    for (ptrdiff_t i = 0; i < n; ++i) {{
        y[i] = (uint{bits}_t){clamp}(dnnc_{mode}(acc[i], q[i], shift[i]) + zero, low, high);
    }}
}}
"""


def rescale_sources() -> dict[str, str]:
    """The row functions by name."""
    out: dict[str, str] = {}
    for mode in Rounding:
        for small in ("", "_small") if mode in _DOUBLES else ("",):
            for bits in (8, 16, 32):
                text = _ROW.format(mode=f"{mode.value}{small}", bits=bits, clamp=f"dnnc_clamp{small}")
                one, each = text.split(f"/*== dnnc_rescale_{mode.value}{small}_{bits}_each ==*/\n")
                name = f"dnnc_rescale_{mode.value}{small}_{bits}"
                out |= {name: one, f"{name}_each": each}
    return out


@dataclass(frozen=True)
class Rescale:
    """clamp(round(v * q * 2^-shift) + zero, low, high): multipliers are scalars, or one a channel; |v| <= `bound`."""

    q: np.ndarray
    shift: np.ndarray
    zero: int
    low: int
    high: int
    rounding: Rounding
    bound: int

    @staticmethod
    def to(target: QuantType, multipliers: tuple[np.ndarray, np.ndarray], rounding: str, bound: int) -> Rescale:
        """Into the storage of a quantized type."""
        q, shift = (np.asarray(m) for m in multipliers)
        low, high = integer_range(target.storage)
        return Rescale(q, shift, int(target.zero), low, high, Rounding(rounding), bound)

    @property
    def mode(self) -> str:
        """The rounding's function without its prefix."""
        return self.rounding.value + ("_small" if self._small() else "")

    def _small(self) -> bool:
        return self.rounding in _DOUBLES and fits_double(self.bound, self.q, self.shift)

    def text(self, value: str, q: str | int, shift: str | int) -> str:
        """The result as C text of an int32 value."""
        clamp = "dnnc_clamp_small" if self._small() else "dnnc_clamp"
        return f"{clamp}(dnnc_{self.mode}({value}, {q}, {shift}) + {self.zero}, {self.low}, {self.high})"

    def row(self, bits: int, y: str, acc: str, n: str, q: str | int, shift: str | int, each: bool = False) -> str:
        """A call that rescales a row of sums; `each`: q and shift point to one a sum."""
        limits = f"{self.zero}, {self.low}, {self.high}"
        return f"dnnc_rescale_{self.mode}_{bits}{'_each' if each else ''}({y}, {acc}, {n}, {q}, {shift}, {limits});"


def fits_double(bound: int, q: np.ndarray, shift: np.ndarray) -> bool:
    """Whether v * q has at most 53 significant bits and v * q * 2^-shift stays below 2^30 for |v| <= bound."""
    factors = [abs(int(f)) for f in np.asarray(q).reshape(-1)]
    width = max(((f & -f) and f // (f & -f)).bit_length() for f in factors)
    largest = max(f * 2.0 ** -int(s) for f, s in zip(factors, np.broadcast_to(shift, np.shape(q)).reshape(-1)))
    return int(bound).bit_length() + width <= _MANTISSA and bound * largest < 2**_RESULT
