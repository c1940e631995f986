"""Data movement: operations that compute nothing, written as the strided copies they are."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def, var_operand_def

from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Int, Ints, Real, Word, normal_axis
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.elementwise import broadcast
from dnnc.ir.dnn.quantize import stored_value
from dnnc.ir.types import I64, Quantized, QuantType, dtype, shape_of, storage_type, tensor, tensor_text, type_name


@dataclass(frozen=True)
class Strided:
    """Where a loop nest of bounds `shape` reads or writes: element offset + sum over k of i[k] * strides[k]."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @staticmethod
    def rows(shape: tuple[int, ...]) -> Strided:
        """Row-major order."""
        return Strided(shape, row_strides(shape))

    def of(self, flat: np.ndarray) -> np.ndarray:
        """The elements of a flat array that the nest visits, as a view."""
        if 0 in self.shape:
            return flat[:0].reshape(self.shape)
        strides = tuple(s * flat.itemsize for s in self.strides)
        return np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, strides)


def row_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Element strides of a row-major array."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


@dataclass(frozen=True)
class Part:
    """One copy: y[write] = operand[read]; both nests have the same bounds."""

    operand: int
    read: Strided
    write: Strided


class Movement(DnnOp):
    """y is filled with `fill()`, then each part is copied into place."""

    def parts(self) -> tuple[Part, ...]:
        """The copies; for a pure view the single part writes y in row-major order."""
        raise NotImplementedError

    def keeps_type(self) -> bool:
        return True

    def fill(self) -> float | None:
        """What y holds in its storage type where no part writes; None when the parts cover it."""
        return None

    def is_view(self) -> bool:
        """Whether y has the elements of its operand in the same order, so that no copy is needed."""
        parts = self.parts()
        one = parts[0] if len(parts) == 1 and self.fill() is None else None
        return one is not None and one.read == Strided.rows(one.read.shape) and one.write == one.read

    def run(self, values):
        y_type = self.results[0].type
        shape = shape_of(y_type)
        parts, fill = self.parts(), self.fill()
        flats = [np.ascontiguousarray(v).reshape(-1) for v in values]
        if len(parts) == 1 and fill is None and parts[0].write == Strided.rows(parts[0].write.shape):
            return [parts[0].read.of(flats[parts[0].operand]).reshape(shape)]
        assert isinstance(y_type, TensorType)
        kind = dtype(y_type.element_type)
        y = np.empty(prod(shape), kind) if fill is None else np.full(prod(shape), fill, kind)
        for p in parts:
            p.write.of(y)[...] = p.read.of(flats[p.operand])
        return [y.reshape(shape)]

    def work(self) -> Work:
        return Work(elements=self.elements())


class View(Movement):
    """A movement of one operand that writes its result in row-major order."""

    x = operand_def(TensorType)
    result = result_def(TensorType)

    def read(self) -> Strided:
        """The operand's elements in the order of the result."""
        raise NotImplementedError

    def parts(self) -> tuple[Part, ...]:
        read = self.read()
        return (Part(0, read, Strided.rows(read.shape)),)


def _not_per_channel(op: DnnOp) -> None:
    element = op.element()
    per_channel = isinstance(element, QuantType) and element.axis is not None
    expect(not per_channel, "one scale for the whole tensor", element, code="E0429")


@irdl_op_definition
class StorageCastOp(View):
    """y = the integers that x is stored as, or the quantized values `to` that the integers x are; no bit changes."""

    CODES: ClassVar[bool] = True
    name = "dnn.storage_cast"
    to = prop_def(Attribute)

    def keeps_type(self) -> bool:
        return False

    def infer(self) -> TensorType:
        x, to = self.element(), self.to
        one = isinstance(x, Quantized) != isinstance(to, Quantized) and storage_type(x) == storage_type(to)
        expect(one, f"a quantized type stored as {type_name(storage_type(x))}, or that", to, code="E0431")
        return tensor(to, self.shape())

    def read(self) -> Strided:
        return Strided.rows(self.shape())


@irdl_op_definition
class ReshapeOp(View):
    """y = x with another shape: the same elements in row-major order."""

    name = "dnn.reshape"
    shape_ = prop_def(Ints, prop_name="shape")

    def infer(self) -> TensorType:
        shape = self.shape_.data
        same = prod(shape) == prod(self.shape()) and all(d >= 0 for d in shape)
        expect(same, f"a shape of {prod(self.shape())} elements", str(list(shape)), code="E0435")
        _not_per_channel(self)
        return tensor(self.element(), shape)

    def read(self) -> Strided:
        return Strided.rows((prod(self.shape()),))


@irdl_op_definition
class TransposeOp(View):
    """y[i[perm[0]], i[perm[1]], ...] = x[i]: dimension k of y is dimension perm[k] of x."""

    name = "dnn.transpose"
    perm = prop_def(Ints)

    def infer(self) -> TensorType:
        shape, perm = self.shape(), self.perm.data
        expect(
            sorted(perm) == list(range(len(shape))),
            f"a permutation of {len(shape)} axes",
            str(list(perm)),
            code="E0436",
        )
        _not_per_channel(self)
        return tensor(self.element(), tuple(shape[p] for p in perm))

    def read(self) -> Strided:
        shape, strides = self.shape(), row_strides(self.shape())
        return Strided(tuple(shape[p] for p in self.perm.data), tuple(strides[p] for p in self.perm.data))


@irdl_op_definition
class SliceOp(View):
    """y[i] = x[start + i * step] in every dimension, y of shape `size`."""

    name = "dnn.slice"
    start = prop_def(Ints)
    size = prop_def(Ints)
    step = opt_prop_def(Ints)

    def steps(self) -> tuple[int, ...]:
        """Step of each dimension, 1 by default."""
        return self.step.data if self.step is not None else (1,) * len(self.start.data)

    def infer(self) -> TensorType:
        shape = self.shape()
        start, size, step = self.start.data, self.size.data, self.steps()
        full = len(start) == len(size) == len(step) == len(shape)
        expect(
            full,
            f"start, size and step of {len(shape)} dimensions",
            f"{len(start)}, {len(size)}, {len(step)}",
            code="E0434",
        )
        for d, s, n, t in zip(shape, start, size, step):
            inside = n == 0 or (0 <= s < d and 0 <= s + (n - 1) * t < d)
            expect(
                inside and n >= 0, f"a slice inside a dimension of {d}", f"start {s}, size {n}, step {t}", code="E0437"
            )
        return tensor(self.element(), size)

    def read(self) -> Strided:
        strides = row_strides(self.shape())
        offset = sum(s * t for s, t in zip(self.start.data, strides)) if 0 not in self.size.data else 0
        return Strided(self.size.data, tuple(s * t for s, t in zip(strides, self.steps())), offset)


@irdl_op_definition
class ExpandOp(View):
    """y = x broadcast to a shape: dimensions of size 1 (and missing leading ones) repeat."""

    name = "dnn.expand"
    shape_ = prop_def(Ints, prop_name="shape")

    def infer(self) -> TensorType:
        shape = self.shape_.data
        spread = broadcast(self.x.type, tensor(self.element(), shape))
        expect(spread == shape, f"an operand that broadcasts to {list(shape)}", tensor_text(self.x.type), code="E0426")
        return tensor(self.element(), shape)

    def read(self) -> Strided:
        shape = self.shape_.data
        old = (1,) * (len(shape) - len(self.shape())) + self.shape()
        strides = tuple(0 if o == 1 else s for o, s in zip(old, row_strides(old)))
        return Strided(shape, strides)


@irdl_op_definition
class TileOp(View):
    """y = x repeated `repeats[k]` times along each dimension k."""

    name = "dnn.tile"
    repeats = prop_def(Ints)

    def infer(self) -> TensorType:
        shape, repeats = self.shape(), self.repeats.data
        expect(len(repeats) == len(shape), f"{len(shape)} repeats", str(len(repeats)), code="E0434")
        expect(min(repeats, default=0) >= 0, "repeats of at least 0", str(list(repeats)), code="E0433")
        return tensor(self.element(), tuple(d * r for d, r in zip(shape, repeats)))

    def read(self) -> Strided:
        pairs = list(zip(self.repeats.data, self.shape(), row_strides(self.shape())))
        return Strided(tuple(v for r, d, _ in pairs for v in (r, d)), tuple(v for _, _, s in pairs for v in (0, s)))


@irdl_op_definition
class DepthToSpaceOp(View):
    """y[n][c][h*b + i][w*b + j] = x[n][(i*b + j)*C' + c][h][w], C' = C / b^2; with mode crd, channel c*b^2 + i*b + j."""

    name = "dnn.depth_to_space"
    block = prop_def(Int)
    mode = opt_prop_def(Word, default_value=Word("dcr"))

    def infer(self) -> TensorType:
        expect(len(self.shape()) == 4, "an input of rank 4", tensor_text(self.x.type), code="E0418")
        n, c, h, w = self.shape()
        b = self.block.data
        expect(self.mode.data in ("dcr", "crd"), "mode dcr or crd", self.mode.data, code="E0432")
        expect(b > 0 and c % (b * b) == 0, f"channels that are a multiple of {b * b}", str(c), code="E0439")
        return tensor(self.element(), (n, c // (b * b), h * b, w * b))

    def read(self) -> Strided:
        n, c, h, w = self.shape()
        b = self.block.data
        d = c // (b * b)
        c_step, i_step, j_step = (1, b * d, d) if self.mode.data == "dcr" else (b * b, b, 1)
        hw = h * w
        return Strided((n, d, h, b, w, b), (c * hw, c_step * hw, w, i_step * hw, 1, j_step * hw))


@irdl_op_definition
class SpaceToDepthOp(View):
    """y[n][(i*b + j)*C + c][h][w] = x[n][c][h*b + i][w*b + j]; with mode crd, channel c*b^2 + i*b + j."""

    name = "dnn.space_to_depth"
    block = prop_def(Int)
    mode = opt_prop_def(Word, default_value=Word("dcr"))

    def infer(self) -> TensorType:
        expect(len(self.shape()) == 4, "an input of rank 4", tensor_text(self.x.type), code="E0418")
        n, c, h, w = self.shape()
        b = self.block.data
        expect(self.mode.data in ("dcr", "crd"), "mode dcr or crd", self.mode.data, code="E0432")
        expect(
            b > 0 and h % b == 0 == w % b, f"height and width that are multiples of {b}", f"{h} and {w}", code="E0439"
        )
        return tensor(self.element(), (n, c * b * b, h // b, w // b))

    def read(self) -> Strided:
        n, c, h, w = self.shape()
        b = self.block.data
        if self.mode.data == "crd":
            return Strided((n, c, b, b, h // b, w // b), (c * h * w, h * w, w, 1, w * b, b))
        return Strided((n, b, b, c, h // b, w // b), (c * h * w, w, 1, h * w, w * b, b))


@irdl_op_definition
class ConcatOp(Movement):
    """y = the operands one after another along the axis."""

    name = "dnn.concat"
    xs = var_operand_def(TensorType)
    axis = prop_def(Int)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        expect(len(self.xs) > 0, "at least one operand", "none", code="E0438")
        first = self.shape()
        axis = normal_axis(self.axis.data, len(first))
        for i in range(len(self.xs)):
            s = self.shape(i)
            fits = len(s) == len(first) and s[:axis] == first[:axis] and s[axis + 1 :] == first[axis + 1 :]
            expect(
                fits,
                f"operands like {tensor_text(self.xs[0].type)} but for axis {axis}",
                tensor_text(self.xs[i].type),
                code="E0438",
            )
            same = self.element(i) == self.element()
            expect(same, lambda: f"element type {self.element()}", self.element(i), code="E0427")
        total = sum(self.shape(i)[axis] for i in range(len(self.xs)))
        return tensor(self.element(), (*first[:axis], total, *first[axis + 1 :]))

    def parts(self) -> tuple[Part, ...]:
        shape = shape_of(self.result.type)
        axis = normal_axis(self.axis.data, len(shape))
        strides = row_strides(shape)
        parts, at = [], 0
        for i in range(len(self.xs)):
            s = self.shape(i)
            parts.append(Part(i, Strided.rows(s), Strided(s, strides, at * strides[axis])))
            at += s[axis]
        return tuple(parts)


@irdl_op_definition
class PadOp(Movement):
    """y = x with `before` and `after` elements of a constant value added in each dimension.

    Between quantized values the constant is the quantized form of `value`: the zero point for 0.
    """

    name = "dnn.pad"
    x = operand_def(TensorType)
    before = prop_def(Ints)
    after = prop_def(Ints)
    value = opt_prop_def(Real, default_value=Real(0.0))
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        shape, before, after = self.shape(), self.before.data, self.after.data
        expect(len(before) == len(after) == len(shape), f"pads of {len(shape)} dimensions", len(before), code="E0434")
        expect(
            min((*before, *after), default=0) >= 0, "pads of at least 0", f"{list(before)}, {list(after)}", code="E0433"
        )
        _not_per_channel(self)
        return tensor(self.element(), tuple(b + d + a for b, d, a in zip(before, shape, after)))

    def fill(self) -> float:
        return stored_value(self.value.data, self.element())

    def parts(self) -> tuple[Part, ...]:
        strides = row_strides(shape_of(self.result.type))
        offset = sum(b * s for b, s in zip(self.before.data, strides))
        return (Part(0, Strided.rows(self.shape()), Strided(self.shape(), strides, offset)),)


@irdl_op_definition
class GatherOp(DnnOp):
    """y[..., i..., ...] = x[..., indices[i...], ...] along the axis; negative indices count from the end."""

    name = "dnn.gather"
    x = operand_def(TensorType)
    indices = operand_def(TensorType)
    axis = opt_prop_def(Int, default_value=Int(0))
    result = result_def(TensorType)

    def keeps_type(self) -> bool:
        return True

    def infer(self) -> TensorType:
        shape = self.shape()
        axis = normal_axis(self.axis.data, len(shape))
        expect(
            type_name(self.element(1)) in ("i32", "i64"), "i32 or i64 indices", type_name(self.element(1)), code="E0428"
        )
        return tensor(self.element(), shape[:axis] + self.shape(1) + shape[axis + 1 :])

    def evaluate(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        axis = normal_axis(self.axis.data, x.ndim)
        return np.take(x, np.where(indices < 0, indices + x.shape[axis], indices), axis)

    def work(self) -> Work:
        return Work(elements=self.elements())


@irdl_op_definition
class ShapeOp(DnnOp):
    """y = the dimensions `start` to `end` of x as i64: known at compile time, since shapes are static."""

    name = "dnn.shape"
    x = operand_def(TensorType)
    start = opt_prop_def(Int, default_value=Int(0))
    end = opt_prop_def(Int)
    result = result_def(TensorType)

    def dims(self) -> tuple[int, ...]:
        """The dimensions asked for."""
        return self.shape()[slice(self.start.data, self.end.data if self.end is not None else None)]

    def infer(self) -> TensorType:
        return tensor(I64, (len(self.dims()),))

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        return np.array(self.dims(), np.int64)

    def work(self) -> Work:
        return Work(elements=self.elements())
