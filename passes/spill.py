"""Values that a bounded arena has no room for go to DRAM, by copies of their own or from the start.

sched.copy %a.tile to %a          sched.copy %a.tile to %a
                            ->    sched.copy %a to %a.spill, through the chip
sched.copy %a to %b.tile          sched.copy %a.spill to %b.tile
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import MemRefType, ModuleOp, UnknownLoc
from xdsl.ir import Block, Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.arch import Accelerator, of_module
from dnnc.ir.diagnostics import Remark
from dnnc.ir.dnn.attributes import Word
from dnnc.ir.dnn.movement import Strided
from dnnc.ir.sched import BufferOp, CopyOp, ViewOp, buffer_of, layout_of
from dnnc.ir.types import bits
from dnnc.passes.analysis.allocate import pack, smallest
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.analysis.in_place import in_place
from dnnc.passes.analysis.liveness import Lifetimes, lifetimes
from dnnc.passes.analysis.sections import Section, sections
from dnnc.passes.analysis.spaces import arranged, by_memory
from dnnc.passes.analysis.spilling import Spills, Stay, Touch, Value, least_spills
from dnnc.passes.analysis.traffic import bus_bytes, copy_bytes
from dnnc.passes.schedule.moves import Mover

ARENA = (False, "arena")
ROUNDS = 4
"""How often less room is asked for when values that fit step by step find no places."""


@dataclass(frozen=True)
class SpillPass(ModulePass):
    """Spill values between layers where the target's arena is bounded (`dram.arena_bytes`) and too small for all of them.

    Chosen is what moves the fewest bytes beyond the arena, those of whole bursts: a value is written there and read there, or
    copied out after a use and, where it is read again and again, back before one. A remark tells what was spilled.
    """

    name = "spill"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        arch, capacity = of_module(op), of_module(op).dram.arena_bytes
        if not capacity or _short(op, arch, capacity) <= 0:
            return
        candidates = _Candidates(op, arch)
        found = _placeable(op, arch, capacity, candidates.values)
        _Spiller(op, arch).spill(found)
        moved = sum(copy_bytes(c) for c in op.walk() if isinstance(c, CopyOp) and _outside(c).space.data == "spill")
        warnings.warn(_remark(candidates, found, capacity, moved), Remark, stacklevel=2)


def _placeable(module: ModuleOp, arch: Accelerator, capacity: int, values: Sequence[Value]) -> Spills:
    """The least spills after which what stays finds places; all values where several rounds find none.

    Where values are written over others more fits than is alive, so that more room than there is is asked for first.
    """
    shared = max(0, _together(values) - capacity - _short(module, arch, capacity))
    for room in dict.fromkeys((capacity + shared, capacity)):
        found = _placed_within(module, arch, capacity, values, room)
        if found is not None:
            return replace(found, proved=found.proved and not in_place(module))
    return least_spills(values, 0)


def _together(values: Sequence[Value]) -> int:
    """Most bytes that are alive in one step."""
    lives = [(v.touches[0].steps[0], v.touches[-1].steps[1], v.size) for v in values]
    return max((sum(size for a, b, size in lives if a <= at <= b) for at, _, _ in lives), default=0)


def _placed_within(
    module: ModuleOp, arch: Accelerator, capacity: int, values: Sequence[Value], room: int
) -> Spills | None:
    """The least spills that leave so much room, or less, after which what stays finds places."""
    asked = room
    for _ in range(ROUNDS):
        found, trial = least_spills(values, room), module.clone()
        _Spiller(trial, arch).spill(found)
        short = _short(trial, arch, capacity)
        if short <= 0:
            return replace(found, proved=found.proved and room == asked)
        room = max(0, room - short)
    return None


def _short(module: ModuleOp, arch: Accelerator, capacity: int) -> int:
    """Bytes that the arena lacks: 0 when its buffers find places."""
    buffers = by_memory(module, arch).get(ARENA, [])
    asked, _ = arranged(buffers, lifetimes(module), False, in_place(module))
    return 0 if pack(asked, capacity).offsets is not None else smallest(asked).peak - capacity


class _Candidates:
    """The buffers of the arena as values, with the copies that touch them by section."""

    def __init__(self, module: ModuleOp, arch: Accelerator) -> None:
        self.burst, times = arch.dma.burst_bytes, lifetimes(module)
        self.sections = sections(module, times)
        self.touches: dict[BufferOp, dict[int, list[CopyOp]]] = {}
        for number, section in enumerate(self.sections):
            for copy in section.copies():
                outside = _outside(copy)
                if outside.space.data == "arena":
                    self.touches.setdefault(outside, {}).setdefault(number, []).append(copy)
        self.values = [_value(b, [self._touch(n, at[n], times) for n in at]) for b, at in self.touches.items()]

    def _touch(self, number: int, copies: Sequence[CopyOp], times: Lifetimes) -> Touch:
        """What a section does to a value."""
        first, end = self.sections[number].steps
        spans = [times.copies[c] for c in copies]
        during = min(a for a, _ in spans), max(b for _, b in spans) - 1
        moved, writes = sum(bus_bytes(c, self.burst) for c in copies), any(not c.loads for c in copies)
        return Touch(number, moved, writes, during, (2 * first, 2 * end))


def _outside(copy: CopyOp) -> BufferOp:
    return buffer_of(copy.source if copy.loads else copy.target)


def _value(buffer: BufferOp, touches: Sequence[Touch]) -> Value:
    type_ = buffer.result.type
    assert isinstance(type_, MemRefType)
    return Value(buffer_bytes(buffer), tuple(touches), bits(type_.element_type) == 8)


class _Spiller:
    """Rewrites a schedule so that values stay where they were chosen to."""

    def __init__(self, module: ModuleOp, arch: Accelerator) -> None:
        self.arch, self.candidates = arch, _Candidates(module, arch)

    def spill(self, found: Spills) -> None:
        """Do what was found for every value."""
        for (buffer, at), value, stay in zip(self.candidates.touches.items(), self.candidates.values, found.stays):
            self._value(buffer, list(at.items()), value, stay)

    def _value(self, buffer: BufferOp, at: Sequence[tuple[int, list[CopyOp]]], value: Value, stay: Stay) -> None:
        beyond = buffer
        if not stay.intervals or stay.intervals[0][0] > 0:
            buffer.space = Word("spill")
        elif stay.leaves(value):
            left = at[stay.intervals[0][1]][0]
            beyond = self._copied(buffer, "spill", "spill", after=self.candidates.sections[left])
        inside = {i for first, last in stay.intervals for i in range(first, last + 1)}
        for i, (_, copies) in enumerate(at):
            if i not in inside:
                _read(copies, beyond)
        for first, last in stay.intervals:
            if first > 0:
                back = self._copied(beyond, "arena", "reload", before=self.candidates.sections[at[first][0]])
                for _, copies in at[first : last + 1]:
                    _read(copies, back)

    def _copied(
        self, source: BufferOp, space: str, step: str, after: Section | None = None, before: Section | None = None
    ) -> BufferOp:
        """A copy of a buffer in another space, made after a section or before one."""
        name, type_ = source.label.data.removesuffix(".spill"), source.result.type
        assert isinstance(type_, MemRefType)
        target = BufferOp(f"{name}.{step}", space, type_.element_type, type_.get_shape())
        made, row = Block([target]), Strided.rows((prod(type_.get_shape()),))
        Mover(self.arch, made).move(target.label.data, UnknownLoc(), source.result, row, target.result, row)
        ops = list(made.ops)
        for op in ops:
            op.detach()
        point = InsertPoint.after(after.ops[-1]) if after else InsertPoint.before(before.ops[0])  # pyright: ignore
        Rewriter.insert_op(ops, point)
        return target


def _read(copies: Sequence[CopyOp], buffer: BufferOp) -> None:
    """Let copies move to and from another buffer, the same part of it."""
    for copy in copies:
        side = 0 if copy.loads else 1
        place = copy.operands[side]
        if buffer_of(place) is buffer:
            continue
        if isinstance(place.owner, ViewOp):
            view = ViewOp(buffer.result, layout_of(place))
            Rewriter.insert_op(view, InsertPoint.before(_outermost(copy)))
            copy.operands[side] = view.result
        else:
            copy.operands[side] = buffer.result


def _outermost(op: Operation) -> Operation:
    """The operation of @main that another is in."""
    while isinstance(parent := op.parent_op(), Operation) and parent.name != "func.func":
        op = parent
    return op


def _remark(candidates: _Candidates, found: Spills, capacity: int, moved: int) -> str:
    """What was spilled: names and bytes."""
    names = [b.label.data for b, s, v in zip(candidates.touches, found.stays, candidates.values) if _spilled(s, v)]
    proof = "the fewest" if found.proved else "the fewest found"
    taken, copied = found.cost
    return (
        f"arena: {', '.join(_shown(names))} spilled to DRAM, since at most {capacity} bytes can be in use at once: {moved} bytes "
        f"move there in bursts of {taken} bytes together ({proof}), {copied} bytes by copies."
    )


def _spilled(stay: Stay, value: Value) -> bool:
    return stay.intervals != ((0, len(value.touches) - 1),)


def _shown(names: Sequence[str], most: int = 8) -> Iterator[str]:
    yield from names[:most]
    if len(names) > most:
        yield f"{len(names) - most} more"
