"""Lossless codes of constants: what a load expands on its way to the chip, and what the compiler writes.

A block is one tile of bytes in the order they have on chip. Blocks stand on their own, so that tiles can be loaded in any
order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnnc.ir.diagnostics import DnncError

Bytes = NDArray[np.uint8]

PLAIN = 8
"""The parameter of a Rice block whose bytes stand as they are."""


@dataclass(frozen=True)
class Code:
    """A code by its name in the decoder field: to bytes, and back given how many bytes come out."""

    encode: Callable[[Bytes], Bytes]
    decode: Callable[[Bytes, int], Bytes]


def zigzag(values: Bytes) -> Bytes:
    """0, -1, 1, -2, ... become 0, 1, 2, 3, ...: (v << 1) ^ (v >> 7) of signed bytes."""
    v = values.view(np.int8)
    return ((v << 1) ^ (v >> 7)).view(np.uint8)


def unzigzag(values: Bytes) -> Bytes:
    """The inverse of `zigzag`: (u >> 1) ^ -(u & 1)."""
    return ((values >> 1) ^ (0 - (values & 1))).astype(np.uint8)


def rice_bits(values: Bytes) -> NDArray[np.int64]:
    """Bits of a block for each parameter k: sum of (u >> k) + 1 + k over the zigzag values u."""
    u = zigzag(values)
    return np.array([int((u >> k).sum(dtype=np.int64)) + (1 + k) * u.size for k in range(PLAIN)])


def encode_rice(values: Bytes) -> Bytes:
    """A byte with the parameter k, the k low bits of each zigzag value, then its high bits in unary.

    The parameter is the one of the fewest bits, or `PLAIN` when no code is shorter than the bytes themselves. Both streams
    fill bytes from the least significant bit; u >> k is as many zeros before a one.
    """
    k = int(rice_bits(values).argmin())
    u = zigzag(values)
    low = np.unpackbits(u[:, None], axis=1, bitorder="little")[:, :k].reshape(-1)
    ends = np.cumsum((u >> k).astype(np.int64) + 1) - 1
    unary = np.zeros(int(ends[-1]) + 1 if len(ends) else 0, np.uint8)
    unary[ends] = 1
    coded = np.concatenate([[np.uint8(k)], *(np.packbits(s, bitorder="little") for s in (low, unary))])
    return coded if len(coded) <= len(values) else np.concatenate([[np.uint8(PLAIN)], values])


def decode_rice(coded: Bytes, count: int) -> Bytes:
    """The `count` bytes of a block; DnncError when it does not hold as many."""
    k = int(coded[0]) if len(coded) else PLAIN + 1
    low_bytes = -(-count * k // 8)
    if k > PLAIN or len(coded) < 1 + low_bytes or (k == PLAIN and len(coded) != 1 + count):
        raise _broken(coded, count)
    if k == PLAIN:
        return coded[1:]
    low = np.unpackbits(coded[1 : 1 + low_bytes], count=count * k, bitorder="little").reshape(count, k)
    ends = np.flatnonzero(np.unpackbits(coded[1 + low_bytes :], bitorder="little"))[:count]
    high = np.diff(ends, prepend=-1) - 1
    if len(ends) < count or (high << k > 0xFF).any():
        raise _broken(coded, count)
    rest = np.packbits(low, axis=1, bitorder="little")[:, 0] if k else np.uint8(0)
    return unzigzag((high << k).astype(np.uint8) | rest)


def _broken(coded: Bytes, count: int) -> DnncError:
    return DnncError(
        f"a Rice block of {count} values was expected, not these {len(coded)} bytes. Rebuild the program.", "E0825"
    )


CODES = {"rice": Code(encode_rice, decode_rice)}
"""The codes dnnc writes and the simulator expands, by their names in `arch.DECODERS`."""
