"""Every buffer of the schedule gets its offset, in each memory and DRAM region on its own.

%0 = sched.buffer "x.tile" in <input> copies <2> : ...   ->   sched.buffer "x.tile" in <input> at <64> copies <2> : ...
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.arch import Accelerator, of_module
from dnnc.ir.diagnostics import Finding, UnsupportedError
from dnnc.ir.dnn.attributes import Int
from dnnc.ir.sched import BufferOp
from dnnc.passes.analysis.allocate import plan
from dnnc.passes.analysis.allocation import Buffer
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.analysis.liveness import steps
from dnnc.passes.analysis.tiling import ALIGN

KEPT = ("weights", "parameters", "inputs", "outputs")
"""Spaces whose buffers live through the whole program."""
SHOWN = 8
"""Buffers an error names."""


@dataclass(frozen=True)
class PlanMemoryPass(ModulePass):
    """Place buffers by best-fit skyline or first-fit; a memory that is too small is an error with what it lacks."""

    name = "plan-memory"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        arch, live = of_module(op), steps(op)
        for (on_chip, memory), buffers in by_memory(op, arch).items():
            wanted = [_demand(i, b, live) for i, b in enumerate(buffers)]
            result = plan(wanted)
            size = next((m.bytes for m in arch.memory if m.name == memory), 0)
            if on_chip and result.peak > size:
                least = max(result.lower_bound, result.proved)
                why = f"at least {least}; {_crowd(wanted, buffers)}"
                text = f"at most {size} bytes in use at once were expected, not {result.peak} ({why})"
                raise UnsupportedError(Finding(memory, f"{text}. Choose a target with a larger {memory}.", "E0805"))
            for i, buffer in enumerate(buffers):
                buffer.offset = Int(result.offsets[i])


def _demand(i: int, buffer: BufferOp, live: dict[BufferOp, tuple[int, int]]) -> Buffer:
    # one interval for all when the space keeps its content, so that nothing shares bytes
    first, end = (0, 1) if buffer.space.data in KEPT else live.get(buffer, (0, 0))
    return Buffer(i, buffer_bytes(buffer), first, end, ALIGN)


def _crowd(wanted: list[Buffer], buffers: list[BufferOp]) -> str:
    """The step with the most bytes alive, and its largest buffers."""
    step = max((b.start for b in wanted), key=lambda s: sum(b.size for b in wanted if b.start <= s < b.end))
    live = sorted((b for b in wanted if b.start <= step < b.end), key=lambda b: -b.size)
    names = [f"{buffers[int(str(b.id))].label.data} {b.size}" for b in live]
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return f"at step {step}: {', '.join(names[:SHOWN] + more)}"


def by_memory(module: ModuleOp, arch: Accelerator) -> dict[tuple[bool, str], list[BufferOp]]:
    """The buffers of each memory of the target and of each DRAM space, by (on chip, name)."""
    found: dict[tuple[bool, str], list[BufferOp]] = {}
    for op in module.walk():
        if isinstance(op, BufferOp):
            name = arch.holding(op.space.data).name if op.on_chip else op.space.data
            found.setdefault((op.on_chip, name), []).append(op)
    return found
