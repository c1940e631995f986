"""Constant tensors of an ONNX model: their type at once, their data only when somebody looks."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import SparseTensorProto, TensorProto, helper, numpy_helper
from xdsl.dialects.builtin import TensorType

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.types import element_type, is_float, nbytes, supported, tensor, tensor_of

_NOT_NUMERIC = (TensorProto.STRING, TensorProto.UNDEFINED)


class UnsupportedType(Exception):
    """A tensor's element type has no counterpart in the dialect; the message is its ONNX name."""


@dataclass(eq=False)
class Literal:
    """A constant that is not part of the program yet: its type, how to get its values, its name."""

    type: TensorType
    load: Callable[[], np.ndarray]
    name: str = ""

    @staticmethod
    def of(array: np.ndarray, name: str = "") -> Literal:
        """A literal of an array."""
        return Literal(tensor_of(array), lambda: array, name)


def numpy_type(data_type: int) -> np.dtype:
    """The numpy dtype of an ONNX element type; UnsupportedType when the dialect has none."""
    if data_type not in TensorProto.DataType.values():
        raise UnsupportedType(f"number {data_type}")
    kind = np.dtype(object) if data_type in _NOT_NUMERIC else helper.tensor_dtype_to_np_dtype(data_type)
    if not supported(kind):
        raise UnsupportedType(TensorProto.DataType.Name(data_type))
    return kind


@dataclass
class External:
    """Where external data lies: the model's folder, None for a model given without a path.

    When it is not `required`, a float tensor whose file does not exist reads as zeros and the file is noted in `absent`:
    enough to count a network by its shapes.
    """

    folder: Path | None
    required: bool = True
    absent: dict[str, None] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)  # files already reported as missing: one finding each


def literal(t: TensorProto, external: External, name: str = "") -> Literal:
    """The literal of a tensor, its data inside the model or in a file. DnncError when it is damaged or missing."""
    name = name or t.name
    shape = tuple(t.dims)
    if any(d < 0 for d in shape):
        raise _damaged(name, "a shape without negative dimensions", str(list(shape)))
    kind = tensor(element_type(numpy_type(t.data_type)), shape)
    if t.data_location == TensorProto.EXTERNAL:
        return Literal(kind, _external(t, name, external, kind), name)
    # The length of data inside the message is verified when it is read: to ask for it would copy it.
    return Literal(kind, lambda: _values(t, name, kind), name)


def _damaged(name: str, expected: str, got: str) -> DnncError:
    return DnncError(Finding(f"tensor '{name}'", f"expected {expected}, not {got}. Export the model again.", "E0223"))


def _values(t: TensorProto, name: str, kind: TensorType) -> np.ndarray:
    try:
        array = numpy_helper.to_array(t)
    except (ValueError, TypeError) as e:
        raise _damaged(name, f"data of shape {list(kind.get_shape())}", _held(t)) from e
    return array.reshape(kind.get_shape())


def _held(t: TensorProto) -> str:
    """How much data is in a tensor."""
    if t.HasField("raw_data"):
        return f"{len(t.raw_data)} bytes"
    fields = (t.float_data, t.int32_data, t.int64_data, t.double_data, t.uint64_data, t.string_data)
    return f"{max(map(len, fields))} values"


def _external(t: TensorProto, name: str, external: External, kind: TensorType) -> Callable[[], np.ndarray]:
    """A reader that maps the file; existence and size are verified now."""
    entries = {e.key: e.value for e in t.external_data}
    location = entries.get("location", "")
    where = f"tensor '{name}'"
    folder = external.folder
    here = folder is not None and (folder / location).is_file()
    if not external.required and not here and is_float(kind.element_type):
        external.absent[location] = None
        return lambda: np.broadcast_to(np.zeros((), numpy_type(t.data_type)), kind.get_shape())
    if folder is None:
        todo = "Import the model by its path, so that its folder is known."
        raise DnncError(
            Finding(where, f"expected its data in the model, not in the external file '{location}'. {todo}", "E0221")
        )
    path = folder / location
    if not location or not path.resolve().is_relative_to(folder.resolve()):
        raise DnncError(
            Finding(where, f"expected external data inside the model's folder, not at '{location}'.", "E0222")
        )
    if not path.is_file():
        if location in external.told:
            raise DnncError(())
        external.told.add(location)
        todo = "Put the file beside the model."
        raise DnncError(
            Finding(where, f"expected its data in the file '{location}', which does not exist. {todo}", "E0221")
        )
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", nbytes(kind)))
    except ValueError as e:
        raise _damaged(name, "whole numbers for offset and length", str(e)) from e
    if offset < 0 or length != nbytes(kind) or offset + length > os.path.getsize(path):
        held = max(0, min(length, os.path.getsize(path) - max(0, offset)))
        raise _damaged(name, f"{nbytes(kind)} bytes from byte {offset} of '{location}'", f"{held}")
    return lambda: _mapped(path, offset, t, kind)


def _mapped(path: Path, offset: int, t: TensorProto, kind: TensorType) -> np.ndarray:
    size = nbytes(kind)
    if not size:
        return np.empty(kind.get_shape(), numpy_type(t.data_type))
    with open(path, "rb") as f:
        data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
    dt = numpy_type(t.data_type)
    if size == prod(kind.get_shape()) * dt.itemsize:
        array = np.frombuffer(data, dt, prod(kind.get_shape()), offset).reshape(kind.get_shape())
        return array if array.flags.aligned else array.copy()
    packed = TensorProto(data_type=t.data_type, dims=t.dims, raw_data=data[offset : offset + size])
    return numpy_helper.to_array(packed)


def dense(sparse: SparseTensorProto, name: str) -> Literal:
    """The literal of a sparse tensor, zeros filled in when it is read."""
    values = literal(sparse.values, External(None), name)
    kind = tensor(values.type.element_type, tuple(sparse.dims))

    def fill() -> np.ndarray:
        data = values.load()
        out = np.zeros(kind.get_shape(), data.dtype)
        indices = numpy_helper.to_array(sparse.indices)
        at = tuple(indices.T) if indices.ndim == 2 else np.unravel_index(indices, out.shape)
        out[at] = data
        return out

    return Literal(kind, fill, name)


def value_type(proto: onnx.TypeProto) -> tuple[np.dtype, list[int | str | None]]:
    """Element dtype and dimensions (a number, a name, or None) of a tensor type; UnsupportedType for any other."""
    if not proto.HasField("tensor_type"):
        raise UnsupportedType((proto.WhichOneof("value") or "untyped").removesuffix("_type"))
    return numpy_type(proto.tensor_type.elem_type), dimensions(proto)


def dimensions(proto: onnx.TypeProto) -> list[int | str | None]:
    """Dimensions of a tensor type: a number, a name, or None."""
    dims: list[int | str | None] = []
    for d in proto.tensor_type.shape.dim:
        known = d.HasField("dim_value") and d.dim_value >= 0
        dims.append(d.dim_value if known else d.dim_param or None)
    return dims
