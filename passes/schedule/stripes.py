"""The schedule of layers that run depth-first: steps over rows and columns of the last output, all layers in each.

sched.loop %y = 0 to 57 step 1 {
sched.copy %x to %x.rows ... holding <rows, columns>
sched.loop %z ... { sched.compute "conv1" on %x.rows, %a.rows, ... }
sched.loop %z ... { sched.compute "conv2" on %a.rows, %y.rows, ... }
sched.copy %y.rows to %y ... holding <rows, columns>
}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Block, SSAValue

from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, LoopOp, Slice, SlicesAttr, buffer_of
from dnnc.passes.analysis.group import Group
from dnnc.passes.analysis.group_operands import UI8
from dnnc.passes.analysis.step_plan import Plan, Share


@dataclass(frozen=True)
class Stored:
    """A layer of the stack: its group, and the buffers off chip of its weights, records and table."""

    op: GroupOp
    group: Group
    stored: Mapping[str, SSAValue]


class Stripes:
    """Emits the steps of one stack; `outside` has where the tensors lie that it does not make or that others read.

    Those that stay on chip are read and written there, those off chip come and go by rows.
    """

    def __init__(self, plan: Plan, parts: Sequence[Stored], outside: Mapping[int, SSAValue], block: Block) -> None:
        self.cut, self.plan, self.parts, self.outside, self.block = plan.cut, plan, parts, outside, block
        self.stack = plan.cut.stack
        down, across = plan.cut.steps
        trips = {"n": self.stack.images, "x": across, "y": down}
        self.loops = {name: LoopOp(n, 1, name) for name, n in trips.items() if n > 1}
        self.body = block
        self.tensors: dict[int, SSAValue] = {t: v for t, v in outside.items() if buffer_of(v).on_chip}
        self.whole = frozenset(self.tensors)

    def emit(self) -> None:
        """Add the steps to the block."""
        if self.cut.rolls:
            self._declare(self.block)
        kept = [self._kept(part, share) for part, share in zip(self.parts, self.plan.shares)]
        for loop in self.loops.values():
            self.body.add_op(loop)
            self.body = loop.body.block
        if not self.cut.rolls:
            self._declare(self.body)
        for i, buffers in enumerate(kept):
            # what only later layers read may lie where earlier ones work
            for tensor, info in enumerate(self.stack.tensors):
                if info.loaded and self.stack.alive[tensor][0] == i:
                    self._stream(tensor, self.outside[tensor], self.tensors[tensor])
            self._layer(i, buffers)
        last = self.stack.members[-1].out
        self._stream(last, self.tensors[last], self.outside[last])

    # Tensors

    def _declare(self, block: Block) -> None:
        for tensor, info in enumerate(self.stack.tensors):
            if tensor in self.whole:
                continue
            first = self.parts[self.stack.alive[tensor][0]]
            element = first.group.source if info.loaded else first.group.result
            rows, columns = self.cut.held(tensor, self.plan.ahead)
            label = f"{first.group.layer.name}.{'input' if info.loaded else 'output'}"
            buffer = BufferOp(label, "input", element.storage, (rows, info.channels, columns))
            block.add_op(buffer)
            self.tensors[tensor] = buffer.result

    def _axis(self, axis: int, base: int, size: int, extent: int, step: int) -> Slice:
        name = "yx"[axis]
        if name not in self.loops:
            return Slice(base, size, extent)
        early = self.cut.early * step if axis == 0 else 0
        return Slice(base - early, size, extent, step, list(self.loops).index(name))

    def _rows(self, tensor: int, offset: int = 0, count: int | None = None) -> Slice:
        """Rows that a step makes of a tensor, or some of them."""
        reach, used = self.cut.reach[0][tensor], self.stack.used[tensor][0]
        size = reach.high - reach.fresh
        return self._axis(
            0, reach.fresh + offset, min(size - offset, size if count is None else count), used, reach.step
        )

    def _columns(self, tensor: int) -> Slice:
        reach, used = self.cut.reach[1][tensor], self.stack.used[tensor][1]
        return self._axis(1, reach.low, reach.size, used, reach.step)

    def _holding(self, tensor: int) -> SlicesAttr:
        rows = Slice.whole(self.stack.used[tensor][0]) if self.cut.rolls else self._rows(tensor)
        return SlicesAttr((rows, self._columns(tensor)))

    def _stream(self, tensor: int, source: SSAValue, target: SSAValue) -> None:
        if tensor in self.whole:
            return
        n = Slice(0, 1, self.stack.images, 1, 0) if "n" in self.loops else Slice.whole(1)
        parts = (n, Slice.whole(self.stack.tensors[tensor].channels), self._rows(tensor), self._columns(tensor))
        copy = CopyOp(source, target, self._indices(), SlicesAttr(parts), self._holding(tensor))
        copy.location = self.parts[self.stack.alive[tensor][0]].op.location
        self.body.add_op(copy)

    def _indices(self, *inner: LoopOp) -> list[SSAValue]:
        return [loop.index for loop in (*self.loops.values(), *inner)]

    # Layers

    def _kept(self, part: Stored, share: Share) -> dict[str, BufferOp]:
        """Buffers filled once, before all steps."""
        wanted = {"weight": share.weights, "parameter": share.records, "table": "resident"}
        if share.records == "whole":
            wanted["table"] = "whole"
        found = {
            role: self._constant(part, share, role, True)
            for role, how in wanted.items()
            if how == "resident" and role in part.stored
        }
        for role, buffer in found.items():
            self._fill(self.block, part, share, role, buffer, {})
        return found

    def _constant(self, part: Stored, share: Share, role: str, whole: bool) -> BufferOp:
        layer = part.group.layer
        inner = layer.C if layer.kind == "dense" else 1
        if role == "table":
            return BufferOp(f"{layer.name}.table", "parameter", UI8, (layer.table_bytes,))
        if role == "parameter":
            return BufferOp(
                f"{layer.name}.parameter",
                role,
                UI8,
                (layer.records if whole else share.channels, layer.record),
                1 if whole else 2,
            )
        shape = (
            (layer.groups * layer.M, inner, layer.taps)
            if whole
            else (share.channels, min(inner, share.reduction), layer.taps)
        )
        return BufferOp(f"{layer.name}.weight", role, IntegerType(8), shape, 1 if whole else share.copies)

    def _fill(
        self, block: Block, part: Stored, share: Share, role: str, buffer: BufferOp, inner: dict[str, LoopOp]
    ) -> None:
        """Declare a constant's buffer, if it is new, and load it."""
        if buffer.parent is None:
            block.add_op(buffer)
        layer, whole = part.group.layer, Slice.whole
        tiled = (role == "weight" and share.weights == "tile") or (role == "parameter" and share.records == "tile")
        g, z, k = (self._inner(inner, name, *of) for name, of in self._spans(part, share).items())
        outer = (g, z) if tiled else (whole(layer.groups), whole(layer.M))
        if role == "table":
            slices: tuple[Slice, ...] = (whole(layer.table_bytes),)
        elif role == "parameter":
            slices = (
                (whole(layer.records), whole(layer.record)) if layer.kind == "none" else (*outer, whole(layer.record))
            )
        else:
            depth = whole(1) if layer.kind != "dense" else k if tiled else whole(layer.C)
            slices = (*outer, depth, whole(layer.taps))
        indices = self._indices(*inner.values()) if tiled else []
        if not tiled and block is not self.block:
            indices = self._indices()
        copy = CopyOp(part.stored[role], buffer.result, indices, SlicesAttr(slices))
        copy.location = part.op.location
        block.add_op(copy)

    def _spans(self, part: Stored, share: Share) -> dict[str, tuple[int, int]]:
        """(size, extent) of the tile along groups, channels and summed channels."""
        layer = part.group.layer
        depth = (share.reduction, layer.C) if layer.kind == "dense" else (1, 1)
        return {"g": (1, layer.groups), "z": (share.channels, layer.M), "k": depth}

    def _inner(self, inner: dict[str, LoopOp], name: str, size: int, extent: int) -> Slice:
        if name not in inner:
            return Slice(0, min(size, extent), extent)
        return Slice(0, size, extent, 1, len(self.loops) + list(inner).index(name))

    def _layer(self, i: int, kept: dict[str, BufferOp]) -> None:
        """The loops of one layer within a step."""
        part, share, member = self.parts[i], self.plan.shares[i], self.stack.members[i]
        buffers, spans = dict(kept), self._spans(part, share)
        inner: dict[str, LoopOp] = {}
        for role, how in (("weight", share.weights), ("parameter", share.records), ("table", share.records)):
            if role in part.stored and role not in buffers:
                buffers[role] = self._constant(part, share, role, how == "whole")
                self.body.add_op(buffers[role])
                if how == "whole":
                    self._fill(self.body, part, share, role, buffers[role], inner)
        if part.group.layer.kind != "none":
            buffers["accumulator"] = self._sums(i)
            self.body.add_op(buffers["accumulator"])
        block = self.body
        for name in ("g", "z"):
            block = self._enter(block, inner, name, *spans[name])
        split = spans["k"][0] < spans["k"][1]
        for role, how in (("parameter", share.records), ("weight", share.weights)):
            if how == "tile" and role in part.stored and not (role == "weight" and split):
                self._fill(block, part, share, role, buffers[role], inner)
        reach = self.cut.reach[0][member.out]
        for offset in range(0, reach.high - reach.fresh, share.rows):
            here, loops = block, dict(inner)
            here = self._enter(here, loops, "k", *spans["k"])
            if split and share.weights == "tile":
                self._fill(here, part, share, "weight", buffers["weight"], loops)
            here.add_op(self._compute(i, offset, buffers, loops))

    def _enter(self, block: Block, inner: dict[str, LoopOp], name: str, size: int, extent: int) -> Block:
        if size >= extent:
            return block
        inner[name] = LoopOp(extent, size, name)
        block.add_op(inner[name])
        return inner[name].body.block

    def _sums(self, i: int) -> BufferOp:
        layer, share = self.parts[i].group.layer, self.plan.shares[i]
        columns = self.cut.held(self.stack.members[i].out)[1]
        shape = [
            min((n - 1) * layer.pool.stride[axis] + layer.pool.extent[axis], layer.sums[axis])
            for axis, n in enumerate((share.rows, columns))
        ]
        return BufferOp(
            f"{layer.name}.accumulator", "accumulator", IntegerType(32), (share.channels, *shape), share.sums_copies
        )

    def _compute(self, i: int, offset: int, buffers: dict[str, BufferOp], inner: dict[str, LoopOp]) -> ComputeOp:
        part, share, member = self.parts[i], self.plan.shares[i], self.stack.members[i]
        roles = {"input": member.x, "output": member.out} | (
            {"second": member.second} if member.second is not None else {}
        )
        tiles = {role: self.tensors[t] for role, t in roles.items() if t is not None}
        tiles |= {role: buffer.result for role, buffer in buffers.items()}
        spans = self._spans(part, share)
        n = Slice(0, 1, self.stack.images, 1, 0) if "n" in self.loops else Slice.whole(1)
        g, z, k = (self._inner(inner, name, *of) for name, of in spans.items())
        slices = SlicesAttr((n, g, z, self._rows(member.out, offset, share.rows), k))
        body = part.op.body.clone()
        for old, new in zip(part.op.body.block.ops, body.block.ops):
            new.location = old.location
        parted = {role: t for role, t in roles.items() if role == "output" or t not in self.whole}
        holding = {role: self._holding(t) for role, t in parted.items() if t is not None}
        compute = ComputeOp(part.group.layer.name, tiles, self._indices(*inner.values()), slices, body, holding)
        compute.location = part.op.location
        return compute
