"""When each buffer of a schedule is live: half-open intervals of steps.

On chip there is one step a layer. Off chip there is one more before each layer, and one at the end: what a layer loads before
it computes is dead by then, what it stores once it has computed is not yet alive, and either may lie where the other does.
A buffer keeps its content while the block it is declared in runs: what a loop touches it touches in every step of the loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, LoopOp, buffer_of

Span = tuple[int, int]


@dataclass(frozen=True)
class Lifetimes:
    """The steps of each buffer that something touches, those of each copy off chip, and the names of the layers and moves.

    Each of these is one step on chip.
    """

    spans: dict[BufferOp, Span]
    copies: dict[CopyOp, Span]
    layers: tuple[str, ...]

    def steps(self, on_chip: bool) -> tuple[str, ...]:
        """The names of the steps on chip, or of those off chip."""
        if on_chip or not self.layers:
            return self.layers
        return (*(step for layer in self.layers for step in (f"before {layer}", layer)), f"after {self.layers[-1]}")


def lifetimes(module: ModuleOp) -> Lifetimes:
    """[first, last + 1) of the steps that touch each buffer."""
    ops = list(main_function(module).walk())
    owned = {buffer_of(tile) for op in ops if isinstance(op, ComputeOp) for tile in op.tiles}
    begun = [op for op in ops if _begins(op, owned)]
    inside = _inside(begun)
    live: dict[BufferOp, Span] = {op: span for op, span in inside.items() if isinstance(op, BufferOp)}
    for op in ops:
        for tile in op.tiles if isinstance(op, ComputeOp) else ():
            _widen(live, buffer_of(tile), inside[_beside(op, buffer_of(tile))])
    copies: dict[CopyOp, Span] = {}
    past = 0
    for op in ops:
        past += _begins(op, owned)
        if isinstance(op, CopyOp):
            outside, tile = sides(op)
            if tile in owned:
                # loaded before the next step, or stored after the last
                at = past if op.loads else past - 1
                _widen(live, tile, inside.get(_beside(op, tile), (at, at + 1)))
            beside = _beside(op, outside)
            alone = 2 * past, 2 * past + 1
            copies[op] = (
                _during(inside[beside]) if beside in inside else alone if tile in owned else _move(op, live[tile])
            )
    for op, span in copies.items():
        _widen(live, sides(op)[0], span)
    names = tuple(op.label.data for op in begun if isinstance(op, ComputeOp | BufferOp))
    return Lifetimes(live, copies, names)


def sides(copy: CopyOp) -> tuple[BufferOp, BufferOp]:
    """The buffers of a copy off chip and on chip."""
    source, target = buffer_of(copy.source), buffer_of(copy.target)
    return (source, target) if copy.loads else (target, source)


def _during(steps: Span) -> Span:
    """The steps off chip while some on chip run."""
    return 2 * steps[0] + 1, 2 * steps[1]


def _move(copy: CopyOp, tile: Span) -> Span:
    """The steps off chip in which a copy of a move runs: before it where it is loaded at once, else during it."""
    at_once = copy.loads and not isinstance(copy.parent_op(), LoopOp)
    return (2 * tile[0], 2 * tile[0] + 1) if at_once else _during(tile)


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
