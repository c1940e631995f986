"""From the schedule to instructions: the loops are walked, each copy becomes LD or ST, each compute MM and PPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from xdsl.dialects.builtin import MemRefType, ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import BlockArgument, Operation

from dnnc.backends.npu import isa
from dnnc.backends.npu.footprint import RECORD_BYTES
from dnnc.backends.npu.isa import Engine, Instruction
from dnnc.backends.npu.program import REGIONS, Tag
from dnnc.backends.npu.tokens import Interval, Row
from dnnc.ir.arch import ROLES, Accelerator
from dnnc.ir.diagnostics import Finding, InternalError, where
from dnnc.ir.fixed import TABLE_BYTES
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, LoopOp, buffer_of
from dnnc.ir.types import QuantType, integer_range
from dnnc.passes.analysis.footprint import buffer_bytes, pitch, tile_bytes
from dnnc.passes.analysis.layer import Group, Layer, Rows, group_of

Env = dict[BlockArgument, int]


@dataclass(frozen=True)
class Selection:
    """The instructions of a program, not yet encoded, and its tags."""

    rows: list[Row]
    tags: tuple[Tag, ...]


@dataclass(frozen=True)
class Place:
    """The tile a compute works on: first and count of images, groups, channels, output rows and summed channels."""

    n: int
    g: int
    z: tuple[int, int]
    s: tuple[int, int]
    k: tuple[int, int]
    first: bool
    last: bool


class _Layer:
    """A compute with its group taken apart and the buffers of its tiles."""

    def __init__(self, op: ComputeOp) -> None:
        self.op = op
        self.group: Group = group_of(op.body.block, op.label.data, op.location)
        self.shape: Layer = self.group.layer
        self.pads, self.pool_pads = self.shape.columns()

    def buffer(self, role: str) -> BufferOp:
        found = self.op.tile(role)
        assert found is not None
        return found

    def place(self, env: Env) -> Place:
        """Where the enclosing loops stand; loops not entered yet count as their first trip."""
        values = [env.get(i, 0) for i in self.op.indices if isinstance(i, BlockArgument)]
        at = [s.at(values[s.loop] if s.loop >= 0 else 0) for s in self.op.slices.data]
        (n, _), (g, _), z, s, k = at
        end = self.op.slices.data[4].extent
        if self.shape.kind != "dense":
            per = self.shape.M // self.shape.C
            return Place(n, g, z, s, (z[0] // per, -(-z[1] // per)), True, True)
        return Place(n, g, z, s, k, k[0] == 0, sum(k) == end)

    def rows(self, p: Place) -> Rows:
        return self.shape.rows(*p.s)


def select(module: ModuleOp, arch: Accelerator) -> Selection:
    """The instructions of a planned schedule, in an order in which every hazard points backwards; halt at the end."""
    selector = _Selector(arch)
    body = main_function(module).body.block.ops
    for op in body:
        selector.note_layers(op)
    selector.block(body, {})
    selector.add(isa.HALT, Engine.CTRL, {})
    return Selection(selector.rows, tuple(selector.tags))


class _Selector:
    def __init__(self, arch: Accelerator) -> None:
        self.arch = arch
        self.rows: list[Row] = []
        self.tags: dict[Tag, int] = {Tag("program"): 0}
        self.state: dict[tuple[Engine, str], dict[str, int]] = {}
        self.turn: dict[BufferOp, int] = {}
        self.layers: dict[BufferOp, _Layer] = {}
        self.memory = {m.name: i for i, m in enumerate(arch.memory)}
        self.tag = 0

    # Walking

    def block(self, ops: Iterable[Operation], env: Env) -> None:
        """Run the operations of a block with the induction variables of the loops around it."""
        for op in ops:
            if isinstance(op, LoopOp):
                for value in op.values:
                    self.block(op.body.block.ops, {**env, op.index: value})
            elif isinstance(op, CopyOp):
                self._copy(op, env)
            elif isinstance(op, ComputeOp):
                self._compute(self.layers[buffer_of(op.tiles[0])], env)
            elif not isinstance(op, BufferOp | ReturnOp):
                raise InternalError(
                    Finding(where(op.location, op.name), f"expected a schedule, not '{op.name}'.", "E0999")
                )

    def note_layers(self, op: Operation) -> None:
        """Tie each on-chip buffer to its compute, so that copies know the layer they serve."""
        for inner in op.walk():
            if isinstance(inner, ComputeOp):
                layer = _Layer(inner)
                self.layers.update((buffer_of(t), layer) for t in inner.tiles)

    # Emission

    def add(
        self,
        instruction: Instruction,
        engine: Engine,
        fields: Mapping[str, int],
        reads: tuple[Interval, ...] = (),
        writes: tuple[Interval, ...] = (),
    ) -> None:
        self.rows.append(Row(instruction, engine, self.tag, dict(fields), reads, writes))

    def set(self, instruction: Instruction, engine: Engine, **fields: int) -> None:
        """Set state, when it differs from what the queue holds."""
        wanted = {f.name: fields.get(f.name, f.default) for f in instruction.fields}
        key = (engine, instruction.name)
        if self.state.get(key, {f.name: f.default for f in instruction.fields}) != wanted:
            self.state[key] = wanted
            self.add(instruction, engine, wanted)

    def _enter(self, layer: _Layer, p: Place) -> None:
        """Tag what follows with a layer and its tile."""
        tile = f"n{p.n} g{p.g} z{p.z[0]} s{p.s[0]}"
        tag = Tag(layer.shape.name, where(layer.op.location, ""), tile)
        if tag not in self.tags and len(self.tags) >= 1 << 16:
            tag = Tag(layer.shape.name, tag.node)
        self.tag = self.tags.setdefault(tag, min(len(self.tags), (1 << 16) - 1))

    def _address(self, buffer: BufferOp) -> int:
        """On-chip address of the copy of a buffer now in use."""
        assert buffer.offset is not None
        return buffer.offset.data + self.turn.get(buffer, 0) % buffer.copies.data * pitch(buffer)

    def _next(self, buffer: BufferOp) -> None:
        self.turn[buffer] = self.turn.get(buffer, -1) + 1

    def _chip(self, buffer: BufferOp) -> Interval:
        low = self._address(buffer)
        return self.memory[self.arch.holding(buffer.space.data).name], low, low + tile_bytes(buffer)

    def _dram(self, buffer: BufferOp) -> Interval:
        assert buffer.offset is not None
        number = REGIONS.index(buffer.space.data)
        return len(self.memory) + number, buffer.offset.data, buffer.offset.data + buffer_bytes(buffer)

    # Copies

    def _copy(self, op: CopyOp, env: Env) -> None:
        outside, inside = buffer_of(op.source), buffer_of(op.target)
        if not op.loads:
            outside, inside = inside, outside
        layer = self.layers[inside]
        role = next(r.data for r, t in zip(layer.op.roles, layer.op.tiles) if t.owner is inside)
        p = layer.place(env)
        self._enter(layer, p)
        if op.loads:
            self._next(inside)
        box = _BOXES[role](layer, p, inside)
        self._check(op, env, box)
        self._transfer(op, outside, inside, box)

    def _check(self, op: CopyOp, env: Env, box: Box) -> None:
        """The transfer moves exactly the slices of the copy; the report counts those."""
        values = [env[i] for i in op.indices if isinstance(i, BlockArgument)]
        n = 1
        for s in op.slices.data:
            n *= s.at(values[s.loop] if s.loop >= 0 else 0)[1]
        if n != box.rows * box.row_bytes * box.count2 * box.count3:
            got = f"{box.rows}x{box.row_bytes}x{box.count2}x{box.count3}"
            raise InternalError(
                Finding(where(op.location, op.name), f"expected a transfer of {n} bytes, not {got}.", "E0999")
            )

    def _transfer(self, op: CopyOp, outside: BufferOp, inside: BufferOp, box: Box) -> None:
        engine, instruction = (Engine.LD, isa.LD) if op.loads else (Engine.ST, isa.ST)
        assert outside.offset is not None
        self.set(isa.DMA_COUNT, engine, count2=box.count2, count3=box.count3)
        self.set(isa.DMA_DRAM, engine, dram1=box.dram1, dram2=box.dram2, dram3=box.dram3)
        if op.loads:
            top, bottom, left, right = box.pad
            value = box.value if any(box.pad) else 0
            self.set(isa.DMA_PAD, engine, top=top, bottom=bottom, left=left, right=right, value=value)
        fields = {
            "region": REGIONS.index(outside.space.data),
            "offset": outside.offset.data + box.offset,
            "space": ROLES.index(inside.space.data),
            "address": self._address(inside),
            "rows": box.rows,
            "row_bytes": box.row_bytes,
        }
        chip, dram = (self._chip(inside),), (self._dram(outside),)
        self.add(instruction, engine, fields, *((dram, chip) if op.loads else (chip, dram)))

    # Compute

    def _compute(self, layer: _Layer, env: Env) -> None:
        p = layer.place(env)
        self._enter(layer, p)
        if layer.shape.kind != "none":
            if p.first:
                self._next(layer.buffer("accumulator"))
            self._product(layer, p)
        if p.last:
            self._next(layer.buffer("output"))
            self._post(layer, p)

    def _product(self, layer: _Layer, p: Place) -> None:
        shape, rows = layer.shape, layer.rows(p)
        x, w, acc = (layer.buffer(r) for r in ("input", "weight", "accumulator"))
        width = shape.W + sum(layer.pads)
        height = rows.input[1] + sum(rows.pad)
        window, depthwise = shape.window, shape.kind == "depthwise"
        source, weights = layer.group.source, _weight_type(layer)
        skipped, held = _input_channels(layer, p, x)
        layout = (1, held) if shape.matrix else (height * width, width)
        count = 1 if depthwise else p.k[1]
        self.set(
            isa.MM_INPUT, Engine.MM, channels=count, channel_pitch=layout[0], row_pitch=layout[1], type=_signed(source)
        )
        self.set(
            isa.MM_WINDOW,
            Engine.MM,
            **{f"{n}_{a}": v for n in ("kernel", "stride", "dilation") for a, v in zip("hw", getattr(window, n))},
            columns=shape.sums[1],
            mode=int(depthwise),
        )
        start, weight_pitch = _weight_start(layer, p, w)
        self.set(
            isa.MM_WEIGHT,
            Engine.MM,
            pitch=weight_pitch,
            order=int(shape.in_major),
            type=_signed(weights),
            multiplier=shape.M // shape.C if depthwise else 1,
        )
        sums = (1, p.z[1]) if shape.matrix else (rows.sums[1] * shape.sums[1], shape.sums[1])
        self.set(isa.MM_OUTPUT, Engine.MM, channel_pitch=sums[0], row_pitch=sums[1])
        fields = {
            "input": self._address(x) + (p.k[0] - skipped) * layout[0],
            "weight": self._address(w) + start,
            "accumulator": self._address(acc),
            "channels": p.z[1],
            "rows": rows.sums[1],
            "accumulate": int(not p.first),
        }
        self.add(isa.MM, Engine.MM, fields, (self._chip(x), self._chip(w)), (self._chip(acc),))

    def _post(self, layer: _Layer, p: Place) -> None:
        shape, rows, post = layer.shape, layer.rows(p), layer.group.post
        y, summed = layer.buffer("output"), shape.kind != "none"
        source = layer.buffer("accumulator" if summed else "input")
        reads = [self._chip(source)]
        columns = shape.sums[1]
        layout = (1, p.z[1]) if shape.matrix else (rows.sums[1] * columns, columns)
        self.set(
            isa.PPU_SOURCE,
            Engine.PPU,
            columns=columns,
            channel_pitch=layout[0],
            row_pitch=layout[1],
            type=0 if summed else _signed(layer.group.source),
        )
        out = (1, p.z[1]) if shape.matrix else (p.s[1] * shape.out[1], shape.out[1])
        self.set(isa.PPU_DESTINATION, Engine.PPU, channel_pitch=out[0], row_pitch=out[1])
        fields = {
            "source": self._address(source),
            "destination": self._address(y),
            "channels": p.z[1],
            "rows": rows.sums[1],
            "from_accumulator": int(summed),
        }
        if summed:
            records = layer.buffer("parameter")
            at = RECORD_BYTES * (p.g * shape.M + p.z[0]) if _whole(records, shape) else 0
            rounding = isa.ROUNDINGS.index(post.rounding)  # pyright: ignore[reportArgumentType]
            self.set(
                isa.PPU_SCALE,
                Engine.PPU,
                rounding=rounding,
                per_channel=1,
                zero=post.zero,
                low=post.low,
                high=post.high,
            )
            fields |= {"parameters": self._address(records) + at, "scale": 1}
            reads.append(self._chip(records))
        if post.table is not None:
            table = layer.buffer("table")
            self.set(isa.PPU_TABLE, Engine.PPU, address=self._address(table), type=_signed(layer.group.result))
            fields["table"] = 1
            reads.append(self._chip(table))
        if shape.pooled:
            self._pool(layer, rows)
            fields["pool"] = isa.POOLS.index("max")
        self.add(isa.PPU, Engine.PPU, fields, tuple(reads), (self._chip(y),))

    def _pool(self, layer: _Layer, rows: Rows) -> None:
        pool = layer.shape.pool
        sizes = {f"{n}_{a}": v for n in ("kernel", "stride", "dilation") for a, v in zip("hw", getattr(pool, n))}
        pads = dict(zip(("top", "bottom", "left", "right"), (*rows.pool_pad, *layer.pool_pads)))
        self.set(isa.PPU_POOL, Engine.PPU, **sizes, **pads)


@dataclass(frozen=True)
class Box:
    """A transfer relative to its DRAM buffer; strides of 0 are packed."""

    offset: int
    rows: int
    row_bytes: int
    count2: int = 1
    count3: int = 1
    dram1: int = 0
    dram2: int = 0
    dram3: int = 0
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    value: int = 0


def _input_box(layer: _Layer, p: Place, inside: BufferOp) -> Box:
    shape, rows = layer.shape, layer.rows(p)
    first, count = rows.input
    start, depth = _input_channels(layer, p, inside)
    if shape.matrix:
        return Box(first * shape.C + start, count, depth, dram1=shape.C)
    plane = shape.H * shape.W
    channel = (p.n * shape.groups + p.g) * shape.C + start
    value = int(layer.group.source.zero) & 0xFF
    pad = (*rows.pad, *layer.pads)
    return Box(
        channel * plane + first * shape.W, count, shape.W, depth, dram1=shape.W, dram2=plane, pad=pad, value=value
    )


def _input_channels(layer: _Layer, p: Place, inside: BufferOp) -> tuple[int, int]:
    """(first, count) of the input channels a buffer holds: those summed now, or all of them."""
    type_ = inside.result.type
    assert isinstance(type_, MemRefType)
    whole = layer.shape.kind == "dense" and type_.get_shape()[0] == layer.shape.C
    return (0, layer.shape.C) if whole else p.k


def _output_box(layer: _Layer, p: Place, inside: BufferOp) -> Box:
    shape = layer.shape
    if shape.matrix:
        return Box(p.s[0] * shape.M + p.z[0], p.s[1], p.z[1], dram1=shape.M)
    e, f = shape.out
    channel = (p.n * shape.groups + p.g) * shape.M + p.z[0]
    return Box((channel * e + p.s[0]) * f, p.s[1], f, p.z[1], dram1=f, dram2=e * f)


def _weight_box(layer: _Layer, p: Place, inside: BufferOp) -> Box:
    shape = layer.shape
    inputs = shape.C if shape.kind == "dense" else 1
    if _resident(inside, shape):
        if shape.in_major:
            return Box(0, shape.C, shape.M)
        return Box(0, shape.groups * shape.M, inputs * shape.taps)
    if shape.in_major:
        return Box(p.k[0] * shape.M + p.z[0], p.k[1], p.z[1], dram1=shape.M)
    line = inputs * shape.taps
    depth = p.k if shape.kind == "dense" else (0, 1)
    start = (p.g * shape.M + p.z[0]) * line + depth[0] * shape.taps
    return Box(start, p.z[1], depth[1] * shape.taps, dram1=line)


def _record_box(layer: _Layer, p: Place, inside: BufferOp) -> Box:
    if inside is layer.op.tile("table"):
        return Box(0, 1, TABLE_BYTES)
    shape = layer.shape
    if _whole(inside, shape):
        return Box(0, shape.groups * shape.M, RECORD_BYTES)
    return Box(RECORD_BYTES * (p.g * shape.M + p.z[0]), p.z[1], RECORD_BYTES)


_BOXES: dict[str, Callable[[_Layer, Place, BufferOp], Box]] = {
    "input": _input_box,
    "output": _output_box,
    "weight": _weight_box,
    "parameter": _record_box,
    "table": _record_box,
}


def _whole(records: BufferOp, shape: Layer) -> bool:
    """Whether a buffer holds the records of all channels."""
    return tile_bytes(records) == RECORD_BYTES * shape.groups * shape.M


def _resident(weights: BufferOp, shape: Layer) -> bool:
    """Whether a buffer holds all weights of the layer."""
    return tile_bytes(weights) == shape.groups * shape.M * (shape.C if shape.kind == "dense" else 1) * shape.taps


def _weight_start(layer: _Layer, p: Place, weights: BufferOp) -> tuple[int, int]:
    """(byte of the tile's first weight in its buffer, pitch between rows of it)."""
    shape = layer.shape
    if not _resident(weights, shape):
        if shape.in_major:
            return 0, p.z[1]
        return 0, (p.k[1] if shape.kind == "dense" else 1) * shape.taps
    if shape.in_major:
        return p.k[0] * shape.M + p.z[0], shape.M
    line = (shape.C if shape.kind == "dense" else 1) * shape.taps
    start = p.k[0] * shape.taps if shape.kind == "dense" else 0
    return (p.g * shape.M + p.z[0]) * line + start, line


def _signed(type_: QuantType) -> int:
    return int(integer_range(type_.storage)[0] < 0)


def _weight_type(layer: _Layer) -> QuantType:
    assert layer.group.weights is not None
    element = layer.op.body.block.args[layer.group.weights].type.element_type  # pyright: ignore
    assert isinstance(element, QuantType)
    return element
