"""From the schedule to instructions: the loops are walked, each copy becomes LD or ST, each compute MM and PPU."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation

from dnnc.backends.npu import isa
from dnnc.backends.npu.emit import Emitter
from dnnc.backends.npu.held import Held, Whole
from dnnc.backends.npu.isa import Engine
from dnnc.backends.npu.program import REGIONS, Tag
from dnnc.backends.npu.tiles import (
    BOXES,
    Box,
    Env,
    LayerTiles,
    Place,
    beside,
    held_boxes,
    input_channels,
    move_box,
    signed,
    spans,
    type_code,
    weight_start,
    whole_records,
)
from dnnc.backends.npu.tokens import Interval, Row
from dnnc.backends.npu.waiting import Waiting, waits
from dnnc.backends.npu.zones import Zone, blocks, form, zones
from dnnc.ir.arch import DECODERS, ROLES, Accelerator
from dnnc.ir.diagnostics import Finding, InternalError, where
from dnnc.ir.dnn.movement import Strided
from dnnc.ir.interpret import main_function
from dnnc.ir.packed import IN_A_BYTE
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, LoopOp, SlicesAttr, ViewOp, buffer_of, layout_of
from dnnc.ir.types import bits, integer_range
from dnnc.passes.analysis.blocks import block
from dnnc.passes.analysis.steps import steps_in


@dataclass(frozen=True)
class Selection:
    """The instructions of a program, not yet encoded, and its tags."""

    rows: list[Row]
    tags: tuple[Tag, ...]


def select(module: ModuleOp, arch: Accelerator) -> Selection:
    """The instructions of a planned schedule, in an order in which every hazard points backwards; halt at the end."""
    selector, main = _Selector(arch), main_function(module)
    body = main.body.block.ops
    selector.stacks = {layer: stack for stack in steps_in(main) for layer in stack.layers}
    selector.note_layers(body)
    selector.note_buffers(op for op in body if isinstance(op, BufferOp))
    selector.block(body, {})
    selector.add(isa.HALT, Engine.CTRL, {})
    return Selection(selector.rows, tuple(selector.tags))


class _Selector(Emitter):
    """Walks a schedule."""

    def __init__(self, arch: Accelerator) -> None:
        super().__init__(arch)
        self.layers: dict[BufferOp, LayerTiles] = {}
        self.computes: dict[ComputeOp, LayerTiles] = {}
        self.waiting = Waiting()

    # Walking

    def block(self, ops: Iterable[Operation], env: Env) -> None:
        """Run the operations of a block with the induction variables of the loops around it."""
        for op in ops:
            if isinstance(op, LoopOp):
                for value in op.values:
                    self.block(op.body.block.ops, {**env, op.index: value})
            elif isinstance(op, CopyOp) and not env and waits(op, self.layers):
                self.waiting.copies.append(op)
            elif isinstance(op, CopyOp):
                self.env = env
                self._copy(op, env)
            elif isinstance(op, ComputeOp):
                self.env = env
                self._compute(self.computes[op], env)
            elif not isinstance(op, BufferOp | ViewOp | ReturnOp):
                raise InternalError(
                    Finding(where(op.location, op.name), f"expected a schedule, not '{op.name}'.", "E0999")
                )

    def note_layers(self, ops: Iterable[Operation]) -> None:
        """Tie each on-chip buffer to its compute, so that copies know the layer they serve."""
        inside = [inner for op in ops for inner in op.walk()]
        for compute in inside:
            if isinstance(compute, ComputeOp):
                layer = self.computes[compute] = LayerTiles(compute)
                for buffer in compute.own():
                    self.layers.setdefault(buffer, layer)
        for copy in inside:
            layer = self.layers.get(buffer_of(copy.target)) if isinstance(copy, CopyOp) else None
            if layer and layer.op.tile("weight") is buffer_of(copy.operands[1]):
                layer.computed = buffer_of(copy.operands[0]).constant is None

    # Copies

    def _due(self, layer: LayerTiles) -> None:
        """Load the constants of a layer that waited."""
        outer, self.env = self.env, {}
        for op in self.waiting.due(layer):
            self._copy(op, {})
        self.env = outer

    def _copy(self, op: CopyOp, env: Env) -> None:
        outside, inside = buffer_of(op.source), buffer_of(op.target)
        if not op.loads:
            outside, inside = inside, outside
        if inside not in self.layers:
            return self._move(op, outside, inside, env)
        if op.holding is not None:
            return self._stream(op, outside, inside, op.holding, env)
        layer = self.layers[inside]
        self._due(layer)
        role = next(r.data for r, t in zip(layer.op.roles, layer.op.tiles) if t.owner is inside)
        p = layer.place(env)
        self._enter(layer, p)
        if op.loads:
            self._next(inside)
        if op.coded is not None:
            layout = Strided.rows(op.coded.data.shape)
            return self._block(op, outside, inside, BOXES[role](layer, p, inside, layout), env)
        layout = layout_of(op.source if op.loads else op.target)
        return self._transfer(op, outside, inside, BOXES[role](layer, p, inside, layout), env)

    def _block(self, op: CopyOp, outside: BufferOp, inside: BufferOp, box: Box, env: Env) -> None:
        """A tile of a coded constant: its block, expanded in the order of the box."""
        self._check(op, env, box)
        start, size = block(op, env)
        coded = replace(box, offset=start, dram=(size, 0, 0), coded=True)
        self._piece(op, outside, inside, coded, 0, (self._chip(inside),))

    def _stream(self, op: CopyOp, outside: BufferOp, inside: BufferOp, holding: SlicesAttr, env: Env) -> None:
        """Rows of a tensor to or from a rolling buffer; none where the loops stand before its first or after its last."""
        at, (y, x) = spans(op, op.slices, env), spans(op, holding, env)
        if not all(count for _, count in at):
            return
        layer = self.layers[inside]
        self._due(layer)
        self._tag(Tag(layer.shape.name, where(layer.op.location, ""), f"n{at[0][0]} y{at[2][0]} x{at[3][0]}"))
        if op.loads:
            self._next(inside)
        layout = layout_of(op.source if op.loads else op.target)
        held = Held.of(inside, (y[0], x[0]))
        for first, start, box in held_boxes(held, at, layout):
            self._piece(op, outside, inside, box, start, self._pieces(held, at[1], first, box.rows))

    def _move(self, op: CopyOp, outside: BufferOp, inside: BufferOp, env: Env) -> None:
        at = spans(op, op.slices, env)
        tag = Tag(inside.label.data, where(op.location, ""), " ".join(f"i{first}" for first, _ in at))
        self._tag(tag)
        if op.loads:
            self._next(inside)
        box = move_box(op, [count for _, count in at], [first for first, _ in at])
        self._transfer(op, outside, inside, box, env)

    def _transfer(self, op: CopyOp, outside: BufferOp, inside: BufferOp, box: Box, env: Env) -> None:
        self._check(op, env, box)
        self._piece(op, outside, inside, box, 0, (self._chip(inside),))

    def _piece(
        self, op: CopyOp, outside: BufferOp, inside: BufferOp, box: Box, start: int, chip: tuple[Interval, ...]
    ) -> None:
        engine, instruction = (Engine.LD, isa.LD) if op.loads else (Engine.ST, isa.ST)
        assert outside.offset is not None
        self.set(isa.DMA_COUNT, engine, count2=box.count2, count3=box.count3)
        if box.coded:
            self.set(isa.DMA_DRAM, engine, dram1=box.dram[0])
        else:
            self._strides(isa.DMA_DRAM, engine, box, box.dram)
        self._strides(isa.DMA_LOCAL, engine, box, box.local)
        if op.loads:
            top, bottom, left, right = box.pad
            value = box.value if any(box.pad) else 0
            self.set(isa.DMA_PAD, engine, top=top, bottom=bottom, left=left, right=right, value=value)
        fields = {
            "region": REGIONS.index(outside.space.data),
            "offset": outside.offset.data + box.offset,
            "space": ROLES.index(inside.space.data),
            "address": self._address(inside) + start,
            "rows": box.rows,
            "row_bytes": box.row_bytes,
            "decoder": DECODERS.index(op.decoder.data if op.decoder else "dense"),
        }
        dram = (self._dram(outside),)
        self.add(instruction, engine, fields, *((dram, chip) if op.loads else (chip, dram)), outside)

    def _check(self, op: CopyOp, env: Env, box: Box) -> None:
        """The transfer moves exactly the slices of the copy; the report counts those."""
        n = prod(count for _, count in spans(op, op.slices, env)) * bits(op.source.type.element_type) // 8  # pyright: ignore
        if n != box.bytes:
            raise InternalError(
                Finding(where(op.location, op.name), f"expected a transfer of {n} bytes, not {box}.", "E0999")
            )

    # Compute

    def _compute(self, layer: LayerTiles, env: Env) -> None:
        p = layer.place(env)
        if not p.s[1]:
            return
        self._due(layer)
        self._enter(layer, p)
        if layer.shape.kind != "none":
            if p.first:
                self._next(layer.sums)
            self._product(layer, p)
        if p.last and not layer.shape.wide:
            if "output" not in p.held:
                self._next(layer.buffer("output"))
            (self._vector if layer.shape.vector else self._post)(layer, p)

    def _product(self, layer: LayerTiles, p: Place) -> None:
        shape, rows, columns = layer.shape, layer.rows(p), layer.columns(p)
        w, acc = layer.buffer("weight"), layer.sums
        window, depthwise = shape.window, shape.kind == "depthwise"
        source, weights = layer.group.source, layer.weight_type
        start, layout, reads = self._input(layer, p)
        count = 1 if depthwise else p.k[1]
        self.set(
            isa.MM_INPUT,
            Engine.MM,
            channels=count,
            channel_pitch=layout[0],
            row_pitch=layout[1],
            type=signed(source),
            zero=int(source.zero) if layer.computed or shape.wide else 0,
        )
        self.set(
            isa.MM_WINDOW,
            Engine.MM,
            **{f"{n}_{a}": v for n in ("kernel", "stride", "dilation") for a, v in zip("hw", getattr(window, n))},
            columns=columns.sums[1],
            mode=int(depthwise),
        )
        weight, weight_pitch = weight_start(layer, p, w)
        self.set(
            isa.MM_WEIGHT,
            Engine.MM,
            pitch=weight_pitch,
            order=int(shape.in_major),
            type=signed(weights),
            zero=int(np.max(weights.zero)),
            multiplier=shape.M // shape.C if depthwise else 1,
        )
        self.set(isa.MM_FORM, Engine.MM, **form(layer, p))
        self.set(isa.MM_BLOCKS, Engine.MM, **blocks(layer, p))
        sums = (1, p.z[1]) if shape.matrix else (rows.sums[1] * columns.sums[1], columns.sums[1])
        self.set(isa.MM_OUTPUT, Engine.MM, channel_pitch=sums[0], row_pitch=sums[1])
        fields = {
            "input": start,
            "weight": self._address(w) + weight,
            "accumulator": self._address(acc),
            "channels": p.z[1],
            "rows": rows.sums[1],
            "accumulate": int(not p.first),
        }
        self.add(isa.MM, Engine.MM, fields, (*reads, self._chip(w)), (self._chip(acc),))

    def _input(self, layer: LayerTiles, p: Place) -> tuple[int, tuple[int, int], tuple[Interval, ...]]:
        """(address, pitches of channels and rows, intervals) of what a product reads; sets the frame it lies in."""
        shape, x, rows, columns = layer.shape, layer.buffer("input"), layer.rows(p), layer.columns(p)
        if held := p.held.get("input"):
            frame = {"top": rows.pad[0], "left": columns.pad[0], "height": rows.input[1], "width": columns.input[1]}
            frame |= {"value": int(layer.group.source.zero)}
            if isinstance(held, Whole):
                first, padded = rows.input[0], any((*rows.pad, *columns.pad))
                frame = frame | {"first": 0, "period": rows.input[1]} if padded else {}
            else:
                first = held.first[0]
                frame |= {"first": held.slot(rows.input[0]), "period": held.shape[0]}
            self.set(isa.MM_FRAME, Engine.MM, **frame)
            start = held.byte(p.k[0], first, columns.input[0])
            return self._address(x) + start, held.pitches, self._pieces(held, p.k, *rows.input)
        self.set(isa.MM_FRAME, Engine.MM)
        width, height = columns.input[1] + sum(columns.pad), rows.input[1] + sum(rows.pad)
        skipped, depth = input_channels(layer, p, x)
        layout = (1, depth) if shape.matrix else (height * width, width)
        return self._address(x) + (p.k[0] - skipped) * layout[0], layout, (self._chip(x),)

    def _post(self, layer: LayerTiles, p: Place) -> None:
        """One instruction, or one for each zone of a summing pool whose windows differ."""
        for zone in zones(layer, p):
            self._post_zone(layer, p, zone)

    def _post_zone(self, layer: LayerTiles, p: Place, zone: Zone) -> None:
        shape, group = layer.shape, layer.group
        y, summed = layer.buffer("output"), shape.kind != "none"
        source = layer.buffer("accumulator" if summed else "input")
        rows, columns = layer.rows(p), layer.columns(p)
        layout = (1, p.z[1]) if shape.matrix else (rows.sums[1] * columns.sums[1], columns.sums[1])
        each, reads = 4 if summed else shape.bytes_of("input"), (self._chip(source),)
        start = each * (zone.rows[0] * layout[1] + zone.columns[0])
        if not summed and (held := p.held.get("input")):
            first, layout = rows.sums[0] + zone.rows[0], held.pitches
            start = held.byte(p.z[0], first, columns.sums[0] + zone.columns[0])
            reads = self._pieces(held, p.z, first, zone.rows[1])
        self.set(
            isa.PPU_SOURCE,
            Engine.PPU,
            columns=zone.columns[1] if not shape.matrix else 1,
            channel_pitch=layout[0],
            row_pitch=layout[1],
            type=0 if summed else type_code(group.source),
            zero=int(group.source.zero) if group.scale is not None and not summed else 0,
        )
        out = (1, p.z[1] // shape.packs) if shape.matrix else (p.s[1] * shape.out[1], shape.out[1])
        target, writes = shape.bytes_of("output") * (zone.out[0] * out[1] + zone.out[1]), (self._chip(y),)
        if held := p.held.get("output"):
            out, first = held.pitches, p.s[0] + zone.out[0]
            target = held.byte(p.z[0], first, p.x[0] + zone.out[1])
            writes = self._pieces(held, p.z, first, zone.count)
        wide = int(shape.bytes_of("output") == 2)
        self.set(isa.PPU_DESTINATION, Engine.PPU, channel_pitch=out[0], row_pitch=out[1], wide=wide)
        fields = {
            "source": self._address(source) + start,
            "destination": self._address(y) + target,
            "channels": p.z[1],
            "rows": zone.rows[1],
            "from_accumulator": int(summed),
            "pack": next((i for i, name in enumerate(isa.PACKS) if IN_A_BYTE.get(name) == shape.packs), 0),
        }
        for stage in (self._scale, self._table, self._second):
            extra, memory = stage(layer, p, zone)
            fields |= extra
            reads = (*reads, *memory)
        if shape.pooled:
            sizes = {
                f"{n}_{a}": v for n in ("kernel", "stride", "dilation") for a, v in zip("hw", getattr(shape.pool, n))
            }
            pads = dict(zip(("top", "bottom", "left", "right"), zone.pads))
            self.set(isa.PPU_POOL, Engine.PPU, **sizes, **pads)
            fields["pool"] = isa.POOLS.index(shape.pooling)
        self.add(isa.PPU, Engine.PPU, fields, reads, writes)

    def _scale(self, layer: LayerTiles, p: Place, zone: Zone) -> tuple[dict[str, int], list[Interval]]:
        shape, scale, levels = layer.shape, layer.group.scale, layer.group.levels
        if scale is None and levels is None:
            return {}, []
        records, summed = layer.buffer("parameter"), shape.kind != "none"
        each = summed or (shape.records > 1 and layer.group.counts is None)
        at = shape.record * (p.g * shape.M + p.z[0]) if each and whole_records(records, shape) else 0
        if levels is not None:
            state = {"levels": shape.levels, "zero": levels.first, "step": levels.step}
        else:
            assert scale is not None
            state = {"zero": scale.zero, "low": scale.low, "high": scale.high}
            state["rounding"] = isa.ROUNDINGS.index(scale.rounding)  # pyright: ignore[reportArgumentType]
            if scale.offset is not None:
                state |= {"offset": 1, "shift": int(scale.shift)}
        self.set(isa.PPU_SCALE, Engine.PPU, per_channel=int(each), **state)
        address = self._address(records) + at + shape.record * zone.record
        return {"parameters": address, "scale": 1}, [self._chip(records)]

    def _table(self, layer: LayerTiles, p: Place, zone: Zone) -> tuple[dict[str, int], list[Interval]]:
        if not layer.shape.table_bytes:
            return {}, []
        table, group = layer.buffer("table"), layer.group
        state = {"shift": group.shift, "of": signed(group.kinds[0])} if group.shift else {}
        self.set(isa.PPU_TABLE, Engine.PPU, address=self._address(table), type=type_code(group.looked_up), **state)
        return {"table": 1}, [self._chip(table)]

    def _second(self, layer: LayerTiles, p: Place, zone: Zone) -> tuple[dict[str, int], list[Interval]]:
        second = layer.group.second
        if second is None:
            return {}, []
        tile, at, varies = layer.buffer("second"), beside(layer, p), layer.shape.second or ""
        pitches = (1, at["c"][1]) if layer.shape.matrix else (at["y"][1] * at["x"][1], at["x"][1])
        channel, row = (pitch * (letter in varies) for pitch, letter in zip(pitches, "cy"))
        first = zone.out if layer.shape.summed_first else (zone.rows[0], zone.columns[0])
        start = first[0] * row + first[1] * ("x" in varies and not layer.shape.matrix)
        address = self._address(tile) + layer.shape.bytes_of("second") * start
        reads = [self._chip(tile)]
        if held := p.held.get("second"):
            ys, xs = (p.s, p.x) if layer.shape.summed_first else (layer.rows(p).sums, layer.columns(p).sums)
            channel, row = held.pitches
            address = self._address(tile) + held.byte(p.z[0], ys[0] + first[0], xs[0] + first[1])
            reads = list(self._pieces(held, p.z, ys[0] + first[0], zone.rows[1]))
        kind = {"type": type_code(second.type), "zero": second.zero_b}
        self.set(isa.PPU_SECOND, Engine.PPU, address=address, channel_pitch=channel, row_pitch=row, **kind)
        self.set(
            isa.PPU_ADD,
            Engine.PPU,
            multiplier_a=second.multipliers[0],
            multiplier_b=second.multipliers[1],
            shift=second.shift,
            mode=isa.SECONDS.index(second.mode),
            rounding=isa.ROUNDINGS.index(second.rounding),  # pyright: ignore[reportArgumentType]
        )
        bounds = {"zero_a": second.zero_a, "zero": second.zero, "low": second.low, "high": second.high}
        self.set(isa.PPU_SUM, Engine.PPU, **bounds)
        return {"second": 1}, reads

    def _vector(self, layer: LayerTiles, p: Place) -> None:
        """A softmax or a normalization of the tile."""
        shape, vector = layer.shape, layer.group.vector
        assert vector is not None
        x, y = layer.buffer("input"), layer.buffer("output")
        layout = (1, p.z[1]) if shape.matrix else (shape.H * shape.W, shape.W)
        at = {"input": (self._address(x), layout, self._chip(x)), "output": (self._address(y), layout, self._chip(y))}
        for role, held in p.held.items():
            (piece,) = self._pieces(held, p.z, 0, shape.H)
            at[role] = self._address(held.buffer) + held.byte(p.z[0], 0, 0), held.pitches, piece
        source = {"columns": shape.W, "type": type_code(layer.group.source), "zero": int(layer.group.source.zero)}
        (begin, of, read), (end, to, written) = at["input"], at["output"]
        self.set(isa.PPU_SOURCE, Engine.PPU, channel_pitch=of[0], row_pitch=of[1], **source)
        wide = int(shape.bytes_of("output") == 2)
        self.set(isa.PPU_DESTINATION, Engine.PPU, channel_pitch=to[0], row_pitch=to[1], wide=wide)
        fields = {"source": begin, "destination": end, "channels": p.z[1], "rows": shape.H}
        constants = layer.buffer("exp" if shape.vector == "softmax" else "affine")
        reads = (read, self._chip(constants))
        if shape.vector == "softmax":
            self.set(isa.PPU_TABLE, Engine.PPU, address=self._address(constants))
            whole = Zone((0, shape.H), (0, shape.W), (0, 0, 0, 0), (0, 0), shape.H)
            extra, more = self._scale(layer, p, whole)
            fields |= {"type": signed(layer.group.result), **extra}
            reads = (*reads, *more)
        else:
            zero, (low, high) = int(layer.group.result.zero), integer_range(layer.group.result.storage)
            self.set(isa.PPU_SCALE, Engine.PPU, zero=zero, low=low, high=high)
            state = {name: int(getattr(vector, name)) for name in ("root_shift", "shift", "center")}
            state |= {"epsilon_high": vector.epsilon >> 24, "epsilon_low": vector.epsilon & 0xFFFFFF}
            address = self._address(constants)
            self.set(isa.PPU_NORM, Engine.PPU, address=address, per_element=int(shape.affine > 1), **state)
        instruction = isa.SOFTMAX if shape.vector == "softmax" else isa.NORMALIZE
        self.add(instruction, Engine.PPU, fields, reads, (written,))
