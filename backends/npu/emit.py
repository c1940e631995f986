"""Rows of instructions in the making: the state each queue holds, tags, and where buffers lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dnnc.backends.npu import isa
from dnnc.backends.npu.held import Held, Whole
from dnnc.backends.npu.isa import Engine, Instruction
from dnnc.backends.npu.program import REGIONS, Tag
from dnnc.backends.npu.tiles import Box, Env, LayerTiles, Place
from dnnc.backends.npu.tokens import Interval, Row
from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import where
from dnnc.ir.sched import BufferOp
from dnnc.passes.analysis.footprint import pitch, tile_bytes
from dnnc.passes.analysis.steps import Steps

TILED = (1 << 16) - (1 << 12)
"""Tags that may name tiles; the rest is for the layers of what comes then."""


@dataclass(frozen=True)
class Stretch:
    """Where a buffer lies: number of its memory, first byte, copies, bytes from one to the next and of each."""

    memory: int
    offset: int
    copies: int
    pitch: int
    bytes: int


class Emitter:
    """Collects rows; a SET is left out when the queue holds its values already."""

    def __init__(self, arch: Accelerator) -> None:
        self.arch = arch
        self.rows: list[Row] = []
        self.tags: dict[Tag, int] = {Tag("program"): 0}
        self.state: dict[tuple[Engine, str], dict[str, int]] = {}
        self.turn: dict[BufferOp, int] = {}
        self.memory = {m.name: i for i, m in enumerate(arch.memory)}
        self.stretches: dict[BufferOp, Stretch] = {}
        self.stacks: dict[str, Steps] = {}
        self.env: Env = {}
        self.above: dict[BufferOp, int] = {}
        self.written_over: dict[BufferOp, int] = {}
        self.tag = 0

    def add(
        self,
        instruction: Instruction,
        engine: Engine,
        fields: Mapping[str, int],
        reads: tuple[Interval, ...] = (),
        writes: tuple[Interval, ...] = (),
        outside: BufferOp | None = None,
    ) -> None:
        """Add an instruction; a transfer's buffer off chip is `outside`."""
        row = Row(instruction, engine, self.tag, dict(fields), reads, writes)
        if outside is not None:
            row.buffer, row.apart = self.above.get(outside, 0), self.written_over.get(outside, -1)
        self.rows.append(row)

    def note_buffers(self, buffers: Iterable[BufferOp]) -> None:
        """Number the buffers that are written over others."""
        for buffer in buffers:
            if (below := buffer.below) is not None:
                self.above[buffer] = self.written_over[below] = len(self.above) + 1

    def set(self, instruction: Instruction, engine: Engine, **fields: int) -> None:
        """Set state, when it differs from what the queue holds."""
        wanted = instruction.defaults | fields
        key = (engine, instruction.name)
        if self.state.get(key, instruction.defaults) != wanted:
            self.state[key] = wanted
            self.add(instruction, engine, wanted)

    def _strides(self, register: Instruction, engine: Engine, box: Box, strides: tuple[int, int, int]) -> None:
        """Strides of the dimensions of more than one trip; the others keep what the queue holds.

        A tile on chip that is packed, pads included, says so: how far its rows are apart depends on the pads.
        """
        counts = (box.rows, box.count2, box.count3)
        names = [f.name for f in register.fields]
        if register is isa.DMA_LOCAL and not any(strides):
            return self.set(register, engine, **dict.fromkeys(names, 0))
        held, wanted, packed = self.state.get((engine, register.name), {}), {}, box.row_bytes
        for name, stride, count in zip(names, strides, counts):
            wanted[name] = (stride or packed) if count > 1 else held.get(name, 0)
            packed = (stride or packed) * count
        return self.set(register, engine, **wanted)

    def _enter(self, layer: LayerTiles, p: Place) -> None:
        """Tag what follows with a layer and its tile."""
        tile = f"n{p.n} g{p.g} z{p.z[0]} s{p.s[0]}"
        self._tag(Tag(layer.shape.name, where(layer.op.location, ""), tile))

    def _tag(self, tag: Tag) -> None:
        if stack := self.stacks.get(tag.layer):
            tag = replace(tag, stack=stack.number, step=stack.at(self.env))
        if tag not in self.tags and len(self.tags) >= TILED:
            tag = replace(tag, tile="", step=None)
        self.tag = self.tags.setdefault(tag, min(len(self.tags), (1 << 16) - 1))

    def _stretch(self, buffer: BufferOp) -> Stretch:
        """Where a buffer lies, looked up in the IR once."""
        if buffer not in self.stretches:
            assert buffer.offset is not None
            space = buffer.space.data
            number = REGIONS.index(space) + len(self.memory) if space in REGIONS else None
            memory = self.memory[self.arch.holding(space).name] if number is None else number
            sizes = (buffer.copies.data, pitch(buffer), tile_bytes(buffer))
            self.stretches[buffer] = Stretch(memory, buffer.offset.data, *sizes)
        return self.stretches[buffer]

    def _address(self, buffer: BufferOp) -> int:
        """On-chip address of the copy of a buffer now in use."""
        s = self._stretch(buffer)
        return s.offset + self.turn.get(buffer, 0) % s.copies * s.pitch

    def _next(self, buffer: BufferOp) -> None:
        self.turn[buffer] = self.turn.get(buffer, -1) + 1

    def _chip(self, buffer: BufferOp) -> Interval:
        low, s = self._address(buffer), self._stretch(buffer)
        return s.memory, low, low + s.bytes

    def _pieces(self, held: Held | Whole, channels: tuple[int, int], first: int, count: int) -> tuple[Interval, ...]:
        """Where rows of a tensor lie on chip, all channels of a rolling buffer or those given."""
        memory, at = self._chip(held.buffer)[0], self._address(held.buffer)
        whole = isinstance(held, Whole)
        found = [held.extent(channels, (first, count))] if whole else held.intervals(first, count)
        return tuple((memory, at + low, at + high) for low, high in found)

    def _dram(self, buffer: BufferOp) -> Interval:
        s = self._stretch(buffer)
        return s.memory, s.offset, s.offset + s.copies * s.pitch
