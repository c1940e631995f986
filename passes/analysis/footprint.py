"""Bytes a buffer takes: one copy of it, and all its copies with alignment."""

from __future__ import annotations

from math import prod

from xdsl.dialects.builtin import MemRefType

from dnnc.ir.sched import BufferOp
from dnnc.ir.types import bits
from dnnc.passes.analysis.tiling import ALIGN


def tile_bytes(buffer: BufferOp) -> int:
    """Bytes of one copy: ceil(elements * bits / 8)."""
    type_ = buffer.result.type
    assert isinstance(type_, MemRefType)
    return -(-prod(type_.get_shape()) * bits(type_.element_type) // 8)


def pitch(buffer: BufferOp) -> int:
    """Bytes from one copy to the next."""
    return -(-tile_bytes(buffer) // ALIGN) * ALIGN


def buffer_bytes(buffer: BufferOp) -> int:
    """Bytes of all copies."""
    return buffer.copies.data * pitch(buffer)
