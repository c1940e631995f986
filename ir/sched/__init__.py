"""The schedule dialect: a program on placed buffers, static loops and tiles; every consumer after `tile` reads it."""

from xdsl.ir import Dialect

from dnnc.ir.sched.coded import Blocks, CodedAttr
from dnnc.ir.sched.ops import (
    DIMS,
    DRAM,
    BufferOp,
    ComputeOp,
    CopyOp,
    LoopOp,
    ViewOp,
    buffer_of,
    iterations,
    layout_of,
    loops_around,
)
from dnnc.ir.sched.slices import Slice, SlicesAttr

Sched = Dialect("sched", [BufferOp, ViewOp, LoopOp, CopyOp, ComputeOp], [SlicesAttr, CodedAttr])

__all__ = [
    "DIMS",
    "DRAM",
    "Blocks",
    "BufferOp",
    "CodedAttr",
    "ComputeOp",
    "CopyOp",
    "LoopOp",
    "Sched",
    "Slice",
    "SlicesAttr",
    "ViewOp",
    "buffer_of",
    "iterations",
    "layout_of",
    "loops_around",
]
