"""Every buffer of the schedule gets its offset, in each memory and DRAM region on its own.

%0 = sched.buffer "x.tile" in <input> copies <2> : ...   ->   sched.buffer "x.tile" in <input> at <64> copies <2> : ...
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.arch import of_module
from dnnc.ir.diagnostics import Collector, Finding
from dnnc.ir.dnn.attributes import Int
from dnnc.ir.sched import BufferOp
from dnnc.passes.analysis.allocate import Packing, plan, smallest
from dnnc.passes.analysis.allocation import Buffer, MemPlan
from dnnc.passes.analysis.liveness import step_names, steps
from dnnc.passes.analysis.solvers import SOLVERS
from dnnc.passes.analysis.spaces import by_memory, capacity_of, wanted

SHOWN = 8
"""Buffers an error names."""


@dataclass(frozen=True)
class PlanMemoryPass(ModulePass):
    """Place buffers: best-fit skyline and first-fit, and where these do not fit, an exact search.

    `solver` is what searches then: built-in, cp-sat (OR-Tools) or minimalloc (its program on the path). A memory that is too
    small is an error with the step, who is alive there, and the smallest memory that would do.
    """

    name = "plan-memory"
    solver: Literal["built-in", "cp-sat", "minimalloc"] = "built-in"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        arch, live, names = of_module(op), steps(op), step_names(op)
        problems = Collector()
        for (on_chip, memory), buffers in by_memory(op, arch).items():
            asked = wanted(buffers, live, max(1, len(names)))
            capacity = capacity_of(arch, on_chip, memory)
            offsets, packing = self._placed(asked, capacity)
            if packing is not None and packing.offsets is None:
                problems.unsupported.append(_too_small(memory, capacity or 0, asked, buffers, names, packing))
            for i, buffer in enumerate(buffers):
                buffer.offset = Int(offsets[i])
        problems.raise_if_any()

    def _placed(self, asked: Sequence[Buffer], capacity: int | None) -> tuple[Mapping[Hashable, int], Packing | None]:
        """Offsets, and what became of the search where the quick plan is above the capacity."""
        quick = plan(asked)
        if capacity is None or quick.peak <= capacity:
            return quick.offsets, None
        packing = SOLVERS[self.solver](asked, capacity)
        return packing.offsets or quick.offsets, packing


def _too_small(
    memory: str,
    capacity: int,
    asked: Sequence[Buffer],
    buffers: Sequence[BufferOp],
    names: Sequence[str],
    packing: Packing,
) -> Finding:
    """What does not fit, whether that is proved, the step with the most bytes alive, and the smallest memory that would do."""
    best = smallest(asked)
    proof = "" if packing.status == "infeasible-proved" else ", by a search that met its limit"
    text = f"at most {capacity} bytes in use at once were expected, not {best.peak} ({_least(best)}{proof})"
    return Finding(memory, f"{text}; {_crowd(asked, buffers, names)}. Choose a target with a larger {memory}.", "E0805")


def _least(best: MemPlan) -> str:
    return "proved minimal" if best.optimal else f"the smallest found; at least {best.least} are needed"


def _crowd(asked: Sequence[Buffer], buffers: Sequence[BufferOp], names: Sequence[str]) -> str:
    """The step with the most bytes alive, and its largest buffers."""
    step = max((b.start for b in asked), key=lambda s: sum(b.size for b in asked if b.start <= s < b.end))
    live = sorted((b for b in asked if b.start <= step < b.end), key=lambda b: -b.size)
    shown = [f"{buffers[int(str(b.id))].label.data} {b.size}" for b in live]
    more = [f"{len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
    return f"at step {step} ('{names[step]}') are alive {', '.join(shown[:SHOWN] + more)}"
