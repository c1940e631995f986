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

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerType, ModuleOp, Signedness, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from dnnc.ir import fixed
from dnnc.ir.arch import Accelerator, of_module
from dnnc.ir.diagnostics import Collector, DnncError, Finding, UnsupportedError, where
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.fixed import RECORD, TABLE_BYTES
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, LoopOp, Slice, SlicesAttr
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import QuantType
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.layer import Group, group_of
from dnnc.passes.analysis.tiling import ORDERS, SLACK_PERCENT, Tile, search

BYTE = IntegerType(8, Signedness.UNSIGNED)


@dataclass(frozen=True)
class TilePass(ModulePass):
    """Tile every group for the module's accelerator; `slack` percent of DRAM traffic may be spent on fewer cycles."""

    name = "tile"
    slack: int = SLACK_PERCENT

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        arch, store = of_module(op), store_of(ctx)
        parts = split(op)
        builder = _Builder(arch, store, self.slack)
        block = Block()
        builder.build(parts, block)
        main = main_function(op)
        for function in parts.host_functions():
            op.body.block.insert_op_before(function, main)
        new = FuncOp("main", ((), ()), Region(block))
        op.body.block.insert_op_before(new, main)
        main.detach()
        main.erase(safe_erase=False)


@dataclass(frozen=True)
class Parts:
    """@main in three: what the host does first, the accelerator's groups and views, what the host does last."""

    main: FuncOp
    before: list[Operation]
    device: list[Operation]
    after: list[Operation]

    def inputs(self) -> list[SSAValue]:
        """Values the accelerator reads from the host, in order of first use."""
        made = {r for op in self.device for r in op.results}
        used = dict.fromkeys(v for op in self.device for v in op.operands if v not in made and not _constant(v))
        return list(used)

    def outputs(self) -> list[SSAValue]:
        """Results of groups that the host reads, itself or a view of them, in the order they are made."""
        read = {_root(v) for op in self.after for v in op.operands}
        return [r for op in self.device if isinstance(op, GroupOp) for r in op.results if r in read]

    def views(self) -> list[Operation]:
        """The views between the accelerator's results and the host, in order."""
        found: list[Operation] = []
        wanted = {v for op in self.after for v in op.operands}
        for op in reversed(self.device):
            if isinstance(op, Movement) and any(r in wanted for r in op.results):
                found.insert(0, op)
                wanted.update(op.operands)
        return found

    def host_functions(self) -> list[FuncOp]:
        """@prologue from the network's inputs, @epilogue from the accelerator's outputs."""
        args = list(self.main.body.block.args)
        return [
            _function("prologue", args, self.before, self.inputs()),
            _function("epilogue", self.outputs(), [*self.views(), *self.after], None),
        ]


def _constant(value: SSAValue) -> bool:
    return isinstance(value.owner, ConstOp)


def _on_device(op: Operation) -> bool:
    if ISLAND in op.attributes:
        return False
    quantized = all(isinstance(t, TensorType) and isinstance(t.element_type, QuantType) for t in op.result_types)
    return isinstance(op, GroupOp) or (isinstance(op, Movement) and op.is_view() and quantized)


def split(module: ModuleOp) -> Parts:
    """Divide @main; UnsupportedError lists operations on the host between two on the accelerator."""
    main, problems = main_function(module), Collector()
    parts = Parts(main, [], [], [])
    late: set[SSAValue] = set()
    fed: set[SSAValue] = set()
    for op in main.body.block.ops:
        if isinstance(op, ConstOp):
            continue
        if _on_device(op):
            parts.device.append(op)
            fed.update(op.results)
            if any(v in late for v in op.operands):
                text = "an operation that needs nothing the host makes from the accelerator's results was expected"
                problems.refuse(
                    where(op.location, op.name), f"{text}, not '{op.name}'. Quantize what is before it.", "E0801"
                )
        elif isinstance(op, ReturnOp) or any(v in fed or v in late for v in op.operands):
            parts.after.append(op)
            late.update(op.results)
        else:
            parts.before.append(op)
    problems.raise_if_any()
    if not parts.device:
        raise UnsupportedError(
            Finding("main", "quantized groups were expected, there are none. Quantize the network first.", "E0802")
        )
    return parts


def _function(
    name: str, arguments: Sequence[SSAValue], ops: Sequence[Operation], results: Sequence[SSAValue] | None
) -> FuncOp:
    """A function with clones of host operations and of the constants they use."""
    block = Block(arg_types=[v.type for v in arguments])
    mapping: dict[SSAValue, SSAValue] = dict(zip(arguments, block.args))
    wanted = [*(v for op in ops for v in op.operands), *(results or ())]
    for constant in dict.fromkeys(v.owner for v in wanted if _constant(v)):
        assert isinstance(constant, ConstOp)
        block.add_op(constant.clone(mapping))
    for op in ops:
        if missing := [v for v in op.operands if v not in mapping]:
            text = f"a result made of the accelerator's outputs was expected, not of {missing[0].type}"
            raise UnsupportedError(
                Finding(where(op.location, op.name), f"{text}. Return it from a network of its own.", "E0806")
            )
        clone = op.clone(mapping)
        clone.location = op.location
        block.add_op(clone)
    if results is not None:
        block.add_op(ReturnOp(*(mapping[v] for v in results)))
    last = block.last_op
    assert last is not None
    return FuncOp(name, ([a.type for a in block.args], [v.type for v in last.operands]), Region(block))


class _Builder:
    """Emits the schedule of all layers into one block."""

    def __init__(self, arch: Accelerator, store: WeightStore, slack: int) -> None:
        self.arch, self.store, self.slack = arch, store, slack
        self.places: dict[SSAValue, BufferOp] = {}
        self.constants: dict[str, BufferOp] = {}
        self.names: dict[str, int] = {}

    def build(self, parts: Parts, block: Block) -> None:
        """All device operations in order; every layer that does not fit is listed."""
        for i, value in enumerate(parts.inputs()):
            self.places[value] = self._dram(block, _source_name(value) or f"input{i}", "inputs", value.type)
        outputs, problems = set(parts.outputs()), Collector()
        for op in parts.device:
            if isinstance(op, GroupOp):
                try:
                    self._group(op, block, "outputs" if op.results[0] in outputs else "arena")
                except UnsupportedError as error:
                    problems.unsupported += error.findings
                    self.places[op.results[0]] = BufferOp("refused", "arena", BYTE, [1])
            else:
                self.places[op.results[0]] = self.places[op.operands[0]]
        problems.raise_if_any()
        block.add_op(ReturnOp())

    def _dram(self, block: Block, label: str, space: str, type_: Attribute) -> BufferOp:
        assert isinstance(type_, TensorType)
        buffer = BufferOp(label, space, type_.element_type, type_.get_shape())
        block.add_op(buffer)
        return buffer

    def _group(self, op: GroupOp, block: Block, space: str) -> None:
        name = self._name(op)
        group = group_of(op.body.block, name, op.location)
        tile = search(group.layer, self.arch, self.slack)
        out = self._dram(block, name, space, op.results[0].type)
        self.places[op.results[0]] = out
        dram = {"input": self.places[op.inputs[group.x]], "output": out}
        if group.weights is not None:
            dram["weight"] = self._weights(block, op.inputs[group.weights])
            dram["parameter"] = self._records(block, op, group)
        if group.post.table is not None:
            first = int(np.iinfo(group.post.table.dtype).min)
            by_byte = np.roll(group.post.table.view(np.uint8), first)
            dram["table"] = self._store(block, f"{name}.table", by_byte, "parameters")
        _Nest(group, tile, op, dram).emit(block)

    def _name(self, op: GroupOp) -> str:
        """The source node's name, made unique."""
        text = where(op.location, "") or op.results[0].name_hint or "layer"
        base = text.removeprefix("node '").split("'")[0]
        count = self.names[base] = self.names.get(base, 0) + 1
        return base if count == 1 else f"{base}.{count}"

    def _weights(self, block: Block, value: SSAValue) -> BufferOp:
        constant = value.owner
        if not isinstance(constant, ConstOp):
            return self.places[value]
        key = constant.key.data if constant.key is not None else None
        if key is None:
            key = self.store.add("weights", constant.array(self.store))
        if key not in self.constants:
            type_ = constant.result.type
            assert isinstance(type_, TensorType)
            self.constants[key] = BufferOp(key, "weights", type_.element_type, type_.get_shape(), constant=key)
            block.add_op(self.constants[key])
        return self.constants[key]

    def _store(self, block: Block, label: str, array: np.ndarray, space: str) -> BufferOp:
        buffer = BufferOp(label, space, BYTE, array.shape, constant=self.store.add(label, array))
        block.add_op(buffer)
        return buffer

    def _records(self, block: Block, op: GroupOp, group: Group) -> BufferOp:
        """Bias, multiplier and shift of every channel; the input's zero point is folded into the bias."""
        assert group.weights is not None
        weights = self._array(op, group.weights)
        layer = group.layer
        by_channel = (weights.swapaxes(-1, -2) if layer.in_major else weights).reshape(layer.groups * layer.M, -1)
        bias = np.zeros(len(by_channel), np.int64)
        if group.bias is not None:
            bias = np.broadcast_to(self._array(op, group.bias).reshape(-1), bias.shape).astype(np.int64)
        zero = int(group.source.zero)
        _check_sums(op, group, by_channel, bias)
        requantize = group.post.requantize
        assert requantize is not None
        records = np.zeros(len(bias), RECORD)
        records["bias"] = (bias - zero * by_channel.astype(np.int64).sum(axis=1)).astype(np.int32)
        records["multiplier"], records["shift"] = requantize.multipliers()
        return self._store(
            block, f"{layer.name}.post", records.view(np.uint8).reshape(-1, RECORD.itemsize), "parameters"
        )

    def _array(self, op: GroupOp, index: int) -> np.ndarray:
        constant = op.inputs[index].owner
        if not isinstance(constant, ConstOp):
            place = where(op.location, "group")
            raise UnsupportedError(
                Finding(place, "constant weights and bias were expected, not computed ones.", "E0807")
            )
        return constant.array(self.store)


def _check_sums(op: GroupOp, group: Group, weights: np.ndarray, bias: np.ndarray) -> None:
    """Raise DnncError when some input could overflow the int32 sums."""
    limits = np.iinfo(np.int8 if group.source.data.storage != BYTE else np.uint8)
    bound = fixed.accumulator_bound(weights, int(limits.min), int(limits.max), int(group.source.zero), bias)
    if bound.max() >= 2**31:
        text = f"sums below 2**31 were expected, not up to {bound.max()} in channel {bound.argmax()}"
        raise DnncError(
            Finding(where(op.location, group.layer.name), f"{text}. Quantize the weights with fewer bits.", "E0808")
        )


def _source_name(value: SSAValue) -> str | None:
    """The name of the network's input a value comes from."""
    while isinstance(value.owner, Operation) and value.owner.operands:
        value = value.owner.operands[0]
    return value.name_hint


def _root(value: SSAValue) -> SSAValue:
    """The value behind views."""
    while isinstance(value.owner, Movement):
        value = value.owner.operands[0]
    return value


class _Nest:
    """The loops, copies and compute of one layer."""

    def __init__(self, group: Group, tile: Tile, op: GroupOp, dram: dict[str, BufferOp]) -> None:
        self.group, self.tile, self.op, self.dram = group, tile, op, dram
        layer = self.layer = group.layer
        spans = {
            "n": (layer.N, 1),
            "g": (layer.groups, 1),
            "s": (layer.out[0], tile.rows),
            "z": (layer.M, tile.channels),
            "k": (layer.C if layer.kind == "dense" else 1, tile.reduction),
        }
        order = "ngszk" if tile.order == ORDERS[0] else "ngzsk"
        self.loops = [LoopOp(*spans[d], name=d) if spans[d][0] > spans[d][1] else None for d in order]
        self.order = order
        self.index = {d: i for i, d in enumerate(d for d, loop in zip(order, self.loops) if loop)}
        self.chip = self._buffers()

    def _buffers(self) -> dict[str, BufferOp]:
        layer, tile = self.layer, self.tile
        heights = [layer.rows(at, min(tile.rows, layer.out[0] - at)) for at in range(0, layer.out[0], tile.rows)]
        box = max(r.input[1] + sum(r.pad) for r in heights)
        rows = max(r.sums[1] for r in heights)
        width = layer.W + sum(layer.columns()[0])
        source, result = self.group.source.storage, self.group.result.storage
        shapes: dict[str, tuple[Attribute, tuple[int, ...], int]] = {
            "input": (source, (layer.C if tile.input_resident else tile.reduction, box, width), tile.copies),
            "output": (result, (tile.channels, tile.rows, layer.out[1]), tile.copies),
        }
        if layer.kind != "none":
            weights = (tile.channels, tile.reduction if layer.kind == "dense" else 1, layer.taps)
            if tile.weights_resident:
                weights = (layer.groups * layer.M, layer.C if layer.kind == "dense" else 1, layer.taps)
            shapes["weight"] = (IntegerType(8), weights, 1 if tile.weights_resident else tile.copies)
            shapes["accumulator"] = (IntegerType(32), (tile.channels, rows, layer.sums[1]), tile.sums_copies)
            records = (layer.groups * layer.M if tile.parameters_resident else tile.channels, RECORD.itemsize)
            shapes["parameter"] = (BYTE, records, 1 if tile.parameters_resident else tile.copies)
        if self.group.post.table is not None:
            shapes["table"] = (BYTE, (TABLE_BYTES,), 1)
        roles = {"table": "parameter"}
        return {
            role: BufferOp(f"{layer.name}.{role}", roles.get(role, role), element, shape, copies)
            for role, (element, shape, copies) in shapes.items()
        }

    def emit(self, block: Block) -> None:
        """Add the layer's operations to a block."""
        for buffer in self.chip.values():
            block.add_op(buffer)
        blocks = {-1: block}
        current = block
        for depth, loop in enumerate(self.loops):
            blocks[depth] = current = loop.body.block if loop else current
        for role, depth in self._depths().items():
            if role in self.dram and role != "output":
                blocks[depth].add_op(self._copy(role, depth))
        parent = block
        for depth, loop in enumerate(self.loops):
            if loop:
                parent.add_op(loop)
                parent = blocks[depth]
        parent.add_op(self._compute())
        depth = self._depths()["output"]
        blocks[depth].add_op(self._copy("output", depth))

    def _depths(self) -> dict[str, int]:
        """How deep each role's copy stands: just inside the innermost loop that moves it."""
        tied = self.layer.kind != "dense"
        moves = {
            "table": "",
            "parameter": "" if self.tile.parameters_resident else "gz",
            "weight": "" if self.tile.weights_resident else "gzk",
            "input": "ngsz" if tied else "ngs" if self.tile.input_resident else "ngsk",
            "output": "ngsz",
        }
        inner = {d: i for i, (d, loop) in enumerate(zip(self.order, self.loops)) if loop}
        return {role: max((inner[d] for d in dims if d in inner), default=-1) for role, dims in moves.items()}

    def _slice(self, dim: str, size: int, extent: int, base: int = 0, step: int = 1) -> Slice:
        if dim not in self.index:
            return Slice(base, size, extent)
        return Slice(base, size, extent, step, self.index[dim])

    def _slices(self, role: str) -> list[Slice]:
        """The tile a copy moves, over [n, g, c, h, w], [g, m, c, taps], records or a table."""
        layer, tile, whole = self.layer, self.tile, Slice.whole
        n, g = self._slice("n", 1, layer.N), self._slice("g", 1, layer.groups)
        z = self._slice("z", tile.channels, layer.M)
        k = self._slice("k", tile.reduction, layer.C)
        if layer.kind != "dense":
            k = self._slice("z", tile.reduction, layer.C)
        if role == "input":
            k = whole(layer.C) if tile.input_resident else k
            return [n, g, k, self._input_rows(), whole(layer.W)]
        if role == "output":
            return [n, g, z, self._slice("s", tile.rows, layer.out[0]), whole(layer.out[1])]
        if role == "table":
            return [whole(TABLE_BYTES)]
        resident = tile.weights_resident if role == "weight" else tile.parameters_resident
        outer = [whole(layer.groups), whole(layer.M)] if resident else [g, z]
        if role == "parameter":
            return [*outer, whole(RECORD.itemsize)]
        inner = whole(1) if layer.kind != "dense" else whole(layer.C) if resident else k
        return [*outer, inner, whole(layer.taps)]

    def _input_rows(self) -> Slice:
        layer = self.layer
        used = layer.rows(0, layer.out[0]).input
        pool, window = layer.pool, layer.window
        base = -pool.pads[0][0] * window.stride[0] - window.pads[0][0]
        sums = (self.tile.rows - 1) * pool.stride[0] + pool.extent[0]
        size = (sums - 1) * window.stride[0] + window.extent[0]
        return self._slice("s", size, used[0] + used[1], base, pool.stride[0] * window.stride[0])

    def _indices(self, depth: int) -> list[SSAValue]:
        return [loop.index for loop in self.loops[: depth + 1] if loop]

    def _copy(self, role: str, depth: int) -> CopyOp:
        sides = self.dram[role].result, self.chip[role].result
        source, target = sides if role != "output" else sides[::-1]
        slices = SlicesAttr(tuple(self._slices(role)))
        copy = CopyOp(source, target, self._indices(depth), slices)
        copy.location = self.op.location
        return copy

    def _compute(self) -> ComputeOp:
        layer, tile = self.layer, self.tile
        slices = (
            self._slice("n", 1, layer.N),
            self._slice("g", 1, layer.groups),
            self._slice("z", tile.channels, layer.M),
            self._slice("s", tile.rows, layer.out[0]),
            self._slice("k", tile.reduction, layer.C) if layer.kind == "dense" else Slice.whole(1),
        )
        tiles = {role: buffer.result for role, buffer in self.chip.items()}
        body = self.op.body.clone()
        for old, new in zip(self.op.body.block.ops, body.block.ops):
            new.location = old.location
        compute = ComputeOp(layer.name, tiles, self._indices(len(self.loops)), SlicesAttr(slices), body)
        compute.location = self.op.location
        return compute
