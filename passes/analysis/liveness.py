"""When each buffer of a schedule is live: half-open intervals of steps, one step a layer."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, buffer_of


def steps(module: ModuleOp) -> dict[BufferOp, tuple[int, int]]:
    """[first, last + 1) of the layers and moves that touch each buffer; buffers nothing touches are left out."""
    ops = list(main_function(module).walk())
    owned = {buffer_of(tile) for op in ops if isinstance(op, ComputeOp) for tile in op.tiles}
    chip: dict[BufferOp, int] = {}
    for step, op in enumerate(op for op in ops if _begins(op, owned)):
        # a tile without a compute belongs to a move, which is a step of its own
        tiles = [buffer_of(t) for t in op.tiles] if isinstance(op, ComputeOp) else [op]
        chip.update((b, step) for b in tiles if isinstance(b, BufferOp))
    live = {buffer: (step, step + 1) for buffer, step in chip.items()}
    for op in ops:
        if isinstance(op, CopyOp):
            _touch(op, chip, live)
    return live


def _begins(op: Operation, owned: set[BufferOp]) -> bool:
    return isinstance(op, ComputeOp) or (isinstance(op, BufferOp) and op.on_chip and op not in owned)


def _touch(copy: CopyOp, chip: dict[BufferOp, int], live: dict[BufferOp, tuple[int, int]]) -> None:
    sides = buffer_of(copy.source), buffer_of(copy.target)
    outside, inside = sides if copy.loads else sides[::-1]
    step = chip[inside]
    first, end = live.get(outside, (step, step + 1))
    live[outside] = min(first, step), max(end, step + 1)
