"""Memory spaces as planned: who lies where, from which step to which, the peak, and the least any plan could need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from xdsl.dialects.builtin import ModuleOp

from dnnc.ir.arch import Accelerator, of_module
from dnnc.ir.diagnostics import short
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.elementwise import Elementwise
from dnnc.ir.dnn.integer import QMulOp, Sum, TableOp
from dnnc.ir.dnn.quantize import Conversion
from dnnc.ir.sched import BufferOp, ComputeOp, buffer_of
from dnnc.passes.analysis.allocate import plan
from dnnc.passes.analysis.allocation import Buffer, lower_bound
from dnnc.passes.analysis.footprint import buffer_bytes, pitch
from dnnc.passes.analysis.liveness import Lifetimes, lifetimes
from dnnc.passes.analysis.tiling import ALIGN

KEPT = ("weights", "parameters", "inputs", "outputs")
"""Spaces whose buffers live through the whole program."""


@dataclass(frozen=True)
class Occupant:
    """A buffer in its place: `size` bytes from `offset` on, during the steps [start, end); `spare` bytes are second copies.

    `over` names the buffer it is written over, which is shown until then.
    """

    label: str
    size: int
    start: int
    end: int
    offset: int
    spare: int = 0
    over: str = ""


@dataclass(frozen=True)
class Space:
    """A memory, or a region of one, over the steps of a program.

    `capacity` is None where nothing bounds it; `proved` is the least bytes any placement of these buffers could need. In the
    steps `pointwise` an element made depends on elements at its own place alone.
    """

    name: str
    on_chip: bool
    capacity: int | None
    steps: tuple[str, ...]
    occupants: tuple[Occupant, ...]
    lower_bound: int
    proved: int
    pointwise: frozenset[int] = frozenset()

    @cached_property
    def bytes(self) -> int:
        """The highest byte reached."""
        return max((o.offset + o.size for o in self.occupants if o.start < o.end), default=0)

    @property
    def status(self) -> str:
        """`optimal` when no placement could need less, else `feasible`."""
        return "optimal" if self.bytes <= self.proved else "feasible"

    @cached_property
    def live_bytes(self) -> list[int]:
        """Bytes alive at each step."""
        change = [0] * (len(self.steps) + 1)
        for o in self.occupants:
            change[o.start] += o.size
            change[o.end] -= o.size
        for i in range(1, len(change)):
            change[i] += change[i - 1]
        return change[:-1]

    @property
    def kept(self) -> bool:
        """Whether all of it lives through the whole program."""
        return self.name in KEPT

    @property
    def peak(self) -> str:
        """When it is fullest, in words."""
        return "all steps" if self.kept else f"step {self.peak_step} '{short(self.steps[self.peak_step])}'"

    @property
    def peak_step(self) -> int:
        """The first step with the most bytes alive."""
        return max(range(len(self.steps)), key=self.live_bytes.__getitem__, default=0)

    def live(self, step: int) -> list[Occupant]:
        """Who is alive at a step, largest first."""
        return sorted((o for o in self.occupants if o.start <= step < o.end), key=lambda o: (-o.size, o.offset))


def by_memory(module: ModuleOp, arch: Accelerator) -> dict[tuple[bool, str], list[BufferOp]]:
    """The buffers of each memory of the target and of each DRAM space, by (on chip, name)."""
    found: dict[tuple[bool, str], list[BufferOp]] = {}
    for op in module.walk():
        if isinstance(op, BufferOp):
            name = arch.holding(op.space.data).name if op.on_chip else op.space.data
            found.setdefault((op.on_chip, name), []).append(op)
    return found


def capacity_of(arch: Accelerator, on_chip: bool, name: str) -> int | None:
    """Bytes of a memory of the target, or of an arena of its own; None for what lies in DRAM, which bounds all spaces there."""
    if on_chip:
        return next((m.bytes for m in arch.memory if m.name == name), None)
    return (arch.dram.arena_bytes or None) if name == "arena" else None


def wanted(
    buffers: Sequence[BufferOp], times: Lifetimes, on_chip: bool, over: Mapping[BufferOp, BufferOp] | None = None
) -> list[Buffer]:
    """What each buffer asks of its space: bytes, steps, alignment; those that are kept live to the end.

    One written over another (`over`) asks for the same bytes, for as long as either lives.
    """
    number, end = {b: i for i, b in enumerate(buffers)}, max(1, len(times.steps(on_chip)))
    found: dict[int, Buffer] = {}
    for b in buffers:
        i, (start, stop) = number[root(b, over or {})], (0, end) if b.space.data in KEPT else times.spans.get(b, (0, 0))
        one = found.get(i, Buffer(i, buffer_bytes(b), start, stop, ALIGN))
        found[i] = replace(one, start=min(one.start, start), end=max(one.end, stop))
    return list(found.values())


def arranged(
    buffers: Sequence[BufferOp], times: Lifetimes, on_chip: bool, over: Mapping[BufferOp, BufferOp]
) -> tuple[list[Buffer], Mapping[BufferOp, BufferOp]]:
    """(what buffers ask for, which is written over which): all of `over` where fewer bytes place them so, else none."""
    apart, shared = wanted(buffers, times, on_chip), wanted(buffers, times, on_chip, over) if over else []
    return (shared, over) if over and plan(shared).peak < plan(apart).peak else (apart, {})


def root(buffer: BufferOp, over: Mapping[BufferOp, BufferOp]) -> BufferOp:
    """The first of the buffers written over each other that a buffer lies with."""
    while buffer in over:
        buffer = over[buffer]
    return buffer


def spaces_of(module: ModuleOp) -> list[Space]:
    """The spaces of a placed module, those on chip first."""
    arch, times = of_module(module), lifetimes(module)
    found = [_space(key, buffers, arch, times) for key, buffers in by_memory(module, arch).items()]
    alone = frozenset(
        max(times.spans[buffer_of(tile)][0] for tile in op.tiles)
        for op in module.walk()
        if isinstance(op, ComputeOp) and _pointwise(op)
    )
    marked = (replace(s, pointwise=alone if s.on_chip else frozenset(2 * i + 1 for i in alone)) for s in found)
    return sorted(marked, key=lambda s: not s.on_chip)


def _pointwise(op: ComputeOp) -> bool:
    body = [o for o in op.body.block.ops if isinstance(o, DnnOp)]
    return all(isinstance(o, Elementwise | Conversion | Sum | QMulOp | TableOp) for o in body)


def _space(key: tuple[bool, str], buffers: list[BufferOp], arch: Accelerator, times: Lifetimes) -> Space:
    over = {b: below for b in buffers if (below := b.below) is not None}
    asked, end = wanted(buffers, times, key[0], over), len(times.steps(key[0]))
    spans = {b: (0, end) if b.space.data in KEPT else times.spans.get(b, (0, 0)) for b in buffers}
    # the bytes are those of the buffer written last
    spans |= {below: (spans[below][0], spans[b][0]) for b, below in over.items()}
    occupants = tuple(_occupant(b, span) for b, span in spans.items() if span[0] < span[1])
    return space(key[1], key[0], capacity_of(arch, *key), times.steps(key[0]), occupants, asked)


def space(
    name: str,
    on_chip: bool,
    capacity: int | None,
    names: tuple[str, ...],
    occupants: tuple[Occupant, ...],
    asked: Sequence[Buffer],
) -> Space:
    """A space, with the least bytes proved for what its buffers ask; searched for only where the plan is above the bound."""
    bound = lower_bound(asked)
    found = Space(name, on_chip, capacity, names or ("",), occupants, bound, bound)
    return found if found.bytes <= bound else replace(found, proved=plan(asked).least)


def _occupant(op: BufferOp, span: tuple[int, int]) -> Occupant:
    offset = op.offset.data if op.offset is not None else 0
    spare, below = (op.copies.data - 1) * pitch(op), op.below
    return Occupant(op.label.data, buffer_bytes(op), *span, offset, spare, below.label.data if below else "")
