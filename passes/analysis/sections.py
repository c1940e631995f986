"""The sections of a schedule: the shortest stretches of @main between which nothing on chip is alive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation

from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, ViewOp, buffer_of
from dnnc.passes.analysis.liveness import Lifetimes, Span, lifetimes


@dataclass(frozen=True)
class Section:
    """Operations of @main in order: a layer, layers that run depth-first, or a move; `steps` are those on chip."""

    ops: tuple[Operation, ...]
    steps: Span

    def copies(self) -> Iterator[CopyOp]:
        """Every copy in it."""
        return (op for top in self.ops for op in top.walk() if isinstance(op, CopyOp))


def sections(module: ModuleOp, times: Lifetimes | None = None) -> list[Section]:
    """The sections of @main in order; buffers and views off chip, which do nothing, are in none."""
    live = (times or lifetimes(module)).spans
    ops = [op for op in main_function(module).body.block.ops if not _idle(op)]
    spans = [_span(op, live) for op in ops]
    later = list(accumulate((first for first, _ in reversed(spans)), min))[::-1]
    found: list[Section] = []
    begin = 0
    for i in range(1, len(ops) + 1):
        if i == len(ops) or max(end for _, end in spans[begin:i]) <= later[i]:
            held = spans[begin:i]
            found.append(Section(tuple(ops[begin:i]), (min(a for a, _ in held), max(b for _, b in held))))
            begin = i
    return found


def _idle(op: Operation) -> bool:
    return isinstance(op, ReturnOp | ViewOp) or (isinstance(op, BufferOp) and not op.on_chip)


def _span(op: Operation, live: Mapping[BufferOp, Span]) -> Span:
    """From the first to the last step in which what an operation touches on chip is alive."""
    held = [live[b] for inner in op.walk() for b in _on_chip(inner) if b in live]
    return min((a for a, _ in held), default=0), max((b for _, b in held), default=0)


def _on_chip(op: Operation) -> Iterator[BufferOp]:
    if isinstance(op, BufferOp):
        yield op
    elif isinstance(op, CopyOp | ComputeOp):
        tiles = op.tiles if isinstance(op, ComputeOp) else (op.source, op.target)
        yield from (b for t in tiles if (b := buffer_of(t)).on_chip)
