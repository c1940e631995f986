"""Movement by places that are known at compile time, as strided copies: gathers, scatters and borders of constant indices.

The operation is evaluated on the numbers of its operands' elements. What it gives says where each element of the result
comes from, and is cut into boxes in which that is affine: sliding windows, repeats and runs are one copy each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.indexing import GatherElementsOp, GatherNDOp, ScatterElementsOp, ScatterNDOp
from dnnc.ir.dnn.movement import GatherOp, Part, Strided, row_strides
from dnnc.ir.dnn.resampling import BorderPadOp
from dnnc.ir.types import Quantized, shape_of
from dnnc.passes.analysis.shapes import Refusal

Places = NDArray[np.int64]

MOST = 1024
"""Copies of one operation: a program holds the instructions of each."""

APART = 1 << 40
"""Between the numbers of two operands' elements, so that no stride leads from one to the other."""

INDEXED = (GatherOp, GatherElementsOp, GatherNDOp, ScatterElementsOp, ScatterNDOp, BorderPadOp)


def moves(op: DnnOp) -> bool:
    """Whether an operation only moves values, to places that its indices say."""
    return isinstance(op, INDEXED) and op.keeps_type() and _quantized(op.results[0])


def _quantized(value: SSAValue) -> bool:
    return isinstance(value.type, TensorType) and isinstance(value.type.element_type, Quantized)


def copies(op: DnnOp, constants: Sequence[Places | None]) -> tuple[Part, ...]:
    """The copies that a movement is; `constants` are the operands that say places. Refusal when these are not known."""
    numbers: list[Places] = []
    for i, (value, known) in enumerate(zip(op.operands, constants)):
        shape = shape_of(value.type)
        if _quantized(value):
            numbers.append(i * APART + np.arange(prod(shape)).reshape(shape))
        elif known is not None:
            numbers.append(known)
        else:
            raise Refusal(f"'{op.name}' to places that are computed")
    try:
        (result,) = op.run(numbers)
    except IndexError as e:
        raise Refusal(f"'{op.name}' to places outside of its operand ({e})") from None
    found = tuple(islice(_parts(result), MOST + 1))
    if len(found) > MOST:
        raise Refusal(f"'{op.name}' of more than {MOST} runs of elements at one distance from each other")
    return found


def _parts(places: Places) -> Iterator[Part]:
    """The boxes of a result in which places are affine."""
    strides = row_strides(places.shape)
    for start, box in _boxes(places, (0,) * places.ndim):
        first = int(box.reshape(-1)[0])
        read = Strided(box.shape, _steps(box), first % APART)
        write = Strided(box.shape, strides, sum(i * s for i, s in zip(start, strides)))
        yield Part(first // APART, read, write)


def _boxes(places: Places, start: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Places]]:
    """(multi-index of its first element, places) of each box, cut along the first axis where steps differ."""
    for axis in range(places.ndim):
        cuts = _cuts(places, axis)
        if len(cuts) > 2:
            for low, high in pairwise(cuts):
                at = (*start[:axis], start[axis] + low, *start[axis + 1 :])
                yield from _boxes(places.take(range(low, high), axis), at)
            return
    yield start, places


def _cuts(places: Places, axis: int) -> list[int]:
    """Where runs of one step along an axis begin, the same step all over the other axes; and its end."""
    n = places.shape[axis]
    if n == 1:
        return [0, 1]
    steps = np.diff(np.moveaxis(places, axis, 0).reshape(n, -1), axis=0)
    first = steps[:, 0]
    whole = np.all(steps == first[:, None], axis=1) & (first >= 0) & (first < APART // 2)
    cuts, i = [0], 0
    while i < n - 1:
        j = i + 1
        if whole[i]:
            other = np.flatnonzero(~whole[i:] | (first[i:] != first[i]))
            j = i + int(other[0]) + 1 if other.size else n
        cuts.append(j)
        i = j
    return cuts if cuts[-1] == n else [*cuts, n]


def _steps(box: Places) -> tuple[int, ...]:
    """The step along each axis of a box."""
    origin = (0,) * box.ndim
    at = (tuple(int(k == axis) for k in range(box.ndim)) if n > 1 else origin for axis, n in enumerate(box.shape))
    return tuple(int(box[i] - box[origin]) for i in at)
