"""Read a model without its weights: large initializers stay in the file and become external data of that same file.

Protobuf has no way to skip a field, so the few levels that lead to an initializer's bytes are walked here:
ModelProto.graph (field 7), GraphProto.initializer (5), TensorProto.raw_data (9); see protobuf's encoding guide.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import onnx

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
_LENGTH_DELIMITED = 2
_FIXED = {1: 8, 5: 4}  # wire type -> bytes
_LARGE = 1024  # bytes above which data stays in the file


class Damaged(ValueError):
    """The bytes are not a protobuf message."""


def read_model(path: Path) -> onnx.ModelProto:
    """The model of a file, its large initializers as external data that lies in the file itself; Damaged, OSError."""
    with open(path, "rb") as f:
        if not path.stat().st_size:
            raise Damaged("an empty file")
        with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
            light = _rewritten(data, 0, len(data), (_GRAPH, _INITIALIZER), path.name)
    model = onnx.ModelProto()
    model.ParseFromString(light)
    return model


def _rewritten(data: mmap.mmap, start: int, end: int, path: tuple[int, ...], file: str) -> bytes:
    """A message with the messages at a path of field numbers rewritten; at the path's end a tensor without its data."""
    parts: list[bytes] = []
    reference = b""  # last, so that it counts, whatever the message says elsewhere about where its data lies
    for number, at, payload, stop in _fields(data, start, end):
        if path and number == path[0] and payload is not None:
            inner = _rewritten(data, payload, stop, path[1:], file)
            parts.append(_message(number, inner))
        elif not path and number == _RAW_DATA and payload is not None and stop - payload > _LARGE:
            reference = _reference(file, payload, stop - payload)
        else:
            parts.append(data[at:stop])
    return b"".join((*parts, reference))


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int | None, int]]:
    """Of each field: number, where it begins, where its bytes begin (None for a number), where it ends."""
    at = start
    while at < end:
        key, payload = _varint(data, at, end)
        number, wire = key >> 3, key & 7
        if wire == _LENGTH_DELIMITED:
            length, payload = _varint(data, payload, end)
            stop = payload + length
        elif wire == 0:
            _, stop = _varint(data, payload, end)
        elif wire in _FIXED:
            stop = payload + _FIXED[wire]
        else:
            raise Damaged(f"wire type {wire}")
        if stop > end or number == 0:
            raise Damaged(f"a field that ends at byte {stop} of {end}")
        yield number, at, payload if wire == _LENGTH_DELIMITED else None, stop
        at = stop


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """A number of 7 bits a byte, low bits first, and where it ends."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise Damaged("a number without an end")


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _message(number: int, payload: bytes) -> bytes:
    return _encoded(number << 3 | _LENGTH_DELIMITED) + _encoded(len(payload)) + payload


def _reference(file: str, offset: int, length: int) -> bytes:
    """The fields of a TensorProto that say its data lies in a file."""
    tensor = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
    for key, value in (("location", file), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return tensor.SerializeToString()
