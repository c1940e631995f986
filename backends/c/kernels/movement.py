"""Movement: strided copies, with memcpy where both sides are contiguous."""

from __future__ import annotations

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.text import c_type, collapse, index, kind_of, numpy_type, shifted, size_of
from dnnc.ir.dnn.movement import Movement, Part
from dnnc.ir.scalar import c_literal


def emit_movement(kernel: Kernel, op: Movement, done: frozenset[int] = frozenset()) -> None:
    """Fill, then copy each part; parts whose number is in `done` already lie in place."""
    y = op.results[0]
    fill = op.fill()
    if fill is not None and size_of(y.type):
        _emit_fill(kernel, fill, size_of(y.type))
    for number, part in enumerate(op.parts()):
        if number not in done and 0 not in part.read.shape:
            _emit_copy(kernel, op, part)


def _emit_fill(kernel: Kernel, value: float, size: int) -> None:
    y = kernel.unit.outputs[0]
    dt = numpy_type(y)
    if np.array(value).astype(dt).tobytes() == bytes(dt.itemsize):
        kernel.code.add(f"memset({kernel.y()}, 0, {size}u * sizeof({c_type(y)}));")
        return
    with kernel.code.loop("i", size):
        kernel.code.add(f"{kernel.y()}[i] = {c_literal(value, kind_of(dt))};")


def _emit_copy(kernel: Kernel, op: Movement, part: Part) -> None:
    x, y = kernel.x(op.operands[part.operand]), kernel.y()
    bounds, (read, write) = collapse(part.read.shape, [part.read.strides, part.write.strides])
    run = bounds[-1] if bounds and read[-1] == write[-1] == 1 else 1
    outer = len(bounds) - (run != 1)
    with kernel.code.nest(bounds[:outer]) as at:
        source, target = index(at, read[:outer], part.read.offset), index(at, write[:outer], part.write.offset)
        if run != 1:
            size = f"{run}u * sizeof({c_type(op.results[0])})"
            kernel.code.add(f"memcpy({shifted(y, target)}, {shifted(x, source)}, {size});")
        else:
            kernel.code.add(f"{y}[{target}] = {x}[{source}];")
