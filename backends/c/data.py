"""Weights as C: string literals, the form compilers read fastest; or one binary file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

ALIGN = 16
_ROW = 4092  # bytes of a literal: C99 guarantees 4095, and a multiple of 4 keeps elements whole

_KEEP = bytes(b for b in range(32, 127) if chr(b) not in '"\\?')


@dataclass
class Blob:
    """Arrays one after another, each at a multiple of 16 bytes."""

    arrays: list[tuple[int, np.ndarray]] = field(default_factory=list)
    nbytes: int = 0

    def add(self, array: np.ndarray) -> int:
        """Append an array; returns its byte offset."""
        at = -(-self.nbytes // ALIGN) * ALIGN
        self.arrays.append((at, array))
        self.nbytes = at + array.size * array.dtype.itemsize
        return at

    def pieces(self) -> Iterator[memoryview]:
        """The bytes in order, little-endian, gaps filled with zeros; arrays are not copied when contiguous."""
        end = 0
        for at, array in self.arrays:
            if at > end:
                yield memoryview(bytes(at - end))
            plain = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
            yield plain.reshape(-1).view(np.uint8).data
            end = at + array.size * array.dtype.itemsize

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces())


def literal_rows(data: bytes) -> Iterator[str]:
    """C string literals of 4092 bytes each, the last one as short as the data.

    Bytes that need it are written as three octal digits, so that a digit may follow.
    """
    for at in range(0, len(data), _ROW):
        yield '"' + _escape(data[at : at + _ROW]) + '"'


def _escape_table() -> tuple[np.ndarray, np.ndarray]:
    text = np.frombuffer(
        b"".join(bytes([b]).ljust(4) if b in _KEEP else b"\\%03o" % b for b in range(256)), np.uint8
    ).reshape(256, 4)
    width = np.array([1 if b in _KEEP else 4 for b in range(256)])
    return text, np.arange(4) < width[:, None]


_TEXT, _USED = _escape_table()


def _escape(data: bytes) -> str:
    codes = np.frombuffer(data, np.uint8)
    return _TEXT[codes][_USED[codes]].tobytes().decode("ascii")


def weights_source(blob: Blob, macro: str) -> list[str]:
    """The definition of `weights`, a constant whose member `b` holds the blob.

    `macro` (as in `KWS_WEIGHT_ATTRIBUTE`) may place it in a section of its own.
    """
    rows = list(literal_rows(bytes(blob)))
    return [
        "#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__",
        '#error "the weights are stored for a little-endian machine"',
        "#endif",
        f"#ifndef {macro}",
        f"#define {macro}",
        "#endif",
        # newer compilers warn of literals without room for their terminating zero, which is meant here
        "#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 15",
        '#pragma GCC diagnostic ignored "-Wunterminated-string-initialization"',
        "#elif defined(__clang__) && __clang_major__ >= 20",
        '#pragma clang diagnostic ignored "-Wunterminated-string-initialization"',
        "#endif",
        f"static const union {{ char b[{len(rows)}][{_ROW}]; double d; uint64_t u; }} weights {macro} = {{{{",
        *(f"{row}," for row in rows),
        "}};",
    ]
