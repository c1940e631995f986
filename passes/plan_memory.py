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

from dnnc.ir.arch import REACH, Accelerator, of_module
from dnnc.ir.diagnostics import Collector, Finding
from dnnc.ir.dnn.attributes import Int
from dnnc.ir.sched import BufferOp
from dnnc.passes.analysis.allocate import Packing, plan, smallest
from dnnc.passes.analysis.allocation import Buffer, MemPlan
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.analysis.in_place import in_place
from dnnc.passes.analysis.liveness import lifetimes
from dnnc.passes.analysis.prefetch import apart
from dnnc.passes.analysis.solvers import SOLVERS
from dnnc.passes.analysis.spaces import arranged, by_memory, capacity_of, root

SHOWN = 8
"""Buffers an error names."""

FILLED = ("weight", "parameter")
"""Spaces on chip whose buffers loads fill with constants."""


@dataclass(frozen=True)
class PlanMemoryPass(ModulePass):
    """Place buffers: best-fit skyline and first-fit, and where these do not fit, an exact search.

    `solver` is what searches then: built-in, cp-sat (OR-Tools) or minimalloc (its program on the path). A memory that is too
    small is an error with the step, who is alive there, and the smallest memory that would do.
    """

    name = "plan-memory"
    solver: Literal["built-in", "cp-sat", "minimalloc"] = "built-in"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        arch, times, problems = of_module(op), lifetimes(op), Collector()
        for (on_chip, memory), buffers in by_memory(op, arch).items():
            over = in_place(op) if memory == "arena" else {}
            asked, over = arranged(buffers, times, on_chip, over)
            capacity = capacity_of(arch, on_chip, memory)
            roles = [b.space.data for b in buffers] if on_chip else []
            offsets, packing = self._placed(asked, roles, capacity)
            if packing is not None and packing.offsets is None:
                names = times.steps(on_chip)
                problems.unsupported.append(_too_small(memory, capacity or 0, asked, buffers, names, packing))
            elif far := _out_of_reach(asked, roles, offsets):
                problems.unsupported.append(_too_far(memory, roles[far[0]], [buffers[i].label.data for i in far]))
            _place(buffers, offsets, over)
        problems.unsupported += _dram_short(op, arch)
        problems.raise_if_any()

    def _placed(
        self, asked: Sequence[Buffer], roles: Sequence[str], capacity: int | None
    ) -> tuple[Mapping[Hashable, int], Packing | None]:
        """Offsets, and what became of the search; where addresses do not reach so far, a role lies over the other."""
        offsets, packing = self._packed(asked, roles, capacity)
        if capacity is None or not _out_of_reach(asked, roles, offsets):
            return offsets, packing
        layered, base = dict[Hashable, int](), 0
        for reach in sorted({_reach(r, capacity) for r in roles}):
            part = [(b, r) for b, r in zip(asked, roles) if _reach(r, capacity) == reach]
            early = [r if reach == capacity else "" for _, r in part]  # what lies below is packed tightly
            found, failed = self._packed([b for b, _ in part], early, min(reach, capacity - base))
            if failed is not None and failed.offsets is None:
                return offsets, packing
            layered |= {i: base + offset for i, offset in found.items()}
            base = max(layered[b.id] + -(-b.size // b.align) * b.align for b, _ in part)
        return layered, None

    def _packed(
        self, asked: Sequence[Buffer], roles: Sequence[str], capacity: int | None
    ) -> tuple[Mapping[Hashable, int], Packing | None]:
        """Offsets, and what became of the search where the quick plan is above the capacity."""
        filled = [b.id for b, role in zip(asked, roles) if role in FILLED]
        if capacity is not None and (early := apart(asked, filled, capacity)) is not None:
            return early, None
        quick = plan(asked)
        if capacity is None or quick.peak <= capacity:
            return quick.offsets, None
        packing = SOLVERS[self.solver](asked, capacity)
        return packing.offsets or quick.offsets, packing


def _reach(role: str, capacity: int) -> int:
    return min(REACH.get(role, capacity), capacity)


def _out_of_reach(asked: Sequence[Buffer], roles: Sequence[str], offsets: Mapping[Hashable, int]) -> list[int]:
    """The buffers, by number, that do not lie where the addresses of their role reach."""
    ends = (offsets[b.id] + b.size for b in asked)
    return [i for i, (role, end) in enumerate(zip(roles, ends)) if end > REACH.get(role, end)]


def _too_far(memory: str, role: str, names: Sequence[str]) -> Finding:
    shown = [*names[:SHOWN], *([f"{len(names) - SHOWN} more"] if len(names) > SHOWN else [])]
    text = f"{role}s in its first {REACH[role]} bytes, which instructions reach, were expected, not {', '.join(shown)} above"
    return Finding(memory, f"{text}. Choose a target whose {role}s have a memory of their own.", "E0805")


def _place(buffers: Sequence[BufferOp], offsets: Mapping[Hashable, int], over: Mapping[BufferOp, BufferOp]) -> None:
    """Give every buffer its offset: that of the one it is written over, where it is."""
    number = {b: i for i, b in enumerate(buffers)}
    for buffer in buffers:
        buffer.offset = Int(offsets[number[root(buffer, over)]])
        if buffer in over:
            buffer.lie_over(over[buffer])


def _too_small(
    memory: str,
    capacity: int,
    asked: Sequence[Buffer],
    buffers: Sequence[BufferOp],
    names: Sequence[str],
    packing: Packing,
) -> Finding:
    """What does not fit, whether that is proved, the steps at fault, who is alive there, and the smallest memory that would do."""
    best = smallest(asked)
    proof = "" if packing.status == "infeasible-proved" else ", by a search that met its limit"
    text = f"at most {capacity} bytes in use at once were expected, not {best.peak} ({_least(best)}{proof})"
    crowd = _crowd(asked, buffers, names, capacity)
    return Finding(memory, f"{text}; {crowd}. Choose a target with a larger {memory}.", "E0805")


def _least(best: MemPlan) -> str:
    return "proved minimal" if best.optimal else f"the smallest found; at least {best.least} are needed"


def _crowd(asked: Sequence[Buffer], buffers: Sequence[BufferOp], names: Sequence[str], capacity: int) -> str:
    """The steps with more bytes alive than there are, and the largest buffers of the fullest."""
    alive = [sum(b.size for b in asked if b.start <= s < b.end) for s in range(len(names))]
    step = max(range(len(names)), key=alive.__getitem__)
    live = sorted((b for b in asked if b.start <= step < b.end), key=lambda b: -b.size)
    shown = [f"{buffers[int(str(b.id))].label.data} {b.size}" for b in live]
    more = [f"{len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
    full = [s for s, n in enumerate(alive) if n > capacity]
    short = (
        f"too much is alive at {_ranges(full, names)}"
        if full
        else "no step has too much alive, but no placement fits all"
    )
    return f"{short}; at step {step} ('{names[step]}') {alive[step]} bytes: {', '.join(shown[:SHOWN] + more)}"


def _ranges(steps: Sequence[int], names: Sequence[str]) -> str:
    """Steps in words, those in a row as one."""
    firsts = [s for s in steps if s - 1 not in steps]
    lasts = [s for s in steps if s + 1 not in steps]
    words = [
        f"step {a} ('{names[a]}')" if a == b else f"steps {a} to {b} ('{names[a]}' to '{names[b]}')"
        for a, b in zip(firsts, lasts)
    ]
    return ", ".join(words[:SHOWN] + ([f"{len(words) - SHOWN} more"] if len(words) > SHOWN else []))


def _dram_short(module: ModuleOp, arch: Accelerator) -> list[Finding]:
    """What does not fit in DRAM as a whole; an arena of its own is not in it."""
    sizes: dict[str, int] = {}
    for (on_chip, space), buffers in by_memory(module, arch).items():
        if not on_chip and not (space == "arena" and arch.dram.arena_bytes):
            sizes[space] = max((b.offset.data + buffer_bytes(b) for b in buffers if b.offset), default=0)
    total, most = sum(sizes.values()), arch.dram.bytes
    if total <= most:
        return []
    each = ", ".join(f"{space} {size}" for space, size in sorted(sizes.items(), key=lambda s: -s[1]))
    return [
        Finding(
            "dram", f"at most {most} bytes were expected, not {total}: {each}. Choose a target with more DRAM.", "E0805"
        )
    ]
