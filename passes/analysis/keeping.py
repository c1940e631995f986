"""Values that stay on chip from the layer that makes them to the last that reads them, and what room they leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import prod

from xdsl.ir import Operation, SSAValue

from dnnc.ir.arch import Accelerator
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.step_tiles import aligned

ON_CHIP = "dnn.on_chip"
"""Of a group whose result stays on chip."""

Span = tuple[int, int]


def kept_bytes(value: SSAValue) -> int:
    """Bytes of a value that stays on chip."""
    return aligned(prod(shape_of(value.type)))


def readers(value: SSAValue) -> Iterator[tuple[Operation, SSAValue]]:
    """(operation, what it reads) of all that read a value or a view of it."""
    for use in value.uses:
        op = use.operation
        if isinstance(op, Movement) and op.is_view() and not isinstance(op.parent_op(), GroupOp):
            yield from readers(op.results[0])
        else:
            yield op, value


def spans(ops: Sequence[Operation], steps: Mapping[Operation, int]) -> dict[SSAValue, Span]:
    """The first and the last step of each marked value's life, given the step in which each operation runs."""
    found = {}
    for op in ops:
        if isinstance(op, GroupOp) and ON_CHIP in op.attributes:
            (value,) = op.results
            found[value] = steps[op], max((steps[r] for r, _ in readers(value) if r in steps), default=steps[op])
    return found


def reserved(lives: Mapping[SSAValue, Span], step: int) -> int:
    """Bytes that stay on chip during a step."""
    return sum(kept_bytes(value) for value, (first, last) in lives.items() if first <= step <= last)


@lru_cache(maxsize=4096)
def beside(arch: Accelerator, taken: int) -> Accelerator:
    """The machine with so many bytes less of the memory in which values stay."""
    home = arch.holding("input")
    return arch.resized({home.name: max(1, home.bytes - taken)}) if taken else arch
