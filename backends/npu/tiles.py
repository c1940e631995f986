"""Where the tiles of a layer lie: the place a compute has reached, and each copy as one transfer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import SSAValue

from dnnc.backends.npu.held import Held, Whole, cut
from dnnc.backends.npu.isa import TYPES
from dnnc.ir.dnn.movement import Strided, row_strides
from dnnc.ir.fixed import AFFINE, EXP_BYTES
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, SlicesAttr, ViewOp, buffer_of, layout_of
from dnnc.ir.types import QuantType, bits, integer_range
from dnnc.passes.analysis.footprint import tile_bytes
from dnnc.passes.analysis.group import Group, group_of
from dnnc.passes.analysis.group_operands import check_weights
from dnnc.passes.analysis.layer import Layer, Rows, laid
from dnnc.passes.schedule.moves import LONGEST

Env = dict[SSAValue, int]


@dataclass(frozen=True)
class Place:
    """The tile a compute works on: first and count of images, groups, channels, output rows, summed channels and output
    columns; and what buffers hold of tensors, or whole ones, by role.
    """

    n: int
    g: int
    z: tuple[int, int]
    s: tuple[int, int]
    k: tuple[int, int]
    first: bool
    last: bool
    x: tuple[int, int]
    held: Mapping[str, Held | Whole]


class LayerTiles:
    """A compute with its group taken apart and the buffers of its tiles."""

    def __init__(self, op: ComputeOp) -> None:
        self.op = op
        self.group: Group = group_of(op.body.block, op.label.data, op.location)
        self.whole = {role.data: layout_of(t) for role, t in zip(op.roles, op.tiles) if isinstance(t.owner, ViewOp)}
        shape = laid(self.group.layer, self.whole) if "output" in self.whole else self.group.layer
        assert shape is not None
        self.shape: Layer = shape
        self.pads, self.pool_pads = self.shape.columns()
        self.computed = False
        self._rows: dict[tuple[int, int], Rows] = {}
        self._columns: dict[tuple[int, int], Rows] = {}
        self.buffers = {role.data: buffer_of(tile) for role, tile in zip(op.roles, op.tiles)}
        self.parts = {role: part for role in self.buffers if (part := op.held(role))}
        self.rolling = {role: Held.of(self.buffers[role], (0, 0)) for role in self.parts if role not in self.whole}

    def buffer(self, role: str) -> BufferOp:
        """The buffer on chip that plays a role."""
        return self.buffers[role]

    @property
    def sums(self) -> BufferOp:
        """The buffer the matrix unit sums in."""
        return self.buffer("output" if self.shape.wide else "accumulator")

    @cached_property
    def weight_type(self) -> QuantType:
        """Type of the weights."""
        assert self.group.weights is not None
        return check_weights(self.op.body.block.args[self.group.weights])

    def place(self, env: Env) -> Place:
        """Where the enclosing loops stand; loops not entered yet count as their first trip."""
        at = spans(self.op, self.op.slices, env)
        (n, _), (g, _), z, s, k = at
        end = self.op.slices.data[4].extent
        x, held = (0, self.shape.out[1]), {}
        for role, part in self.parts.items():
            (y, _), columns = spans(self.op, part, env)
            if role in self.rolling:
                channel = g * (self.shape.C if role == "input" else self.shape.M)
                held[role] = replace(self.rolling[role], first=(y, columns[0]), channel=channel)
            x = columns if role == "output" else x
        held |= {role: self._whole(role, layout, n, g) for role, layout in self.whole.items()}
        if self.shape.kind != "dense":
            per = self.shape.M // self.shape.C
            return Place(n, g, z, s, (z[0] // per, -(-z[1] // per)), True, True, x, held)
        return Place(n, g, z, s, k, k[0] == 0, sum(k) == end, x, held)

    def _whole(self, role: str, layout: Strided, n: int, g: int) -> Whole:
        """A tensor that stays on chip, of an image and a group."""
        strides, sizes = self.shape.strides(role, layout), self.shape.sizes(role)
        assert strides is not None
        pitch = {letter: stride * (sizes[letter] > 1) for letter, stride in strides.items()}
        start = layout.offset + n * pitch["n"] + g * pitch["g"]
        return Whole(self.buffers[role], start, (pitch["c"], pitch["y"]), sizes["x"], self.shape.bytes_of(role))

    def rows(self, p: Place) -> Rows:
        """The rows of the tile at a place; those that blocks see where steps hold parts of tensors."""
        if p.s not in self._rows:
            self._rows[p.s] = self.shape.span(0, *p.s) if self.parts else self.shape.rows(*p.s)
        return self._rows[p.s]

    def columns(self, p: Place) -> Rows:
        """The columns of the tile at a place."""
        if "input" in p.held:
            if p.x not in self._columns:
                self._columns[p.x] = self.shape.span(1, *p.x)
            return self._columns[p.x]
        return Rows(p.x, (0, self.shape.sums[1]), (0, self.shape.W), self.pads, self.pool_pads)


def spans(op: ComputeOp | CopyOp, slices: SlicesAttr, env: Env) -> list[tuple[int, int]]:
    """(first, count) of each slice where the loops stand."""
    loops = op.loops
    return [s.at(env.get(loops[s.loop], 0) if s.loop >= 0 else 0) for s in slices.data]


@dataclass(frozen=True)
class Box:
    """A transfer relative to its DRAM buffer; strides of 0 are packed. A coded one has the size of its block for a stride."""

    offset: int
    rows: int
    row_bytes: int
    count2: int = 1
    count3: int = 1
    dram: tuple[int, int, int] = (0, 0, 0)
    local: tuple[int, int, int] = (0, 0, 0)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    value: int = 0
    coded: bool = False

    @property
    def bytes(self) -> int:
        """Bytes moved."""
        return self.rows * self.row_bytes * self.count2 * self.count3


def _tensor_box(layer: LayerTiles, role: str, at: dict[str, tuple[int, int]], layout: Strided) -> Box:
    """The part of a tensor at (first, count) of each letter, the inner two or three of them as one transfer."""
    strides = layer.shape.strides(role, layout)
    assert strides is not None
    offset = layout.offset + sum(first * strides[letter] for letter, (first, _) in at.items())
    each = layer.shape.bytes_of(role)
    if layer.shape.matrix:
        return Box(each * offset, at["y"][1], each * at["c"][1], dram=(each * strides["y"], 0, 0))
    (_, c), (_, y), (_, x) = (at[letter] for letter in "cyx")
    return Box(each * offset, y, each * x, c, dram=(each * strides["y"], each * strides["c"], 0))


def _input_box(layer: LayerTiles, p: Place, inside: BufferOp, layout: Strided) -> Box:
    rows = layer.rows(p)
    at = {"n": (p.n, 1), "g": (p.g, 1), "c": input_channels(layer, p, inside), "y": rows.input, "x": (0, layer.shape.W)}
    box = _tensor_box(layer, "input", at, layout)
    if layer.shape.matrix:
        return box
    return replace(box, pad=(*rows.pad, *layer.pads), value=int(layer.group.source.zero) & 0xFF)


def input_channels(layer: LayerTiles, p: Place, inside: BufferOp) -> tuple[int, int]:
    """(first, count) of the input channels a buffer holds: those summed now, or all of them."""
    type_ = inside.result.type
    assert isinstance(type_, MemRefType)
    whole = layer.shape.kind == "dense" and type_.get_shape()[0] == layer.shape.C
    return (0, layer.shape.C) if whole else p.k


def _output_box(layer: LayerTiles, p: Place, inside: BufferOp, layout: Strided) -> Box:
    packs = layer.shape.packs
    made = (p.z[0] // packs, p.z[1] // packs)
    at = {"n": (p.n, 1), "g": (p.g, 1), "c": made, "y": p.s, "x": (0, layer.shape.out[1])}
    return _tensor_box(layer, "output", at, layout)


def beside(layer: LayerTiles, p: Place) -> dict[str, tuple[int, int]]:
    """(first, count) of each letter of the second operand's tile."""
    rows = p.s if layer.shape.summed_first else layer.rows(p).sums
    sizes = layer.shape.sizes("second")
    at = {"n": (p.n, 1), "g": (p.g, 1), "c": p.z, "y": rows, "x": (0, sizes["x"])}
    return {letter: place if letter in (layer.shape.second or "") else (0, 1) for letter, place in at.items()}


def _second_box(layer: LayerTiles, p: Place, inside: BufferOp, layout: Strided) -> Box:
    return _tensor_box(layer, "second", beside(layer, p), layout)


def _weight_box(layer: LayerTiles, p: Place, inside: BufferOp, layout: Strided) -> Box:
    shape = layer.shape
    strides = shape.weight_strides(layout)
    assert strides is not None
    inputs = shape.C if shape.kind == "dense" else 1
    rows, run = (inputs, shape.M) if shape.in_major else (shape.M, inputs * shape.taps)
    if _resident(inside, shape):
        return Box(layout.offset, rows, run, shape.groups, dram=(strides["row"], strides["g"], 0))
    depth = p.k if shape.kind == "dense" else (0, 1)
    first, count = (depth, p.z) if shape.in_major else (p.z, (depth[0] * shape.taps, depth[1] * shape.taps))
    offset = layout.offset + p.g * strides["g"] + first[0] * strides["row"] + count[0]
    return Box(offset, first[1], count[1], dram=(strides["row"], 0, 0))


def _in_a_row(count: int, size: int) -> Box:
    """Records one behind the other; as long rows, and few of them, where there are more records than a transfer has rows."""
    return Box(0, count, size) if count <= LONGEST else Box(0, size, count)


def _record_box(layer: LayerTiles, p: Place, inside: BufferOp, layout: Strided) -> Box:
    if inside is layer.op.tile("table"):
        return Box(0, 1, layer.shape.table_bytes)
    shape = layer.shape
    if whole_records(inside, shape):
        return _in_a_row(shape.records, shape.record)
    return Box(shape.record * (p.g * shape.M + p.z[0]), p.z[1], shape.record)


BOXES: dict[str, Callable[[LayerTiles, Place, BufferOp, Strided], Box]] = {
    "input": _input_box,
    "output": _output_box,
    "second": _second_box,
    "weight": _weight_box,
    "parameter": _record_box,
    "table": _record_box,
    "exp": lambda layer, p, inside, layout: Box(0, 1, EXP_BYTES),
    "affine": lambda layer, p, inside, layout: _in_a_row(layer.shape.affine, AFFINE.itemsize),
}


def move_box(op: CopyOp, counts: Sequence[int], firsts: Sequence[int]) -> Box:
    """A transfer of a move: the tile's dimensions by falling stride in DRAM, so that contiguous bytes go together."""
    outside, inside = (op.source, op.target) if op.loads else (op.target, op.source)
    layout, tile = layout_of(outside), row_strides(layout_of(inside).shape)
    offset = layout.offset + sum(first * s for first, s in zip(firsts, layout.strides))
    dims = [d for d in zip(counts, layout.strides, tile) if d[0] > 1]
    dims.sort(key=lambda d: -d[1])
    run = dims.pop()[0] if dims and dims[-1][1:] == (1, 1) else 1
    rest = [(1, 0, 0)] * (3 - len(dims)) + dims
    (n3, d3, l3), (n2, d2, l2), (n1, d1, l1) = rest
    each = value_bytes(outside)
    dram, local = ([each * s for s in strides] for strides in ((d1, d2, d3), (l1, l2, l3)))
    return Box(each * offset, n1, each * run, n2, n3, (dram[0], dram[1], dram[2]), (local[0], local[1], local[2]))


def value_bytes(buffer: SSAValue) -> int:
    """Bytes of an element of a buffer or view."""
    type_ = buffer.type
    assert isinstance(type_, MemRefType)
    return bits(type_.element_type) // 8


def held_boxes(held: Held, at: Sequence[tuple[int, int]], layout: Strided) -> list[tuple[int, int, Box]]:
    """(first row, byte of the buffer, transfer) of each piece of [image, channel, row, column] in a rolling buffer."""
    (n, _), (c, channels), (y, rows), (x, columns) = at
    sn, sc, sy, _ = layout.strides
    across, down = held.pitches
    found = []
    for first, count in cut(y, rows, held.breaks(y, rows)):
        offset = layout.offset + n * sn + c * sc + first * sy + x
        box = Box(offset, count, columns, channels, dram=(sy, sc, 0), local=(down, across, 0))
        found.append((first, held.byte(c, first, x), box))
    return found


def whole_records(records: BufferOp, shape: Layer) -> bool:
    """Whether a buffer holds the records of all channels."""
    return tile_bytes(records) == shape.record * shape.records


def _resident(weights: BufferOp, shape: Layer) -> bool:
    """Whether a buffer holds all weights of the layer."""
    return tile_bytes(weights) == shape.groups * shape.M * (shape.C if shape.kind == "dense" else 1) * shape.taps


def weight_start(layer: LayerTiles, p: Place, weights: BufferOp) -> tuple[int, int]:
    """(byte of the tile's first weight in its buffer, pitch between rows of it)."""
    shape = layer.shape
    if not _resident(weights, shape):
        if shape.in_major:
            return 0, p.z[1]
        return 0, (p.k[1] if shape.kind == "dense" else 1) * shape.taps
    if shape.in_major:
        return p.g * shape.C * shape.M + p.k[0] * shape.M + p.z[0], shape.M
    line = (shape.C if shape.kind == "dense" else 1) * shape.taps
    start = p.k[0] * shape.taps if shape.kind == "dense" else 0
    return (p.g * shape.M + p.z[0]) * line + start, line


def signed(type_: QuantType) -> int:
    """1 for signed values."""
    return int(integer_range(type_.storage)[0] < 0)


def type_code(type_: QuantType) -> int:
    """The number of a type among those of a post-processing unit's values."""
    return TYPES.index(f"{'i' if signed(type_) else 'u'}{bits(type_)}")
