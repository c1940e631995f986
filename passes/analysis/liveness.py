"""When each buffer of a schedule is live: half-open intervals of steps, one step a layer.

A buffer keeps its content while the block it is declared in runs: what a loop touches it touches in every step of the loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, buffer_of

Span = tuple[int, int]


def steps(module: ModuleOp) -> dict[BufferOp, Span]:
    """[first, last + 1) of the layers and moves that touch each buffer; buffers nothing touches are left out."""
    ops = list(main_function(module).walk())
    owned = {buffer_of(tile) for op in ops if isinstance(op, ComputeOp) for tile in op.tiles}
    inside = _inside(op for op in ops if _begins(op, owned))
    live: dict[BufferOp, Span] = {op: span for op, span in inside.items() if isinstance(op, BufferOp)}
    for op in ops:
        for tile in op.tiles if isinstance(op, ComputeOp) else ():
            _widen(live, buffer_of(tile), inside[_beside(op, buffer_of(tile))])
    begun = 0
    for op in ops:
        begun += _begins(op, owned)
        if isinstance(op, CopyOp) and (chip := buffer_of(op.target if op.loads else op.source)) in owned:
            # loaded before the next step, or stored after the last
            at = begun if op.loads else begun - 1
            _widen(live, chip, inside.get(_beside(op, chip), (at, at + 1)))
    for op in ops:
        if isinstance(op, CopyOp):
            sides = buffer_of(op.source), buffer_of(op.target)
            outside, chip = sides if op.loads else sides[::-1]
            _widen(live, outside, inside.get(_beside(op, outside), live[chip]))
    return live


def step_names(module: ModuleOp) -> list[str]:
    """What runs in each step: a layer, or a tile that is moved."""
    ops = list(main_function(module).walk())
    owned = {buffer_of(tile) for op in ops if isinstance(op, ComputeOp) for tile in op.tiles}
    begun = [op for op in ops if _begins(op, owned)]
    return [op.label.data for op in begun if isinstance(op, ComputeOp | BufferOp)]


def _begins(op: Operation, owned: set[BufferOp]) -> bool:
    # a tile without a compute belongs to a move, which is a step of its own
    return isinstance(op, ComputeOp) or (isinstance(op, BufferOp) and op.on_chip and op not in owned)


def _inside(begins: Iterable[Operation]) -> dict[Operation, Span]:
    """The steps within each operation."""
    found: dict[Operation, Span] = {}
    for step, op in enumerate(begins):
        parent: Operation | None = op
        while parent is not None:
            _widen(found, parent, (step, step + 1))
            parent = parent.parent_op()
    return found


def _widen(spans: dict[Any, Span], key: Operation, by: Span) -> None:
    first, end = spans.get(key, by)
    spans[key] = min(first, by[0]), max(end, by[1])


def _beside(op: Operation, buffer: BufferOp) -> Operation:
    """The operation in the buffer's block that an operation belongs to."""
    while op.parent is not buffer.parent:
        parent = op.parent_op()
        assert parent is not None
        op = parent
    return op
