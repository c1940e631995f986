"""A loop over states that stays on chip: what its steps read and write in place, and which constants are loaded once.

States, slices and what a step makes lie on chip as a whole; slices and reshapes are views of them. Constants that fit stay
for all steps, the largest others come again in each. A loop that cannot run so is None, and runs step by step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from xdsl.ir import BlockArgument, SSAValue

from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn.movement import Movement, Strided, View
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp, YieldOp
from dnnc.ir.types import nbytes, shape_of
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.allocate import plan
from dnnc.passes.analysis.allocation import Buffer
from dnnc.passes.analysis.group import Group, group_of
from dnnc.passes.analysis.layer import Layer, laid
from dnnc.passes.analysis.shapes import LONGEST
from dnnc.passes.analysis.strides import composed, contiguous, reshaped
from dnnc.passes.analysis.tiling import ALIGN, MAX_ROWS, MAX_RUN, MAX_RUNS

CONSTANTS = ("weight", "parameter", "table")
"""What a layer loads besides values."""


@dataclass(frozen=True)
class Place:
    """Where a value lies: in the buffer of a root, a value of the body, as a strided part of it."""

    root: SSAValue
    layout: Strided


@dataclass(frozen=True)
class Part:
    """A layer of a step: its group, its values by role, how many channels a compute makes, the first layer with the same
    table, what is loaded once.
    """

    op: GroupOp
    group: Group
    layer: Layer
    values: Mapping[str, SSAValue]
    channels: int
    like: int
    keeps: frozenset[str] = frozenset()

    def bytes_of(self, role: str) -> int:
        """Bytes of a constant as a whole."""
        layer = self.layer
        if role == "table":
            return layer.table_bytes
        return layer.record * layer.records if role == "parameter" else _weights(layer)

    def tile_bytes(self, role: str) -> int:
        """Bytes of what comes in each step at once: weights by channels, in two copies, else the whole."""
        if role != "weight" or self.channels == self.layer.M:
            return self.bytes_of(role)
        return 2 * -(-self.channels * self.layer.C // ALIGN) * ALIGN


def _weights(layer: Layer) -> int:
    return layer.groups * layer.M * layer.C if layer.kind == "dense" else 0


@dataclass(frozen=True)
class Recurrence:
    """The layers of a step in order, the place of each value of the body, and the state that each next one is written over."""

    scan: ScanOp
    parts: tuple[Part, ...]
    places: Mapping[SSAValue, Place]
    over: Mapping[SSAValue, SSAValue]

    def shared(self, i: int, role: str) -> bool:
        """Whether a layer reads a constant that an earlier one has loaded."""
        return role == "table" and role in self.parts[i].keeps and self.parts[i].like != i

    def buffer(self, value: SSAValue) -> SSAValue:
        """The value in whose buffer another lies."""
        root = self.places[value].root
        return self.over.get(root, root)


def recurrence(scan: ScanOp, arch: Accelerator, store: WeightStore) -> Recurrence | None:
    """How a loop runs on chip; None when it does not fit, or does what only single steps can."""
    if arch.holding("input") is not arch.holding("output"):
        return None
    reader = _Reader(scan, arch, store)
    if not reader.read() or not all(_moves(v) for v in (*scan.body.block.args, *scan.yielded())):
        return None
    found = Recurrence(scan, tuple(reader.parts), reader.places, reader.over)
    return _kept(found, arch)


def _moves(value: SSAValue) -> bool:
    """Whether one transfer moves a value."""
    return (
        nbytes(value.type) < MAX_RUN
        and max(shape_of(value.type), default=1) <= LONGEST
        and len(shape_of(value.type)) < 5
    )


@dataclass
class _Reader:
    """Goes through the body of a loop."""

    scan: ScanOp
    arch: Accelerator
    store: WeightStore
    tables: dict[bytes, int] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    places: dict[SSAValue, Place] = field(default_factory=dict)
    over: dict[SSAValue, SSAValue] = field(default_factory=dict)

    def read(self) -> bool:
        """Whether all of the body can run on chip."""
        block = self.scan.body.block
        for value in (*block.args, *(op.results[0] for op in block.ops if isinstance(op, ConstOp))):
            self.places[value] = Place(value, Strided.rows(shape_of(value.type)))
        return all(self._operation(op) for op in block.ops) and self._states() and self._stacked()

    def _operation(self, op: object) -> bool:
        if isinstance(op, (ConstOp, YieldOp)):
            return True
        if isinstance(op, Movement):
            return self._view(op, op.operands[0], op.results[0])
        if not isinstance(op, GroupOp) or len(op.results) != 1:
            return False
        first = op.body_ops()[0]
        if len(op.body_ops()) == 1 and isinstance(first, Movement):
            return len(op.inputs) == 1 and self._view(first, op.inputs[0], op.results[0])
        return self._layer(op)

    def _view(self, op: Movement, source: SSAValue, result: SSAValue) -> bool:
        if not isinstance(op, View) and not op.is_view():
            return False
        place = self.places[source]
        layout = composed(place.layout, op.parts()[0].read, op, 0)
        if layout is None or any(s < 0 for s in layout.strides):
            return False
        layout = reshaped(layout, shape_of(result.type))
        if layout is not None:
            self.places[result] = Place(place.root, layout)
        return layout is not None

    def _layer(self, op: GroupOp) -> bool:
        try:
            group = group_of(op.body.block, "step", op.location)
        except UnsupportedError:
            return False
        result = op.results[0]
        values = {"input": op.inputs[group.x], "output": result}
        if group.second is not None:
            values["second"] = op.inputs[group.second.argument]
        self.places[result] = Place(result, Strided.rows(shape_of(result.type)))
        layer = laid(group.layer, {role: self.places[v].layout for role, v in values.items()})
        channels = _channels(layer, self.arch) if layer is not None and _plain(group) and _constants(op, group) else 0
        if layer is not None and channels:
            self.parts.append(Part(op, group, layer, values, channels, self._like(op, group)))
        return channels > 0

    def _like(self, op: GroupOp, group: Group) -> int:
        """The first layer with the table of one that is read now, itself without a table."""
        if not group.layer.table_bytes:
            return len(self.parts)
        table = group.table(lambda i: op.inputs[i].owner.array(self.store))  # pyright: ignore[reportAttributeAccessIssue]
        return self.tables.setdefault(table.tobytes(), len(self.parts))

    def _states(self) -> bool:
        """Each next state is written over the last one, which nothing reads any more."""
        states = self.scan.body.block.args[: len(self.scan.states)]
        for state, value in zip(states, self.scan.yielded()):
            place = self.places[value]
            if place.root is state and contiguous(place.layout):
                continue
            if not self._over(state, place):
                return False
            self.over[place.root] = state
        return True

    def _over(self, state: SSAValue, place: Place) -> bool:
        made = next((i for i, p in enumerate(self.parts) if p.values["output"] is place.root), None)
        if made is None or place.root in self.over or not self._whole(place):
            return False
        readers = [
            (i, role, v) for i, p in enumerate(self.parts) for role, v in p.values.items() if self._reads(v, state)
        ]
        same = {made} if self.parts[made].layer.kind == "none" else set()
        alike = all(self._whole(self.places[v]) for i, _, v in readers if i == made)
        return alike and all(i < made or i in same for i, _, _ in readers)

    def _reads(self, value: SSAValue, state: SSAValue) -> bool:
        return self.places[value].root is state

    def _whole(self, place: Place) -> bool:
        return contiguous(place.layout) and prod(place.layout.shape) == prod(shape_of(place.root.type))

    def _stacked(self) -> bool:
        made = {p.values["output"] for p in self.parts}
        places = [self.places[v] for v in self.scan.yielded()[len(self.scan.states) :]]
        return all(p.root in made and self._whole(p) for p in places)


def _plain(group: Group) -> bool:
    layer = group.layer
    alone = layer.pooled or layer.vector or layer.wide or group.counts is not None or layer.values * layer.packs > 1
    shaped = layer.kind == "none" or (layer.kind == "dense" and layer.matrix)
    return shaped and not alone and max(layer.H, layer.out[0]) < MAX_ROWS and _weights(layer) < MAX_RUN * MAX_RUNS


def _constants(op: GroupOp, group: Group) -> bool:
    """Whether all it reads but values are constants that stand in the body."""
    second = group.second.argument if group.second is not None else None
    values = {group.x, second} - {group.weights}
    return all(isinstance(v.owner, ConstOp) for i, v in enumerate(op.inputs) if i not in values)


def _channels(layer: Layer, arch: Accelerator) -> int:
    """Channels a compute makes, so that two copies of their sums fill at most half of the accumulators; 0 when none do."""
    most = LONGEST
    if layer.kind != "none":
        most = min(most, arch.holding("accumulator").bytes // (2 * 2 * 4 * layer.H))
    folds = -(-layer.M // max(1, most))
    return -(-layer.M // folds) if most else 0


def _kept(found: Recurrence, arch: Accelerator) -> Recurrence | None:
    """With as many constants loaded once as fit, the largest given up first; None when it does not fit without any."""
    parts = [replace(p, keeps=frozenset(r for r in CONSTANTS if p.bytes_of(r))) for p in found.parts]
    while (full := _full(replace(found, parts=tuple(parts)), arch)) is not None:
        holds = next(m.holds for m in arch.memory if m.name == full)
        roles = {"table": "parameter"}
        kept = [(p.bytes_of(r), i, r) for i, p in enumerate(parts) for r in p.keeps if roles.get(r, r) in holds]
        if not kept:
            return None
        _, i, role = max(kept)
        if role == "weight":
            parts[i] = replace(parts[i], channels=_streamed(parts[i], arch))
        for j, part in enumerate(parts):
            if j == i or (role == "table" and part.like == parts[i].like):
                parts[j] = replace(part, keeps=part.keeps - {role})
    return replace(found, parts=tuple(parts))


def _streamed(part: Part, arch: Accelerator) -> int:
    """Channels whose weights come together: at most a quarter of their memory, for two copies."""
    most = max(1, arch.holding("weight").bytes // (8 * max(1, part.layer.C)))
    folds = -(-part.layer.M // min(part.channels, most))
    return -(-part.layer.M // folds)


def _full(found: Recurrence, arch: Accelerator) -> str | None:
    """The first memory that is too small."""
    asked = list(_asked(found))
    for memory in arch.memory:
        buffers = [Buffer(i, size, a, b, ALIGN) for i, (role, size, a, b) in enumerate(asked) if role in memory.holds]
        if buffers and plan(buffers).peak > memory.bytes:
            return memory.name
    return None


def _asked(found: Recurrence) -> Iterator[tuple[str, int, int, int]]:
    """(role, bytes, first step, end) of every buffer, a step for each layer."""
    n = len(found.parts)
    last: dict[SSAValue, int] = {}
    for i, part in enumerate(found.parts):
        last |= {found.buffer(v): i + 1 for v in part.values.values()}
    last |= {found.buffer(v): n for v in found.scan.yielded()}
    made = {p.values["output"]: i for i, p in enumerate(found.parts) if p.values["output"] not in found.over}
    for value, end in last.items():
        first, end = (made[value], end) if value in made else (0, n)
        yield "input", nbytes(value.type) * copies(found, value), first, end
    for i, part in enumerate(found.parts):
        for role in CONSTANTS:
            size = part.bytes_of(role)
            if size and not found.shared(i, role):
                space = "parameter" if role == "table" else role
                kept = role in part.keeps
                yield (space, size, 0, n) if kept else (space, part.tile_bytes(role), i, i + 1)
        if part.layer.kind != "none":
            yield "accumulator", 2 * (-(-4 * part.channels * part.layer.H // ALIGN) * ALIGN), i, i + 1


def copies(found: Recurrence, value: SSAValue) -> int:
    """Copies of a value's buffer: a slice of a sequence is loaded while the last one is read."""
    scan = found.scan
    first = len(scan.states)
    sliced = isinstance(value, BlockArgument) and first <= value.index < first + len(scan.sequences)
    return 2 if sliced else 1


def slices_of(found: Recurrence) -> Sequence[SSAValue]:
    """The arguments of the body that are slices of sequences."""
    first = len(found.scan.states)
    return found.scan.body.block.args[first : first + len(found.scan.sequences)]
