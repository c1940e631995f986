"""Functions of one real number that are staircases, as trained quantizers leave them in a graph: clip, scale, round, scale back.

DoReFa: round(clip(x, 0, 1) * n) / n; PACT: round(clip(x, 0, a) * n / a) * a / n; binary: x >= 0 ? a : -a; ternary: sign(x).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation, SSAValue

from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.elementwise import AddOp, ClipOp, DivOp, MaxOp, MinOp, MulOp, SubOp, WhereOp
from dnnc.ir.dnn.function import CeilOp, FloorOp, RoundOp, SignOp
from dnnc.ir.dnn.logic import GreaterEqualOp, GreaterOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import F32, QuantType, element_names, integer_range, shape_of
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.integer_forms import comes_quantized
from dnnc.passes.fuse_groups import only_user

MOST_LEVELS = 15
"""More steps than these are a quantize, which compares with none of them."""

_STEPS = (RoundOp, FloorOp, CeilOp, SignOp)
_BOUNDS = (ClipOp, ReluOp, MaxOp, MinOp)
_SCALES = (AddOp, SubOp, MulOp, DivOp)
_LARGEST = np.finfo(np.float32).max


@dataclass(frozen=True)
class Staircase:
    """y = scale * (first + step * (number of thresholds not above x)), which stands for the operations up to `last`."""

    x: SSAValue
    last: Operation
    thresholds: np.ndarray
    first: int
    step: int
    type: QuantType


def staircase_at(op: Operation, store: WeightStore) -> Staircase | None:
    """The staircase whose steps an operation makes, None when it makes none."""
    if isinstance(op, WhereOp):
        return _choice(op, store)
    if not isinstance(op, _STEPS) or op.element() != F32:
        return None
    before: list[DnnOp] = [op]
    after: list[DnnOp] = [op]
    while (made := _of_one(before[0].operands[_place(before[0])].owner, store)) is not None:
        before.insert(0, made)
    while (user := _of_one(only_user(after[-1].results[0]), store)) is not None and isinstance(user, _SCALES + _BOUNDS):
        after.append(user)
    # bounds right after the steps bound their number
    bounds = next((i for i, o in enumerate(after[1:], 1) if not isinstance(o, _BOUNDS)), len(after))
    steps, rest = before + after[1:bounds], after[bounds:]
    ends = _run(steps, np.array([-_LARGEST, _LARGEST], np.float32), store)
    if np.abs(ends).max() > 256 or np.any(ends != np.rint(ends)) or not 0 < ends[1] - ends[0] <= MOST_LEVELS:
        return None
    levels = np.arange(ends[0], ends[1] + 1, dtype=np.float32)
    t = _smallest(lambda x: _run(steps, x, store), levels[1:])
    return _fitted(before[0].operands[_place(before[0])], (rest or after[:bounds])[-1], t, _run(rest, levels, store))


def arrives_quantized(module: ModuleOp) -> bool:
    """Whether values are quantized already, or by staircases of the graph that `recognize-quantizers` finds."""
    return comes_quantized(module) or any(
        isinstance(op, DnnOp) and staircase_at(op, WeightStore()) is not None for op in module.walk()
    )


def _choice(op: WhereOp, store: WeightStore) -> Staircase | None:
    """The staircase x >= t ? a : b, or x > t ? a : b."""
    test = op.condition.owner
    if not isinstance(test, GreaterEqualOp | GreaterOp) or test.element() != F32:
        return None
    t, a, b = (_number(v, store) for v in (test.b, op.a, op.b))
    if t is None or a is None or b is None or not a > b:
        return None
    least = np.nextafter(t, np.float32(np.inf)) if isinstance(test, GreaterOp) else t
    last, values = op, np.array([b, a], np.float32)
    while isinstance(user := _of_one(only_user(last.results[0]), store), MulOp | DivOp):
        last, values = user, _run([user], values, store)
    return _fitted(test.a, last, np.array([least], np.float32), values)


def _number(value: SSAValue, store: WeightStore) -> np.float32 | None:
    """The one number a constant holds."""
    if not isinstance(value.owner, ConstOp):
        return None
    if size_of(value.type) != 1 or value.owner.result.type.element_type != F32:  # pyright: ignore
        return None
    return np.float32(value.owner.array(store).reshape(-1)[0])


def size_of(type_: Attribute) -> int:
    """Number of elements of a tensor type."""
    return prod(shape_of(type_))


def _place(op: DnnOp) -> int:
    """Which operand is not the number."""
    return 1 if len(op.operands) > 1 and isinstance(op.operands[0].owner, ConstOp) else 0


def _of_one(op: object, store: WeightStore) -> DnnOp | None:
    """The operation when it is a function of one value and numbers."""
    if not isinstance(op, _BOUNDS + _SCALES):
        return None
    numbers = [v for i, v in enumerate(op.operands) if i != _place(op)]
    alone = all(_number(v, store) is not None for v in numbers)
    same = op.results[0].type == op.operands[_place(op)].type
    return op if alone and same else None


def _run(ops: list[DnnOp], x: np.ndarray, store: WeightStore) -> np.ndarray:
    """What operations make of an array, in float32 as the network does."""
    for op in ops:
        given = [x if i == _place(op) else _number(v, store) for i, v in enumerate(op.operands)]
        with np.errstate(all="ignore"):
            x = np.asarray(op.evaluate(*given), np.float32)
    return x


def _smallest(f: Callable[[np.ndarray], np.ndarray], levels: np.ndarray) -> np.ndarray:
    """The smallest float32 x with f(x) >= level, for a function that never falls: bisection over the bits of floats."""
    low, high = (np.full(levels.shape, _key(np.float32(v)), np.int64) for v in (-_LARGEST, _LARGEST))
    for _ in range(33):
        middle = (low + high) >> 1
        reached = f(_float(middle)) >= levels
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    return _float(high)


def _key(x: np.ndarray | np.float32) -> np.ndarray:
    """Integers in the order of floats."""
    i = np.asarray(x, np.float32).view(np.int32).astype(np.int64)
    return np.where(i < 0, -(i & 0x7FFFFFFF), i)


def _float(key: np.ndarray) -> np.ndarray:
    bits = np.where(key < 0, -key | 0x80000000, key)
    return bits.astype(np.uint32).view(np.float32)


def _fitted(x: SSAValue, last: Operation, t: np.ndarray, values: np.ndarray) -> Staircase | None:
    """The staircase when its values are evenly spaced and 0 is half a step from one, or a whole one."""
    scale = (float(values[-1]) - float(values[0])) / (len(values) - 1)
    if not scale > 0 or not np.allclose(np.diff(values.astype(np.float64)), scale, rtol=1e-5, atol=0):
        return None
    for step in (1, 2):
        first = float(values[0]) * step / scale
        if abs(first - round(first)) < 1e-5 * step:
            ends = (round(first), round(first) + step * len(t))
            names = element_names()
            for storage in (names["i8"], names["ui8"]):
                low, high = integer_range(storage)
                if low <= ends[0] and ends[1] <= high:
                    type_ = QuantType.per_tensor(storage, scale / step)
                    return Staircase(x, last, t.reshape(1, -1), ends[0], step, type_)
    return None
