"""Which buffers off chip may be written over one that dies: no byte is read once it has been written.

A loop that loads %x and stores %y tile by tile is run through, transfer by transfer, as if both lay at the same place. What
holds there holds on the machine as well: a store follows the loads of what it is made of, and loads that run ahead of it
touch other bytes. What is not loaded and stored by one loop needs no proof: it is not alive at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.dialects.builtin import MemRefType, ModuleOp
from xdsl.ir import Operation, SSAValue

from dnnc.ir.dnn.movement import Strided
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, LoopOp, layout_of
from dnnc.ir.types import bits
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.analysis.group import group_of
from dnnc.passes.analysis.layer import AXES
from dnnc.passes.analysis.liveness import sides

ROLES = ("input", "output", "second")
"""Tiles of tensors that a layer reads and makes."""


@dataclass(frozen=True)
class Overwriting:
    """A loop that may store a buffer over any of some that it loads."""

    loop: LoopOp
    made: BufferOp
    read: tuple[BufferOp, ...]


def overwritings(module: ModuleOp) -> Iterator[Overwriting]:
    """Every loop of a schedule with what it may store over what it loads, should that die there."""
    stored = _stored(module)
    for loop in main_function(module).body.block.ops:
        if not isinstance(loop, LoopOp):
            continue
        copies = [c for c in loop.walk() if isinstance(c, CopyOp)]
        loaded = dict.fromkeys(sides(c)[0] for c in copies if c.loads)
        made = dict.fromkeys(sides(c)[0] for c in copies if not c.loads)
        for y in (b for b in made if b.space.data == "arena" and stored[b] == {loop}):
            alike = [x for x in loaded if x.space.data == "arena" and x not in made and _alike(x, y)]
            found = _Trial(loop, y, alike, copies).passed() if alike else ()
            if found:
                yield Overwriting(loop, y, found)


def in_place(module: ModuleOp) -> dict[BufferOp, BufferOp]:
    """By buffer the one that it can be written over: the first that dies in the loop it is made in."""
    last: dict[BufferOp, Operation] = {}
    for op in main_function(module).body.block.ops:
        last |= {sides(c)[0]: op for c in op.walk() if isinstance(c, CopyOp)}
    found: dict[BufferOp, BufferOp] = {}
    for each in overwritings(module):
        dying = [x for x in each.read if last[x] is each.loop and x not in found.values()]
        if dying:
            found[each.made] = dying[0]
    return found


def _stored(module: ModuleOp) -> dict[BufferOp, set[Operation]]:
    """The operations of the schedule's block that store each buffer."""
    found: dict[BufferOp, set[Operation]] = {}
    for op in main_function(module).body.block.ops:
        for copy in op.walk():
            if isinstance(copy, CopyOp) and not copy.loads:
                found.setdefault(sides(copy)[0], set()).add(op)
    return found


def _alike(x: BufferOp, y: BufferOp) -> bool:
    return buffer_bytes(x) == buffer_bytes(y) and _element_bits(x.result) == _element_bits(y.result)


def _element_bits(value: SSAValue) -> int:
    assert isinstance(value.type, MemRefType)
    return bits(value.type.element_type)


class _Trial:
    """A loop run through with one buffer written over others."""

    def __init__(self, loop: LoopOp, made: BufferOp, read: Iterable[BufferOp], copies: Iterable[CopyOp]) -> None:
        self.loop, self.made, self.read = loop, made, list(read)
        self.copies = [c for c in copies if sides(c)[0] is made or sides(c)[0] in self.read]
        self.around = {parent for c in self.copies for parent in _around(c)}
        self.strides = {c: _strides(c, loop) for c in self.copies}

    def passed(self) -> tuple[BufferOp, ...]:
        """The buffers no element of which is read where one has been written."""
        if any(self.strides[c] is None for c in self.copies if not c.loads):
            return ()
        safe = {x for x in self.read if all(self.strides[c] is not None for c in self.copies if sides(c)[0] is x)}
        written = np.zeros(prod(layout_of(self.made.result).shape), np.bool_)
        for copy, env in self._runs(self.loop, {}):
            x = sides(copy)[0]
            if x is not self.made and x not in safe:
                continue
            box = self._box(copy, env)
            if not copy.loads:
                box.of(written)[...] = True
            elif box.of(written).any():
                safe.discard(x)
        return tuple(x for x in self.read if x in safe)

    def _runs(self, op: Operation, env: Mapping[SSAValue, int]) -> Iterator[tuple[CopyOp, Mapping[SSAValue, int]]]:
        """The copies in the order they run, with the values of the loops around them."""
        if isinstance(op, CopyOp):
            yield op, env
        elif isinstance(op, LoopOp):
            body = [inner for inner in op.body.block.ops if inner in self.around or inner in self.strides]
            for value in op.values if body else ():
                for inner in body:
                    yield from self._runs(inner, {**env, op.index: value})

    def _box(self, copy: CopyOp, env: Mapping[SSAValue, int]) -> Strided:
        """The elements a run of a copy touches."""
        values, strides = [env[i] for i in copy.indices], self.strides[copy]
        assert strides is not None
        at = [s.at(values[s.loop] if s.loop >= 0 else 0) for s in copy.slices.data]
        offset = strides.offset + sum(first * stride for (first, _), stride in zip(at, strides.strides))
        return Strided(tuple(count for _, count in at), strides.strides, offset)


def _around(copy: CopyOp) -> Iterator[Operation]:
    parent = copy.parent_op()
    while isinstance(parent, LoopOp):
        yield parent
        parent = parent.parent_op()


def _strides(copy: CopyOp, loop: LoopOp) -> Strided | None:
    """Offset and strides, one a slice, of what a copy moves off chip; None where they are not known."""
    layout = layout_of(copy.source if copy.loads else copy.target)
    tile = sides(copy)[1]
    user = next((c for c in loop.walk() if isinstance(c, ComputeOp) and any(t.owner is tile for t in c.tiles)), None)
    if user is None or copy.holding is not None:
        return layout if len(layout.strides) == len(copy.slices.data) else None
    role = next(r.data for r, t in zip(user.roles, user.tiles) if t.owner is tile)
    layer = group_of(user.body.block, user.label.data, user.location).layer
    strides = layer.strides(role, layout) if role in ROLES else None
    return Strided(layout.shape, tuple(strides[a] for a in AXES), layout.offset) if strides else None
