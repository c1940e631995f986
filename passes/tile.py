"""Groups become loops over tiles: copies on chip, compute on tiles, copies back.

    %y = dnn.group [%x, %w, %b] { ... }    ->    sched.loop %s = 0 to 12 step 4 {
                                                   sched.copy %x to %x.tile at (%s) [...]
                                                   sched.compute "conv1" on %x.tile, %w.tile, ...
                                                   sched.copy %y.tile to %y at (%s) [...]
                                                 }

What stays in floating point on the host moves into the functions @prologue (before the accelerator) and @epilogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from dnnc.ir.arch import Accelerator, of_module
from dnnc.ir.diagnostics import Collector, Finding, UnsupportedError, where
from dnnc.ir.dnn.attributes import Ints
from dnnc.ir.dnn.movement import Movement, Strided
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ViewOp, buffer_of, layout_of
from dnnc.ir.types import shape_of
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis import depth_first
from dnnc.passes.analysis.depth_first import runs_stacks
from dnnc.passes.analysis.group import Group, group_of
from dnnc.passes.analysis.indexed import moves
from dnnc.passes.analysis.keeping import ON_CHIP, beside, reserved, spans
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.recurrence import recurrence
from dnnc.passes.analysis.stacks import STEPS, planes, stack_of, unit_of
from dnnc.passes.analysis.strides import composed, contiguous, reshaped
from dnnc.passes.analysis.tile_search import search
from dnnc.passes.analysis.tiling import SLACK_PERCENT
from dnnc.passes.schedule.constants import Constants
from dnnc.passes.schedule.host import Holdings, Parts, homes_of, source_name, split
from dnnc.passes.schedule.movement import Move
from dnnc.passes.schedule.moves import Mover
from dnnc.passes.schedule.nest import Nest
from dnnc.passes.schedule.recurrence import Outside, Recurrent
from dnnc.passes.schedule.strided import split_strided
from dnnc.passes.schedule.stripes import Stored, Stripes
from dnnc.passes.schedule.transposed import split_transposed
from dnnc.passes.schedule.units import cut, groups_of, inlined, is_stack
from dnnc.passes.schedule.unrolled import scan_of, unroll


@dataclass(frozen=True)
class TilePass(ModulePass):
    """Tile every group for the module's accelerator.

    `objective` is what a tile makes least: `traffic`, DRAM bytes, then cycles; or `cycles`, among the tiles that move at most
    `slack` percent more than the least bytes.
    """

    name = "tile"
    slack: int = SLACK_PERCENT
    objective: Literal["cycles", "traffic"] = "cycles"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        self.schedule(ctx, op)

    def schedule(self, ctx: Context, op: ModuleOp) -> Holdings:
        """Tile the module in place; what lies in each buffer off chip, as values of the network it was."""
        arch, store = of_module(op), store_of(ctx)
        for group in groups_of(op):
            if (scan := scan_of(group)) is not None:
                for inner in [o for o in scan.body.block.ops if isinstance(o, GroupOp)]:
                    cut(inner)
                if recurrence(scan, arch, store) is None:
                    unroll(group, scan)
        groups = groups_of(op)
        stacks = [(_taken_apart(g), g.attributes.get(STEPS)) for g in groups if is_stack(g)]
        for group in groups:
            if group.parent is not None:
                split_transposed(group, store)
            if group.parent is not None:
                split_strided(group, store)
        stacked = {inner for ops, _ in stacks for inner in ops}
        for group in groups_of(op):
            if group not in stacked:
                cut(group)
        parts = split(op)
        block = Block()
        builder = _Builder(arch, store, self.slack if self.objective == "cycles" else 0, block, stacks)
        builder.build(parts)
        main = main_function(op)
        for function in parts.host_functions():
            op.body.block.insert_op_before(function, main)
        new = FuncOp("main", ((), ()), Region(block))
        op.body.block.insert_op_before(new, main)
        main.detach()
        return Holdings(main, builder.holds)


class _Builder:
    """Emits the schedule of all layers into one block."""

    def __init__(
        self,
        arch: Accelerator,
        store: WeightStore,
        slack: int,
        block: Block,
        stacks: Sequence[tuple[list[GroupOp], Attribute | None]],
    ) -> None:
        self.arch, self.slack, self.block = arch, slack, block
        self.constants = Constants(store, block)
        self.stacks = {op: stack for stack in stacks for op in stack[0]}
        self.mover = Mover(arch, block)
        self.places: dict[SSAValue, SSAValue] = {}
        self.holds: dict[BufferOp, SSAValue] = {}
        self.packed: dict[SSAValue, SSAValue] = {}
        self.homes: dict[SSAValue, tuple[SSAValue, int, int]] = {}
        self.outputs: set[SSAValue] = set()
        self.names: dict[str, int] = {}
        self.step: dict[Operation, int] = {}
        self.lives: dict[SSAValue, tuple[int, int]] = {}

    def build(self, parts: Parts) -> None:
        """All device operations in order; every layer that does not fit is listed."""
        for i, value in enumerate(parts.inputs()):
            self.places[value] = self._dram(source_name(value) or f"input{i}", "inputs", value)
        self.outputs, problems = set(parts.outputs()), Collector()
        self.step = {op: i for i, op in enumerate(parts.device)}
        self.step |= {op: self.step[stack[0][-1]] for op, stack in self.stacks.items()}
        self.lives = spans(parts.device, self.step)
        self.homes = homes_of(parts, self.outputs | set(self.lives))
        for op in parts.device:
            if not isinstance(op, GroupOp):
                self.places[op.results[0]] = self._viewed(op)
                continue
            try:
                if op not in self.stacks:
                    self._group(op)
                elif op is self.stacks[op][0][-1]:
                    self._stack(*self.stacks[op])
            except UnsupportedError as error:
                problems.unsupported += error.findings
                self.places |= {r: self._dram("refused", "arena", r) for r in op.results}
        problems.raise_if_any()
        self._order(parts.outputs())
        self.block.add_op(ReturnOp())

    def _order(self, outputs: Sequence[SSAValue]) -> None:
        """Put the buffers of outputs in their order: a concatenation has its place before its last part is made."""
        buffers = [buffer_of(self.places[v]) for v in outputs]
        if buffers != [op for op in self.block.ops if op in buffers]:
            for buffer in reversed(buffers):
                buffer.detach()
                first = self.block.first_op
                assert first is not None
                self.block.insert_op_before(buffer, first)

    def _viewed(self, op: Operation) -> SSAValue:
        """Where the result of a view lies: with its operand, or the part of it that its first elements are."""
        place, value = self.places[op.operands[0]], op.operands[0]
        if not isinstance(op, Movement) or prod(op.shape()) == prod(shape_of(op.results[0].type)):
            return place
        read = op.parts()[0].read
        layout = composed(layout_of(place), read, op, 0)
        if layout is None:
            place = self.pack(value, where(op.location, "view"))
            layout = composed(layout_of(place), read, op, 0)
        assert layout is not None
        return self.part(place, layout)

    def _dram(self, label: str, space: str, value: SSAValue) -> SSAValue:
        type_ = value.type
        assert isinstance(type_, TensorType)
        buffer = BufferOp(label, space, type_.element_type, type_.get_shape())
        self.block.add_op(buffer)
        self.holds[buffer] = value
        return buffer.result

    def _home_of(self, label: str, value: SSAValue) -> SSAValue:
        """A place of its own for what an operation makes."""
        if value not in self.lives:
            return self._dram(label, "outputs" if value in self.outputs else "arena", value)
        if value in self.outputs or not runs_stacks(self.arch):
            text = "a value that only the accelerator reads, from the memory it is written to, was expected to stay on chip"
            raise UnsupportedError(Finding(label, f"{text}. Take the mark '{ON_CHIP}' from its group.", "E0804"))
        assert isinstance(value.type, TensorType)
        buffer = BufferOp(label, "output", value.type.element_type, value.type.get_shape())
        self.block.add_op(buffer)
        self.holds[buffer] = value
        return self.part(buffer.result, layout_of(buffer.result))

    def _room(self, op: Operation) -> Accelerator:
        """The machine beside what stays on chip while an operation runs."""
        return beside(self.arch, reserved(self.lives, self.step[op]))

    def _group(self, op: GroupOp) -> None:
        name, body = self._name(op), op.body_ops()
        self.mover.fit(self._room(op))
        if isinstance(body[0], ScanOp):
            return self._loop(op, body[0], name)
        if len(body) == 1 and (isinstance(body[0], Movement) or moves(body[0])):
            Move(self, op, body[0], name).emit()
        else:
            self._layer(op, name)

    def _loop(self, op: GroupOp, scan: ScanOp, name: str) -> None:
        """A loop over states that stays on chip."""
        found = recurrence(scan, self.arch, self.constants.store)
        assert found is not None
        given = {a: op.inputs[v.index] for a, v in zip(scan.body.block.args, scan.operands)}  # pyright: ignore
        results = dict(zip(op.yielded(), op.results))
        outside = Outside(
            {a: self._loadable(v, name) for a, v in given.items()},
            [self.home(results[r], f"{name}.{i}") if r in results else None for i, r in enumerate(scan.results)],
            [self._stored_of(p.op, p.group, found.shared(i, "table")) for i, p in enumerate(found.parts)],
            [self._name(p.op) for p in found.parts],
            {
                v: self.constants.weights(v)
                for p in found.parts
                for v in p.values.values()
                if isinstance(v.owner, ConstOp)
            },
        )
        Recurrent(found, outside, name, op.location, self.block).emit()

    def _loadable(self, value: SSAValue, name: str) -> SSAValue:
        """Where a value lies, in its own shape, in an order one transfer reads."""
        place = self.constants.weights(value) if isinstance(value.owner, ConstOp) else self.places[value]
        layout = reshaped(layout_of(place), shape_of(value.type))
        if layout is None or (len(layout.shape) > 3 and not contiguous(layout)):
            place = self.pack(value, name)
            layout = Strided.rows(shape_of(value.type))
        return place if layout == layout_of(place) else self.part(place, layout)

    def _stack(self, ops: Sequence[GroupOp], steps: Attribute | None) -> None:
        """Layers that run depth-first, as steps over the output of the last."""
        units = [unit for op in ops if (unit := unit_of(op, self._name(op))) is not None]
        found = stack_of(units, self._stays) if len(units) == len(ops) else None
        sizes = steps.data if isinstance(steps, Ints) else None
        arch = self._room(ops[-1])
        self.mover.fit(arch)
        plan = depth_first.planned(found[0], arch, sizes) if found else None
        if found is None or plan is None:
            text = "groups that fit on chip together were expected in a group of groups"
            todo = "Take them apart, or choose a target with a larger memory, of inputs and of outputs."
            raise UnsupportedError(Finding(where(ops[0].location, "group"), f"{text}. {todo}", "E0804"))
        stack, values = found
        ends = [t for t in range(len(values)) if stack.tensors[t].loaded or t == stack.members[-1].out]
        outside = {t: self._planes(values[t], units[stack.alive[t][0]].group.layer.name) for t in ends}
        parts = [Stored(u.op, u.group, self._stored_of(u.op, u.group)) for u in units]
        Stripes(plan, parts, outside, self.block).emit()

    def _stays(self, value: SSAValue) -> bool:
        """Whether a value lies whole on chip, or will."""
        return value in self.lives or (value in self.places and buffer_of(self.places[value]).on_chip)

    def _planes(self, value: SSAValue, name: str) -> SSAValue:
        """Where a tensor of planes lies, as [image, channel, row, column] with columns that touch."""
        shape = planes(value)
        made = value not in self.places
        layout = reshaped(layout_of(self.home(value, name)), shape)
        if layout is None or (shape[3] > 1 and layout.strides[3] != 1):
            layout = Strided.rows(shape)
            if not made:
                return self.pack(value, name)
            del self.homes[value], self.places[value]
        place = self.home(value, name)
        return place if layout_of(place).shape == shape else self.part(place, layout)

    def _stored_of(self, op: GroupOp, group: Group, shared: bool = False) -> dict[str, SSAValue]:
        """The constants of a layer of a stack, off chip; its table when it does not share one."""
        name, stored = group.layer.name, {}
        if group.weights is not None:
            stored["weight"] = self.constants.weights(op.inputs[group.weights])
        if group.layer.records:
            stored["parameter"] = self.constants.stored(f"{name}.post", self.constants.records(op, group))
        if group.layer.table_bytes and not shared:
            stored["table"] = self.constants.stored(f"{name}.table", group.table(lambda i: self.constants.array(op, i)))
        return stored

    def _layer(self, op: GroupOp, name: str) -> None:
        group = group_of(op.body.block, name, op.location)
        layer = group.layer
        dram = {"input": self._operand(op.inputs[group.x], layer, "input", name)}
        dram["output"] = self._result(op.results[0], layer, name)
        if group.weights is not None:
            dram["weight"] = self._operand(op.inputs[group.weights], layer, "weight", name)
        if group.second is not None:
            dram["second"] = self._operand(op.inputs[group.second.argument], layer, "second", name)
        if layer.records:
            dram["parameter"] = self.constants.stored(f"{name}.post", self.constants.records(op, group))
        elif layer.wide:
            self.constants.bias(op, group)  # for the bound of the sums
        if layer.table_bytes:
            dram["table"] = self.constants.stored(f"{name}.table", group.table(lambda i: self.constants.array(op, i)))
        if group.vector is not None:
            role = "exp" if layer.vector == "softmax" else "affine"
            dram[role] = self.constants.stored(
                f"{name}.{role}", group.vector.constants(lambda i: self.constants.array(op, i))
            )
        whole = frozenset(role for role, place in dram.items() if buffer_of(place).on_chip)
        tile = search(layer, self._room(op), self.slack, whole)
        Nest(group, tile, op, dram).emit(self.block)

    def _name(self, op: GroupOp) -> str:
        """The source node's name, made unique."""
        text = where(op.location, "") or op.results[0].name_hint or "layer"
        return self._numbered(text.removeprefix("node '").split("'")[0])

    def _numbered(self, base: str) -> str:
        """A name, with a number when there is one like it."""
        count = self.names[base] = self.names.get(base, 0) + 1
        return base if count == 1 else f"{base}.{count}"

    # Where values lie

    def home(self, value: SSAValue, name: str) -> SSAValue:
        """Where a result is written: its own buffer, or its part of what it is concatenated to."""
        if value not in self.places:
            if value in self.homes:
                whole, axis, start = self.homes[value]
                parent = self.home(whole, name)
                layout = reshaped(layout_of(parent), shape_of(whole.type))
                assert layout is not None
                part = Strided(shape_of(value.type), layout.strides, layout.offset + start * layout.strides[axis])
                self.places[value] = self.part(parent, part)
            else:
                self.places[value] = self._home_of(name, value)
        return self.places[value]

    def part(self, place: SSAValue, layout: Strided) -> SSAValue:
        """A view of the buffer of a place."""
        view = ViewOp(buffer_of(place).result, layout)
        self.block.add_op(view)
        return view.result

    def _result(self, value: SSAValue, layer: Layer, name: str) -> SSAValue:
        place = self.home(value, name)
        if layer.strides("output", layout_of(place)) is None:
            del self.homes[value], self.places[value]
            place = self.home(value, name)
        return place

    def _operand(self, value: SSAValue, layer: Layer, role: str, name: str) -> SSAValue:
        """Where a layer reads a value, brought into an order it can read."""
        place = self.constants.weights(value) if isinstance(value.owner, ConstOp) else self.places[value]
        if layer.strides(role, layout_of(place)) is not None:
            return place
        return self.pack(value, name)

    def pack(self, value: SSAValue, name: str) -> SSAValue:
        """A copy of a value in row-major order."""
        if value not in self.packed:
            place = self.places[value]
            layout = layout_of(place)
            self.packed[value] = copy = self._dram(self._numbered(f"{name}.packed"), "arena", value)
            tile, order = self._numbered(f"{name}.pack"), Strided.rows(layout.shape)
            self.mover.move(tile, value.owner.location, place, layout, copy, order)  # pyright: ignore
        return self.packed[value]


def _taken_apart(stack: GroupOp) -> list[GroupOp]:
    """The groups of a stack in its place; what stays on chip of it is the last one's."""
    groups, kept = inlined(stack), stack.attributes.get(ON_CHIP)
    if kept is not None:
        groups[-1].attributes[ON_CHIP] = kept
    return groups
