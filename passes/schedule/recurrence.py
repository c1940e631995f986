"""The schedule of a loop over states that stays on chip: constants and states once, slices and what is stacked a step.

sched.copy %w to %w.chip
sched.loop %t = 0 to 28 step 1 {
  sched.copy %z to %z.chip at(%t)
  sched.compute "gates" on %h.view, %z.view, %w.chip, ...
  sched.copy %h.chip to %y at(%t)
}
sched.copy %h.chip to %h
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import IntegerType, LocationAttr, TensorType
from xdsl.ir import Block, SSAValue

from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, LoopOp, Slice, SlicesAttr, ViewOp, layout_of
from dnnc.ir.types import QuantType, shape_of
from dnnc.passes.analysis.group_operands import UI8
from dnnc.passes.analysis.recurrence import CONSTANTS, Part, Recurrence, copies, slices_of


@dataclass(frozen=True)
class Outside:
    """Buffers off chip, or parts of them: of the values that come in by argument of the body, of the results, of what each
    layer loads by role; and the name of each layer.
    """

    arguments: Mapping[SSAValue, SSAValue]
    results: Sequence[SSAValue | None]
    stored: Sequence[Mapping[str, SSAValue]]
    names: Sequence[str]
    constants: Mapping[SSAValue, SSAValue]


class Recurrent:
    """Emits one loop."""

    def __init__(self, found: Recurrence, outside: Outside, name: str, location: LocationAttr, block: Block) -> None:
        self.found, self.outside, self.name, self.location, self.block = found, outside, name, location, block
        self.steps, self.reverse = found.scan.steps.data, found.scan.reverse is not None
        self.loop = LoopOp(self.steps, 1, "t")
        self.chip: dict[SSAValue, BufferOp] = {}
        self.kept: dict[tuple[int, str], BufferOp] = {}

    def emit(self) -> None:
        """Add the loop, what is loaded before it and stored after it."""
        scan = self.found.scan
        for value, source in {**self.outside.arguments, **self.outside.constants}.items():
            self.block.add_op(self._buffer(value))
            if value not in slices_of(self.found):
                self._whole(self.block, source, self.chip[value], value)
        for i, part in enumerate(self.found.parts):
            for role in sorted(part.keeps):
                shared = self.found.shared(i, role)
                self.kept[i, role] = (
                    self.kept[part.like, role] if shared else self._constant(self.block, i, part, role, [])
                )
        self.block.add_op(self.loop)
        body = self.loop.body.block
        for value in slices_of(self.found):
            body.add_op(self._step(self.outside.arguments[value], self.chip[value], loads=True))
        for i, part in enumerate(self.found.parts):
            self._layer(body, i, part)
        count = len(scan.states)
        for value, target in zip(scan.yielded(), self.outside.results):
            chip = self.chip[self.found.buffer(value)]
            if target is not None and count <= 0:
                body.add_op(self._step(target, chip, loads=False))
            elif target is not None:
                self._whole(self.block, target, chip, value, loads=False)
            count -= 1

    # Values

    def _buffer(self, value: SSAValue) -> BufferOp:
        """The buffer of a value, a step of it for a slice."""
        type_ = value.type
        assert isinstance(type_, TensorType) and isinstance(type_.element_type, QuantType)
        label = f"{self.name}.{value.name_hint or 'value'}{len(self.chip)}"
        shape, count = (1, *shape_of(type_)), copies(self.found, value)
        self.chip[value] = BufferOp(label, "input", type_.element_type.storage, shape, count)
        return self.chip[value]

    def _view(self, block: Block, value: SSAValue) -> SSAValue:
        """A value where it lies on chip, as a tensor of its own shape."""
        view = ViewOp(self.chip[self.found.buffer(value)].result, self.found.places[value].layout)
        block.add_op(view)
        return view.result

    def _whole(self, block: Block, outside: SSAValue, chip: BufferOp, value: SSAValue, loads: bool = True) -> None:
        shape = layout_of(chip.result).shape
        lines = ViewOp(outside, replace(layout_of(outside), shape=shape, strides=(0, *layout_of(outside).strides)))
        block.add_op(lines)
        slices = SlicesAttr(tuple(map(Slice.whole, shape)))
        block.add_op(self._copy(lines.result, chip, [], slices, loads))

    def _step(self, outside: SSAValue, chip: BufferOp, loads: bool) -> CopyOp:
        """A step of a sequence, from the last on when they are taken in reverse."""
        at = Slice(self.steps - 1, 1, self.steps, -1, 0) if self.reverse else Slice(0, 1, self.steps, 1, 0)
        slices = SlicesAttr((at, *map(Slice.whole, layout_of(chip.result).shape[1:])))
        return self._copy(outside, chip, [self.loop.index], slices, loads)

    def _copy(
        self, outside: SSAValue, chip: BufferOp, indices: Sequence[SSAValue], slices: SlicesAttr, loads: bool
    ) -> CopyOp:
        sides = (outside, chip.result) if loads else (chip.result, outside)
        copy = CopyOp(*sides, indices, slices)
        copy.location = self.location
        return copy

    # Layers

    def _constant(self, block: Block, i: int, part: Part, role: str, around: Sequence[LoopOp]) -> BufferOp:
        """A constant's buffer, declared and loaded in a block: weights of the channels the loops around stand at, or all."""
        layer, whole = part.layer, Slice.whole
        tiled = role == "weight" and role not in part.keeps and part.channels < layer.M
        g, z = self._spans(part, around)
        if role == "weight":
            shape = (part.channels if tiled else layer.groups * layer.M, layer.C, 1)
            slices = (*((g, z) if tiled else (whole(layer.groups), whole(layer.M))), whole(layer.C), whole(1))
            element, space = IntegerType(8), "weight"
        elif role == "table":
            shape, slices, element, space = (layer.table_bytes,), (whole(layer.table_bytes),), UI8, "parameter"
        else:
            shape, element, space = (layer.records, layer.record), UI8, "parameter"
            outer = [whole(layer.records)] if layer.kind == "none" else [whole(layer.groups), whole(layer.M)]
            slices = (*outer, whole(layer.record))
        buffer = BufferOp(f"{self.outside.names[i]}.{role}", space, element, shape, 2 if tiled else 1)
        if len(around) > 1:
            self.loop.body.block.insert_op_before(buffer, around[1])
        else:
            block.add_op(buffer)
        indices = [loop.index for loop in around]
        block.add_op(self._copy(self.outside.stored[i][role], buffer, indices, SlicesAttr(slices), True))
        return buffer

    def _spans(self, part: Part, around: Sequence[LoopOp]) -> tuple[Slice, Slice]:
        """The group and the channels of it that the loops around stand at."""
        layer = part.layer
        names = [loop.index.name_hint for loop in around]
        found = {"g": Slice(0, 1, layer.groups), "z": Slice(0, part.channels, layer.M)}
        for i, name in enumerate(names):
            if name in found:
                found[name] = replace(found[name], step=1, loop=i)
        return found["g"], found["z"]

    def _layer(self, body: Block, i: int, part: Part) -> None:
        """The loops over images, groups and channels of one layer of a step."""
        layer, name = part.layer, self.outside.names[i]
        result = part.values["output"]
        if self.found.buffer(result) is result:
            body.add_op(self._buffer(result))
        tiles = {role: self._view(body, value) for role, value in part.values.items()}
        buffers = {role: self.kept[i, role] for role in CONSTANTS if role in part.keeps}
        streamed = [role for role in CONSTANTS if role in self.outside.stored[i] and role not in part.keeps]
        for role in streamed:
            if role != "weight" or part.channels == layer.M:
                buffers[role] = self._constant(body, i, part, role, [])
        if layer.kind != "none":
            shape = (part.channels, layer.H, 1)
            buffers["accumulator"] = BufferOp(f"{name}.accumulator", "accumulator", IntegerType(32), shape, 2)
            body.add_op(buffers["accumulator"])
        block, around = body, [self.loop]
        for letter, (size, extent) in {
            "n": (1, layer.N),
            "g": (1, layer.groups),
            "z": (part.channels, layer.M),
        }.items():
            if size < extent:
                around.append(LoopOp(extent, size, letter))
                block.add_op(around[-1])
                block = around[-1].body.block
        if "weight" in streamed and "weight" not in buffers:
            buffers["weight"] = self._constant(block, i, part, "weight", around)
        tiles |= {role: buffer.result for role, buffer in buffers.items()}
        block.add_op(self._compute(part, name, tiles, around))

    def _compute(self, part: Part, name: str, tiles: Mapping[str, SSAValue], around: Sequence[LoopOp]) -> ComputeOp:
        layer = part.layer
        n = next((Slice(0, 1, layer.N, 1, i) for i, loop in enumerate(around) if loop.index.name_hint == "n"), None)
        g, z = self._spans(part, around)
        slices = SlicesAttr(
            (n or Slice.whole(1), g, z, Slice.whole(layer.out[0]), Slice.whole(layer.C if layer.kind == "dense" else 1))
        )
        body = part.op.body.clone()
        for old, new in zip(part.op.body.block.ops, body.block.ops):
            new.location = old.location
        compute = ComputeOp(name, tiles, [loop.index for loop in around], slices, body)
        compute.location = part.op.location
        return compute
