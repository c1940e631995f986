"""Constants of integer forms, computed in float64 when a program is compiled: tables, exponentials, gains of norms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, log2, prod

import numpy as np

from dnnc.ir import fixed
from dnnc.ir.dnn.attributes import normal_axis
from dnnc.ir.dnn.composite import InstanceNormOp, LayerNormOp, LpNormOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import QuantType, dtype, integer_range, shape_of
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.integer_forms import Norm

LARGEST_OFFSET = 60  # bits of an offset, so that u * gain + offset stays below 2^62


def table(f: Callable[[np.ndarray], np.ndarray], x: QuantType, y: QuantType) -> np.ndarray:
    """T[q - low] = clamp(RNE(f(s_x * (q - z_x)) / s_y) + z_y) for every q of the storage of x; NaN becomes the zero point."""
    low, high = integer_range(x.storage)
    values = f(float(x.scale) * (np.arange(low, high + 1, dtype=np.float64) - float(x.zero)))
    first, last = integer_range(y.storage)
    with np.errstate(all="ignore"):
        q = np.nan_to_num(np.rint(values / float(y.scale)), nan=0, posinf=2.0**40, neginf=-(2.0**40)) + float(y.zero)
    return np.broadcast_to(np.clip(q, first, last), (high - low + 1,)).astype(dtype(y))


def knots(f: Callable[[np.ndarray], np.ndarray], x: QuantType, y: QuantType, count: int = 513) -> np.ndarray:
    """T[k] = clamp(RNE(f(x_k) / s_y - e_k / 2) + z_y) at `count` values x_k evenly over 16 bits, the last one past the end.

    e_k is what the line to the next knot is off in its middle: with half of it taken off it is as much too high as too low.
    """
    first, last = integer_range(y.storage)
    low = integer_range(x.storage)[0]
    at = low + np.linspace(0, 2**16, 2 * count - 1) - float(x.zero)
    with np.errstate(all="ignore"):
        values = np.broadcast_to(f(float(x.scale) * at) / float(y.scale), at.shape)
        reached = np.clip(values, first - float(y.zero), last - float(y.zero))
        ends, middles = reached[::2], reached[1::2]
        off = np.append((ends[:-1] + ends[1:]) / 2 - middles, 0.0)
        q = np.nan_to_num(np.rint(ends - off / 2), nan=0) + float(y.zero)
    return np.clip(q, first, last).astype(dtype(y))


def exponentials(x: QuantType, terms: int) -> np.ndarray:
    """T[k] = RNE(2^B * e^(-s_x * k)), one entry for each difference of two values of x."""
    low, high = integer_range(x.storage)
    return fixed.exp_table(float(x.scale), terms, high - low + 1).astype(np.int32)


@dataclass(frozen=True)
class Gains:
    """The integers of a `dnn.qnormalize`."""

    axes: tuple[int, ...]
    center: bool
    epsilon: int
    multiplier: np.ndarray
    offset: np.ndarray | None
    shift: int


def gains(op: Norm, x: QuantType, y: QuantType, store: WeightStore) -> Gains:
    """Multiplier scale * sqrt(n) / s_y * 2^(shift - 30), offset shift / s_y * 2^shift, with the largest shift that fits."""
    rank = len(op.shape())
    axes, center = _axes(op, rank), isinstance(op, (LayerNormOp, InstanceNormOp))
    n = prod(op.shape()[a] for a in axes)
    arrays = [_shaped(op, v, rank, store) for v in op.operands[1:]]
    root = 1.0 if isinstance(op, LpNormOp) else n**0.5
    gain = (arrays[0] if arrays else np.ones(1)) * (root / float(y.scale))
    offset = arrays[1] / float(y.scale) if len(arrays) > 1 else None
    shift = _shift(gain, offset)
    multiplier = np.rint(np.ldexp(gain, shift - fixed.UNIT_BITS)).astype(np.int32)
    integers = None if offset is None else np.rint(np.ldexp(offset, shift)).astype(np.int64)
    epsilon = 0.0 if isinstance(op, LpNormOp) else op.epsilon.data
    within = epsilon * float(n) ** (3 if center else 1) / float(x.scale) ** 2
    return Gains(axes, center, round(min(within, 2.0**62)), multiplier, integers, shift)


def _axes(op: Norm, rank: int) -> tuple[int, ...]:
    if isinstance(op, InstanceNormOp):
        return tuple(range(2, rank))
    axis = normal_axis(op.axis.data, rank)
    return (axis,) if isinstance(op, LpNormOp) else tuple(range(axis, rank))


def _shaped(op: Norm, value, rank: int, store: WeightStore) -> np.ndarray:
    assert isinstance(value.owner, ConstOp)
    array = value.owner.array(store).astype(np.float64)
    if isinstance(op, InstanceNormOp):
        return array.reshape(shape_of(value.type) + (1,) * (rank - 2))
    return array


def _shift(gain: np.ndarray, offset: np.ndarray | None) -> int:
    largest = float(np.abs(gain).max(initial=0))
    bits = [62, fixed.UNIT_BITS + 30 - floor(log2(largest))] if largest else [62]
    beyond = float(np.abs(offset).max(initial=0)) if offset is not None else 0.0
    if beyond:
        bits.append(LARGEST_OFFSET - 1 - floor(log2(beyond)))
    return max(0, min(bits))
