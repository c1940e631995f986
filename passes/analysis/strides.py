"""Layouts under other shapes: which strided parts of a buffer can be read as the tensor a layer wants."""

from __future__ import annotations

from math import prod

from dnnc.ir.dnn.movement import Movement, SliceOp, Strided, TransposeOp


def blocks(layout: Strided) -> list[tuple[int, int]]:
    """(size, stride) of the dimensions, outermost first, those of size 1 dropped and those that touch made one."""
    found: list[tuple[int, int]] = []
    for size, stride in zip(layout.shape, layout.strides):
        if size == 1:
            continue
        if found and found[-1][1] == size * stride:
            found[-1] = found[-1][0] * size, stride
        else:
            found.append((size, stride))
    return found


def contiguous(layout: Strided) -> bool:
    """Whether a nest visits consecutive elements in order."""
    return blocks(layout) in ([], [(prod(layout.shape), 1)])


def reshaped(layout: Strided, shape: tuple[int, ...]) -> Strided | None:
    """The same elements in the same order under another shape; None when strides cannot say it."""
    if prod(shape) != prod(layout.shape):
        return None
    strides, left = [0] * len(shape), blocks(layout)
    size, stride = 1, 1
    for i in reversed(range(len(shape))):
        if shape[i] == 1:
            continue
        if size == 1:
            size, stride = left.pop()
        if size % shape[i]:
            return None
        strides[i] = stride
        size, stride = size // shape[i], stride * shape[i]
    return Strided(shape, tuple(strides), layout.offset)


def composed(layout: Strided, nest: Strided, movement: Movement | None, operand: int) -> Strided | None:
    """A nest over the row-major elements of a tensor as one over the buffer it lies in; None when strides cannot say it."""
    if blocks(layout) in ([], [(prod(layout.shape), 1)]):
        return Strided(nest.shape, nest.strides, nest.offset + layout.offset)
    same = prod(nest.shape) == prod(layout.shape)
    if same and nest == Strided.rows(nest.shape):
        return reshaped(layout, nest.shape)
    whole = reshaped(layout, movement.shape(operand)) if movement is not None else None
    if whole is None:
        return None
    if isinstance(movement, TransposeOp):
        return Strided(nest.shape, tuple(whole.strides[p] for p in movement.perm.data), whole.offset)
    if isinstance(movement, SliceOp):
        steps = tuple(s * t for s, t in zip(whole.strides, movement.steps()))
        offset = sum(s * t for s, t in zip(movement.start.data, whole.strides))
        return Strided(nest.shape, steps, whole.offset + offset)
    return None
