"""Indexing: operations that read or write at places known only when the program runs."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Int, Word, normal_axis
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.types import I64, tensor, tensor_text, type_name

_REDUCTIONS = {"none": None, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


class Indexed(DnnOp):
    """An operation with an operand `indices` of i32 or i64; negative ones count from the end."""

    def keeps_type(self) -> bool:
        return True

    def check_indices(self) -> None:
        """Verify the type of the indices."""
        expect(
            type_name(self.element(1)) in ("i32", "i64"), "i32 or i64 indices", type_name(self.element(1)), code="E0428"
        )

    def work(self) -> Work:
        return Work(elements=self.elements())


def _from_start(indices: np.ndarray, size: int) -> np.ndarray:
    """Indices counted from the start; IndexError by numpy when one lies outside."""
    return np.where(indices < 0, indices + size, indices)


@irdl_op_definition
class GatherElementsOp(Indexed):
    """y[i0, ..., ik, ...] = x[i0, ..., indices[i0, ..., ik, ...], ...], the index taken along the axis."""

    name = "dnn.gather_elements"
    x = operand_def(TensorType)
    indices = operand_def(TensorType)
    axis = opt_prop_def(Int, default_value=Int(0))
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        shape, at = self.shape(), self.shape(1)
        axis = normal_axis(self.axis.data, len(shape))
        self.check_indices()
        inside = len(shape) == len(at) and all(a <= s for k, (a, s) in enumerate(zip(at, shape)) if k != axis)
        expect(
            inside,
            f"indices within {tensor_text(self.x.type)} but for axis {axis}",
            tensor_text(self.indices.type),
            code="E0441",
        )
        return tensor(self.element(), at)

    def evaluate(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        axis = normal_axis(self.axis.data, x.ndim)
        return x[_grid(_from_start(indices, x.shape[axis]), axis)]


def _grid(indices: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
    """Index arrays that place each element of `indices` at itself, but for the axis, where it is its value."""
    at: list[np.ndarray] = list(np.indices(indices.shape, sparse=True))  # pyright: ignore
    at[axis] = indices
    return tuple(at)


@irdl_op_definition
class GatherNDOp(Indexed):
    """y[b..., i..., ...] = x[b..., indices[b..., i..., :], ...]: the last dimension of the indices holds a place in x.

    The first `batch` dimensions of x and indices are gone through together.
    """

    name = "dnn.gather_nd"
    x = operand_def(TensorType)
    indices = operand_def(TensorType)
    batch = opt_prop_def(Int, default_value=Int(0))
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        shape, at, b = self.shape(), self.shape(1), self.batch.data
        self.check_indices()
        expect(len(shape) >= 1 <= len(at), "operands of rank 1 or more", tensor_text(self.indices.type), code="E0418")
        expect(
            0 <= b < len(at) and shape[:b] == at[:b],
            f"{b} leading dimensions in common",
            f"{shape} and {at}",
            code="E0441",
        )
        expect(b + at[-1] <= len(shape), f"places of at most {len(shape) - b} indices", str(at[-1]), code="E0441")
        return tensor(self.element(), at[:-1] + shape[b + at[-1] :])

    def evaluate(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        b = self.batch.data
        grid: Any = np.indices(x.shape[:b], sparse=True)
        lead = [g.reshape(*g.shape, *(1,) * (indices.ndim - 1 - b)) for g in grid]
        return x[(*lead, *_places(indices, x.shape[b:]))]


def _places(indices: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """The last dimension of an index array as a tuple of index arrays."""
    return tuple(_from_start(indices[..., k], shape[k]) for k in range(indices.shape[-1]))


class Scattering(Indexed):
    """y = x, then for every place: y[place] = update, or combined with it by `reduction`."""

    x = operand_def(TensorType)
    indices = operand_def(TensorType)
    updates = operand_def(TensorType)
    reduction = opt_prop_def(Word, default_value=Word("none"))
    result = result_def(TensorType)

    def keeps_type(self) -> bool:
        return self.reduction.data in ("none", "max", "min")

    def check_updates(self, shape: tuple[int, ...]) -> TensorType:
        """Verify updates and reduction; the type of x."""
        self.check_indices()
        known = self.reduction.data in _REDUCTIONS
        expect(known, f"a reduction of {', '.join(_REDUCTIONS)}", self.reduction.data, code="E0432")
        expected = tensor(self.element(), shape)
        expect(
            self.updates.type == expected,
            f"updates of {tensor_text(expected)}",
            tensor_text(self.updates.type),
            code="E0441",
        )
        return tensor(self.element(), self.shape())

    def scatter(self, x: np.ndarray, at: tuple[np.ndarray, ...], updates: np.ndarray) -> np.ndarray:
        """The copy of x with the updates in place."""
        y = x.copy()
        step = _REDUCTIONS[self.reduction.data]
        if step is None:
            y[at] = updates
        else:
            step.at(y, at, updates)
        return y

    def work(self) -> Work:
        combine = prod(self.shape(2)) if self.reduction.data != "none" else 0
        return Work(ops=combine, elements=self.elements())


@irdl_op_definition
class ScatterElementsOp(Scattering):
    """y = x; y[i0, ..., indices[i0, ..., ik, ...], ...] = updates[i0, ..., ik, ...], the index along the axis."""

    name = "dnn.scatter_elements"
    axis = opt_prop_def(Int, default_value=Int(0))

    def infer(self) -> TensorType:
        shape, at = self.shape(), self.shape(1)
        axis = normal_axis(self.axis.data, len(shape))
        inside = len(shape) == len(at) and all(a <= s for k, (a, s) in enumerate(zip(at, shape)) if k != axis)
        expect(
            inside,
            f"indices within {tensor_text(self.x.type)} but for axis {axis}",
            tensor_text(self.indices.type),
            code="E0441",
        )
        return self.check_updates(at)

    def evaluate(self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
        axis = normal_axis(self.axis.data, x.ndim)
        return self.scatter(x, _grid(_from_start(indices, x.shape[axis]), axis), updates)


@irdl_op_definition
class ScatterNDOp(Scattering):
    """y = x; y[indices[i..., :], ...] = updates[i..., ...]: the last dimension of the indices holds a place in x."""

    name = "dnn.scatter_nd"

    def infer(self) -> TensorType:
        shape, at = self.shape(), self.shape(1)
        expect(len(shape) >= 1 <= len(at), "operands of rank 1 or more", tensor_text(self.indices.type), code="E0418")
        expect(at[-1] <= len(shape), f"places of at most {len(shape)} indices", str(at[-1]), code="E0441")
        return self.check_updates(at[:-1] + shape[at[-1] :])

    def evaluate(self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
        return self.scatter(x, _places(indices, x.shape), updates)


@irdl_op_definition
class TopKOp(DnnOp):
    """values, indices = the k largest elements along the axis (smallest under `smallest`), in order; of equal ones the first."""

    name = "dnn.top_k"
    x = operand_def(TensorType)
    k = prop_def(Int)
    axis = opt_prop_def(Int, default_value=Int(-1))
    smallest = opt_prop_def(UnitAttr)
    values = result_def(TensorType)
    indices = result_def(TensorType)

    def keeps_type(self) -> bool:
        return True

    def infer(self) -> list[TensorType]:
        shape = list(self.shape())
        axis = normal_axis(self.axis.data, len(shape))
        expect(0 <= self.k.data <= shape[axis], f"k of at most {shape[axis]}", str(self.k.data), code="E0433")
        shape[axis] = self.k.data
        return [tensor(self.element(), tuple(shape)), tensor(I64, tuple(shape))]

    def evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        axis = normal_axis(self.axis.data, x.ndim)
        if self.smallest is not None:
            order = np.argsort(x, axis, kind="stable")
        else:  # descending and stable: the reverse of the ascending order of the reversed axis
            order = np.flip(x.shape[axis] - 1 - np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
        order = np.take(order, np.arange(self.k.data), axis)
        return np.take_along_axis(x, order, axis), order.astype(np.int64)

    def work(self) -> Work:
        """About n * ceil(log2 k) comparisons of the n elements read."""
        return Work(ops=prod(self.shape()) * max(1, (max(1, self.k.data) - 1).bit_length()), elements=self.elements())
