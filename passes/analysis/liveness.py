"""When each buffer of a schedule is live: half-open intervals of steps, one step a layer."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp

from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, buffer_of


def steps(module: ModuleOp) -> dict[BufferOp, tuple[int, int]]:
    """[first, last + 1) of the layers that touch each buffer; buffers nothing touches are left out."""
    chip: dict[BufferOp, int] = {}
    computes = [op for op in main_function(module).walk() if isinstance(op, ComputeOp)]
    for step, compute in enumerate(computes):
        chip.update((buffer_of(tile), step) for tile in compute.tiles)
    live = {buffer: (step, step + 1) for buffer, step in chip.items()}
    for op in main_function(module).walk():
        if isinstance(op, CopyOp):
            _touch(op, chip, live)
    return live


def _touch(copy: CopyOp, chip: dict[BufferOp, int], live: dict[BufferOp, tuple[int, int]]) -> None:
    sides = buffer_of(copy.source), buffer_of(copy.target)
    outside, inside = sides if copy.loads else sides[::-1]
    step = chip[inside]
    first, end = live.get(outside, (step, step + 1))
    live[outside] = min(first, step), max(end, step + 1)
