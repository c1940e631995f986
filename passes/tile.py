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

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from dnnc.ir import fixed
from dnnc.ir.arch import Accelerator, of_module
from dnnc.ir.diagnostics import Collector, DnncError, Finding, UnsupportedError, where
from dnnc.ir.dnn.attributes import Ints
from dnnc.ir.dnn.movement import ConcatOp, Movement, Part, Strided, View
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ViewOp, buffer_of, layout_of
from dnnc.ir.types import QuantType, dtype, element_type, integer_range, shape_of
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis import depth_first
from dnnc.passes.analysis.group import Group, group_of
from dnnc.passes.analysis.group_operands import UI8
from dnnc.passes.analysis.group_stages import Levels
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.stacks import STEPS, planes, stack_of, unit_of
from dnnc.passes.analysis.strides import reshaped
from dnnc.passes.analysis.tile_search import search
from dnnc.passes.analysis.tiling import SLACK_PERCENT
from dnnc.passes.schedule.host import Holdings, Parts, homes_of, source_name, split
from dnnc.passes.schedule.moves import Mover, composed, fill_tile
from dnnc.passes.schedule.nest import Nest
from dnnc.passes.schedule.stripes import Stored, Stripes
from dnnc.passes.schedule.transposed import split_transposed
from dnnc.passes.schedule.units import cut, inlined, is_stack
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
        for group in [g for g in main_function(op).body.block.ops if isinstance(g, GroupOp)]:
            if (scan := scan_of(group)) is not None:
                unroll(group, scan)
        groups = [g for g in main_function(op).body.block.ops if isinstance(g, GroupOp)]
        stacks = [(inlined(g), g.attributes.get(STEPS)) for g in groups if is_stack(g)]
        for group in groups:
            if group.parent is not None:
                split_transposed(group, store)
        stacked = {inner for ops, _ in stacks for inner in ops}
        for group in [g for g in main_function(op).body.block.ops if isinstance(g, GroupOp) and g not in stacked]:
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
        self.arch, self.store, self.slack, self.block = arch, store, slack, block
        self.stacks = {op: stack for stack in stacks for op in stack[0]}
        self.mover = Mover(arch, block)
        self.places: dict[SSAValue, SSAValue] = {}
        self.holds: dict[BufferOp, SSAValue] = {}
        self.packed: dict[SSAValue, SSAValue] = {}
        self.homes: dict[SSAValue, tuple[SSAValue, int, int]] = {}
        self.outputs: set[SSAValue] = set()
        self.constants: dict[str, SSAValue] = {}
        self.names: dict[str, int] = {}

    def build(self, parts: Parts) -> None:
        """All device operations in order; every layer that does not fit is listed."""
        for i, value in enumerate(parts.inputs()):
            self.places[value] = self._dram(source_name(value) or f"input{i}", "inputs", value)
        self.outputs, problems = set(parts.outputs()), Collector()
        self.homes = homes_of(parts, self.outputs)
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

    def _group(self, op: GroupOp) -> None:
        name, body = self._name(op), op.body_ops()
        if len(body) == 1 and isinstance(body[0], Movement):
            _Move(self, op, body[0], name).emit()
        else:
            self._layer(op, name)

    def _stack(self, ops: Sequence[GroupOp], steps: Attribute | None) -> None:
        """Layers that run depth-first, as steps over the output of the last."""
        units = [unit for op in ops if (unit := unit_of(op, self._name(op))) is not None]
        found = stack_of(units) if len(units) == len(ops) else None
        sizes = steps.data if isinstance(steps, Ints) else None
        plan = depth_first.planned(found[0], self.arch, sizes) if found else None
        if found is None or plan is None:
            text = "groups that fit on chip together were expected in a group of groups"
            todo = "Take them apart, or choose a target with a larger memory, of inputs and of outputs."
            raise UnsupportedError(Finding(where(ops[0].location, "group"), f"{text}. {todo}", "E0804"))
        stack, values = found
        ends = [t for t in range(len(values)) if stack.tensors[t].loaded or t == stack.members[-1].out]
        outside = {t: self._planes(values[t], units[stack.alive[t][0]].group.layer.name) for t in ends}
        parts = [Stored(u.op, u.group, self._stored_of(u.op, u.group)) for u in units]
        Stripes(plan, parts, outside, self.block).emit()

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

    def _stored_of(self, op: GroupOp, group: Group) -> dict[str, SSAValue]:
        """The constants of a layer of a stack, off chip."""
        name, stored = group.layer.name, {}
        if group.weights is not None:
            stored["weight"] = self._constant(op.inputs[group.weights])
        if group.layer.records:
            stored["parameter"] = self._stored(f"{name}.post", self._records(op, group))
        if group.layer.table_bytes:
            stored["table"] = self._stored(f"{name}.table", group.table(lambda i: self._array(op, i)))
        return stored

    def _layer(self, op: GroupOp, name: str) -> None:
        group = group_of(op.body.block, name, op.location)
        layer = group.layer
        tile = search(layer, self.arch, self.slack)
        dram = {"input": self._operand(op.inputs[group.x], layer, "input", name)}
        dram["output"] = self._result(op.results[0], layer, name)
        if group.weights is not None:
            dram["weight"] = self._operand(op.inputs[group.weights], layer, "weight", name)
        if group.second is not None:
            dram["second"] = self._operand(op.inputs[group.second.argument], layer, "second", name)
        if layer.records:
            dram["parameter"] = self._stored(f"{name}.post", self._records(op, group))
        elif layer.wide:
            self._bias(op, group)  # for the bound of the sums
        if layer.table_bytes:
            dram["table"] = self._stored(f"{name}.table", group.table(lambda i: self._array(op, i)))
        if group.vector is not None:
            role = "exp" if layer.vector == "softmax" else "affine"
            dram[role] = self._stored(f"{name}.{role}", group.vector.constants(lambda i: self._array(op, i)))
        Nest(group, tile, op, dram).emit(self.block)

    def _name(self, op: GroupOp) -> str:
        """The source node's name, made unique."""
        text = where(op.location, "") or op.results[0].name_hint or "layer"
        base = text.removeprefix("node '").split("'")[0]
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
                self.places[value] = self._dram(name, "outputs" if value in self.outputs else "arena", value)
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
        place = self._constant(value) if isinstance(value.owner, ConstOp) else self.places[value]
        if layer.strides(role, layout_of(place)) is not None:
            return place
        return self.pack(value, name)

    def pack(self, value: SSAValue, name: str) -> SSAValue:
        """A copy of a value in row-major order."""
        if value not in self.packed:
            place = self.places[value]
            layout = layout_of(place)
            self.packed[value] = copy = self._dram(f"{name}.packed", "arena", value)
            order = Strided.rows(layout.shape)
            self.mover.move(name, value.owner.location, place, layout, copy, order)  # pyright: ignore
        return self.packed[value]

    # Constants

    def _constant(self, value: SSAValue) -> SSAValue:
        constant = value.owner
        assert isinstance(constant, ConstOp)
        key = constant.key.data if constant.key is not None else None
        if key is None:
            key = self.store.add("weights", constant.array(self.store))
        if key not in self.constants:
            type_ = constant.result.type
            assert isinstance(type_, TensorType)
            buffer = BufferOp(key, "weights", type_.element_type, type_.get_shape(), constant=key)
            self.block.add_op(buffer)
            self.constants[key] = buffer.result
        return self.constants[key]

    def _stored(self, label: str, array: np.ndarray, element: Attribute = UI8) -> SSAValue:
        buffer = BufferOp(label, "parameters", element, array.shape, constant=self.store.add(label, array))
        self.block.add_op(buffer)
        return buffer.result

    def _records(self, op: GroupOp, group: Group) -> np.ndarray:
        """Bias, multiplier and shift, or thresholds, of every channel as bytes; the input's zero point is folded in."""
        if group.levels is not None:
            return self._thresholds(op, group, group.levels)
        assert group.scale is not None
        bias = self._bias(op, group) if group.weights is not None else 0
        return group.scale.records(group.layer.records, bias, lambda i: self._array(op, i))

    def _thresholds(self, op: GroupOp, group: Group, levels: Levels) -> np.ndarray:
        """Thresholds less the bias: sums + bias >= t where sums >= t - bias."""
        t = self._array(op, levels.argument).astype(np.int64) - self._bias(op, group)[:, None]
        bounds = np.iinfo(np.int32)
        return np.clip(t, bounds.min, bounds.max).astype("<i4").view(np.uint8)

    def _bias(self, op: GroupOp, group: Group) -> np.ndarray:
        """B[m] - z_x * sum of (w[m] - z_w); computed weights leave z_x to the matrix unit, which subtracts it."""
        assert group.weights is not None
        layer, x = group.layer, group.source
        channels = layer.groups * layer.M
        bias = np.zeros(channels, np.int64)
        if group.bias is not None:
            bias = np.broadcast_to(self._array(op, group.bias).reshape(-1), bias.shape).astype(np.int64)
        if layer.values > 1:
            _check_sums(op, group, np.abs(bias) + layer.C * layer.taps * layer.values)
            return bias.astype(np.int32)
        low, high = integer_range(x.storage)
        if not isinstance(op.inputs[group.weights].owner, ConstOp):
            most = np.full((1, layer.C * layer.taps), _reach(_element(op.inputs[group.weights])))
            _check_sums(op, group, fixed.accumulator_bound(most, low, high, int(x.zero), np.abs(bias).max()))
            return bias
        stored, zero = self._array(op, group.weights), int(np.max(_element(op.inputs[group.weights]).zero))
        weights = stored.astype(np.int16 if stored.dtype.itemsize == 1 else np.int64)
        weights -= zero
        by_channel = (weights.swapaxes(-1, -2) if layer.in_major else weights).reshape(channels, -1)
        _check_sums(op, group, fixed.accumulator_bound(by_channel, low, high, int(x.zero), bias))
        return (bias - int(x.zero) * by_channel.sum(axis=1, dtype=np.int64)).astype(np.int32)

    def _array(self, op: GroupOp, index: int) -> np.ndarray:
        constant = op.inputs[index].owner
        if not isinstance(constant, ConstOp):
            text = "a constant bias and table were expected, not computed ones. Choose the c target."
            raise UnsupportedError(Finding(where(op.location, "group"), text, "E0807"))
        return constant.array(self.store)


def _element(value: SSAValue) -> QuantType:
    assert isinstance(value.type, TensorType) and isinstance(value.type.element_type, QuantType)
    return value.type.element_type


def _reach(q: QuantType) -> int:
    low, high = integer_range(q.storage)
    return max(int(np.max(q.zero)) - low, high - int(np.min(q.zero)))


def _check_sums(op: GroupOp, group: Group, bound: np.ndarray) -> None:
    """Raise DnncError when some input could overflow the int32 sums."""
    if bound.max() >= 2**31:
        text = f"sums below 2**31 were expected, not up to {bound.max()} in channel {bound.argmax()}"
        raise DnncError(
            Finding(where(op.location, group.layer.name), f"{text}. Quantize the weights with fewer bits.", "E0808")
        )


class _Move:
    """A movement: a part of what is there when it can be, else copies."""

    def __init__(self, builder: _Builder, op: GroupOp, movement: Movement, name: str) -> None:
        self.builder, self.op, self.movement, self.name = builder, op, movement, name
        self.values = [op.inputs[arg.index] for arg in movement.operands]  # pyright: ignore
        self.result = op.results[0]

    def emit(self) -> None:
        """Place the result, and copy what is not there yet."""
        parts = self.movement.parts()
        if any(s < 0 for part in parts for s in part.read.strides):
            text = f"operations that the accelerator runs were expected, not '{self.movement.name}' in reverse order"
            todo = "Mark it as a float island or choose the c target."
            raise UnsupportedError(Finding(where(self.op.location, self.name), f"{text}. {todo}", "E0803"))
        if isinstance(self.movement, View) and self.result not in self.builder.outputs:
            place, read = self._read(parts[0])
            if all(s > 0 or n == 1 for n, s in zip(read.shape, read.strides)):
                self.builder.places[self.result] = self.builder.part(place, read)
                return
        target = self.builder.home(self.result, self.name)
        if self.movement.fill() is not None:
            self._fill(target, int(self.movement.fill() or 0))
        start = 0
        for i, part in enumerate(parts):
            if self.builder.homes.get(self.values[i] if i < len(self.values) else self.result) != self._slot(start):
                place, read = self._read(part)
                self.builder.mover.move(self.name, self.op.location, place, read, target, self._write(part, target))
            start += self._extent(i)

    def _slot(self, start: int) -> tuple[SSAValue, int, int] | None:
        if not isinstance(self.movement, ConcatOp):
            return self.result, -1, -1
        return self.result, self.movement.axis.data % len(self.movement.shape()), start

    def _extent(self, i: int) -> int:
        return self.movement.shape(i)[self.movement.axis.data] if isinstance(self.movement, ConcatOp) else 0

    def _read(self, part: Part) -> tuple[SSAValue, Strided]:
        """(buffer or view, layout in it) of what a part reads."""
        value = self.values[part.operand]
        constant = isinstance(value.owner, ConstOp)
        place = self.builder._constant(value) if constant else self.builder.places[value]
        layout = composed(layout_of(place), part.read, self.movement, part.operand)
        if layout is None:
            place = self.builder.pack(value, self.name)
            layout = composed(layout_of(place), part.read, self.movement, part.operand)
        assert layout is not None
        return place, layout

    def _write(self, part: Part, target: SSAValue) -> Strided:
        """The layout of what a part writes."""
        layout = composed(layout_of(target), part.write, None, 0)
        if layout is not None:
            return layout
        # a box of the result, at the multi-index its offset stands for
        whole = reshaped(layout_of(target), shape_of(self.result.type))
        assert whole is not None
        start = np.unravel_index(part.write.offset, whole.shape)
        offset = whole.offset + sum(int(i) * s for i, s in zip(start, whole.strides))
        return Strided(part.write.shape, whole.strides, offset)

    def _fill(self, target: SSAValue, value: int) -> None:
        kind = dtype(_element(self.result))
        layout, tile = fill_tile(layout_of(target), self.builder.mover.capacity, kind.itemsize)
        constant = self.builder._stored(f"{self.name}.fill", np.full(tile, value, kind), element_type(kind))
        self.builder.mover.fill(self.name, self.op.location, constant, tile, target, layout)
