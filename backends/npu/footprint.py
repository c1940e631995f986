"""The bytes each instruction may touch: one interval per operand, in a memory on chip or a DRAM region.

An interval is a bounding one; what a transfer touches of it in DRAM is known to the byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dnnc.backends.npu.encoding import Column, Decoded
from dnnc.backends.npu.isa import Engine
from dnnc.backends.npu.operands import (
    Operands,
    box,
    coded,
    made,
    operands,
    pooled,
    product_shape,
    table_bytes,
    value_bytes,
)
from dnnc.backends.npu.program import Program
from dnnc.ir.arch import ROLES, Accelerator
from dnnc.ir.fixed import AFFINE, EXP_BYTES, OFFSET_RECORD, RECORD

RECORD_BYTES = RECORD.itemsize

MOST_RUNS = 1 << 20
"""Runs of a transfer that are compared one by one."""


@dataclass(frozen=True)
class Accesses:
    """Intervals [low, high) as columns: instruction, memory number, whether written, and the operand's name.

    Of an interval runs of `run` bytes are touched, `counts` of them by `strides`: a row of three each.
    """

    index: Column
    memory: Column
    low: Column
    high: Column
    write: Column
    operand: tuple[str, ...]
    operand_id: Column
    run: Column
    counts: Column
    strides: Column

    def name(self, row: int) -> str:
        """The operand of an access: `ld.address`."""
        return self.operand[int(self.operand_id[row])]

    def overlap(self, x: int, y: int) -> bool:
        """Whether two accesses to one memory touch a common byte; so taken to be where one has more runs than programs make."""
        if max(self.counts[x].prod(), self.counts[y].prod()) > MOST_RUNS:
            return True
        starts, (before, after) = np.sort(self._starts(x)), (self.run[x], self.run[y])
        others = self._starts(y)
        return bool(np.any(np.searchsorted(starts, others + after) > np.searchsorted(starts, others - before, "right")))

    def _starts(self, row: int) -> Column:
        """The first bytes of the runs of an access."""
        found = self.low[row : row + 1]
        for count, stride in zip(self.counts[row], self.strides[row]):
            found = (found[:, None] + np.arange(count) * stride).reshape(-1)
        return found


@dataclass(frozen=True)
class Memories:
    """All memories of a run, numbered: those on chip in the order of the target, then the DRAM regions."""

    names: tuple[str, ...]
    bytes: tuple[int, ...]
    role: tuple[int, ...]
    on_chip: int
    decoders: tuple[str, ...] = ("dense",)

    def of_role(self, role: ArrayLike) -> Column:
        """Number of the memory that plays each role; -1 for a role that does not exist."""
        table = np.array([*self.role, -1])
        r = np.asarray(role, np.int64)
        return table[np.where(r < len(self.role), r, -1)]

    def of_region(self, region: ArrayLike) -> Column:
        """Number of each DRAM region; -1 for one the program does not have."""
        r = np.asarray(region, np.int64)
        return np.where(r < len(self.names) - self.on_chip, r + self.on_chip, -1)


def memories(program: Program, arch: Accelerator) -> Memories:
    """The memories of the target and the regions of the program."""
    chip = [m.name for m in arch.memory]
    names = (*chip, *(r.name for r in program.regions))
    sizes = (*(m.bytes for m in arch.memory), *(r.bytes for r in program.regions))
    roles = tuple(chip.index(arch.holding(role).name) for role in ROLES)
    return Memories(names, sizes, roles, len(chip), arch.dma.decoders)


class _Gather:
    """Collects intervals operand by operand."""

    def __init__(self) -> None:
        self.parts: list[tuple[Column, ...]] = []
        self.names: list[str] = []

    def add(
        self,
        name: str,
        index: Column,
        memory: Column,
        low: Column,
        size: Column,
        write: bool,
        when: ArrayLike = True,
        runs: tuple[Column, Sequence[Column], Sequence[Column]] | None = None,
    ) -> None:
        """Note an operand; `runs` are the bytes of a run, counts and strides where it is not all of the interval."""
        keep = np.broadcast_to(when, index.shape)
        number = len(self.names)
        self.names.append(name)
        run, counts, strides = runs or (size, [np.int64(1)] * 3, [np.int64(0)] * 3)
        columns = (index, memory, low, low + size, np.int64(write), np.int64(number), run, *counts, *strides)
        self.parts.append(tuple(np.broadcast_to(c, index.shape)[keep] for c in columns))

    def done(self) -> Accesses:
        columns = [np.concatenate(c) for c in zip(*self.parts)]
        order = np.argsort(columns[0], kind="stable")
        index, memory, low, high, write, operand, run, *nest = (c[order] for c in columns)
        counts, strides = np.stack(nest[:3], 1), np.stack(nest[3:], 1)
        return Accesses(index, memory, low, high, write, tuple(self.names), operand, run, counts, strides)


def accesses(decoded: Mapping[str, Decoded], m: Memories) -> Accesses:
    """Every interval of a program, in the order of its instructions."""
    g = _Gather()
    for name, engine in (("ld", Engine.LD), ("st", Engine.ST)):
        if len(t := operands(decoded, name, engine)):
            _transfer(g, name, t, m)
    if len(t := operands(decoded, "mm", Engine.MM)):
        _product(g, t, m)
    if len(t := operands(decoded, "ppu", Engine.PPU)):
        _post(g, t, m)
    for name in ("softmax", "normalize"):
        if len(t := operands(decoded, name, Engine.PPU)):
            _vector(g, name, t, m)
    if not g.parts:
        none = np.zeros(0, np.int64)
        g.add("none", none, none, none, none, False)
    return g.done()


def _extent(counts: tuple[Column, ...], strides: tuple[Column, ...], last: Column) -> Column:
    return sum(((c - 1) * s for c, s in zip(counts, strides)), np.zeros_like(last)) + last


def _transfer(g: _Gather, name: str, t: Operands, m: Memories) -> None:
    b, load, blocks = box(t), name == "ld", coded(t)
    dram = np.where(blocks, t["dram.dram1"], _extent(b.counts, b.dram, t["row_bytes"]))
    local = _extent((b.box_rows, *b.counts[1:]), b.local, b.box_bytes)
    runs = np.where(blocks, dram, t["row_bytes"]), [np.where(blocks, 1, c) for c in b.counts], b.dram
    g.add(f"{name}.offset", t.index, m.of_region(t["region"]), t["offset"], dram, not load, runs=runs)
    g.add(f"{name}.address", t.index, m.of_role(t["space"]), t["address"], local, load)


def _product(g: _Gather, t: Operands, m: Memories) -> None:
    s = product_shape(t)
    row = t["input.row_pitch"]
    frame = t["frame.height"] > 0
    # a rolling buffer is read from a row to its end, and from its start
    rows, first = np.where(frame, t["frame.height"], s.heights), np.where(frame, t["frame.first"], 0)
    before = np.where(frame, np.minimum(rows, t["frame.period"] - first), rows)
    line = (s.inputs - 1) * t["input.channel_pitch"] + np.where(frame, t["frame.width"], s.widths)
    outer = t["weight.order"] == 0
    weights = np.where(
        outer,
        (s.channels - 1) * t["weight.pitch"] + s.reduction,
        (s.reduction - 1) * t["weight.pitch"] + s.channels,
    )
    pitches = (t["sums.channel_pitch"], t["sums.row_pitch"])
    sums = 4 * _extent((s.channels, s.rows), pitches, s.columns)
    memory = m.of_role(ROLES.index("input"))
    g.add("mm.input", t.index, memory, t["input"] + first * row, (before - 1) * row + line, False)
    g.add("mm.input", t.index, memory, t["input"], (rows - before - 1) * row + line, False, rows > before)
    g.add("mm.weight", t.index, m.of_role(ROLES.index("weight")), t["weight"], weights, False)
    acc = m.of_role(ROLES.index("accumulator"))
    g.add("mm.accumulator", t.index, acc, t["accumulator"], sums, True)
    g.add("mm.accumulator", t.index, acc, t["accumulator"], sums, False, t["accumulate"] == 1)


def _post(g: _Gather, t: Operands, m: Memories) -> None:
    rows, columns = pooled(t)
    role = {name: m.of_role(ROLES.index(name)) for name in ROLES}
    from_sums = t["from_accumulator"] == 1
    unit = np.where(from_sums, 4, value_bytes(t, "source"))
    counts, sums = (t["channels"], t["rows"]), t["pool"] == 2
    source = unit * _extent(counts, (t["source.channel_pitch"], t["source.row_pitch"]), t["source.columns"])
    g.add("ppu.source", t.index, np.where(from_sums, role["accumulator"], role["input"]), t["source"], source, False)
    pitches = (t["destination.channel_pitch"], t["destination.row_pitch"])
    written = (1 + t["destination.wide"]) * _extent((made(t), rows), pitches, columns)
    g.add("ppu.destination", t.index, role["output"], t["destination"], written, True)
    g.add("ppu.parameters", t.index, role["parameter"], t["parameters"], record_bytes(t), False, t["scale"] == 1)
    g.add("set.table.address", t.index, role["parameter"], t["table.address"], table_bytes(t), False, t["table"] == 1)
    counts2 = (t["channels"], np.where(sums, rows, t["rows"]))
    columns2 = np.where(sums, columns, t["source.columns"])
    second = value_bytes(t, "second") * _extent(counts2, (t["second.channel_pitch"], t["second.row_pitch"]), columns2)
    g.add("set.second.address", t.index, role["input"], t["second.address"], second, False, t["second"] == 1)


def _vector(g: _Gather, name: str, t: Operands, m: Memories) -> None:
    role = {name: m.of_role(ROLES.index(name)) for name in ROLES}
    counts = (t["channels"], t["rows"])
    for way in ("source", "destination"):
        extent = _extent(counts, (t[f"{way}.channel_pitch"], t[f"{way}.row_pitch"]), t["source.columns"])
        memory = role["input" if way == "source" else "output"]
        unit = value_bytes(t, way) if way == "source" else 1 + t["destination.wide"]
        g.add(f"{name}.{way}", t.index, memory, t[way], unit * extent, way == "destination")
    if name == "softmax":
        memory, size = role["parameter"], np.full(len(t), EXP_BYTES)
        g.add("set.table.address", t.index, memory, t["table.address"], size, False)
        g.add("softmax.parameters", t.index, memory, t["parameters"], record_bytes(t), False, t["scale"] == 1)
    else:
        g.add("set.norm.address", t.index, role["weight"], t["norm.address"], affine_bytes(t), False)


def record_bytes(t: Operands) -> Column:
    """Bytes of the records of a scale stage: requantize constants, or thresholds."""
    scaled = np.where(t["scale.offset"] == 1, OFFSET_RECORD.itemsize, RECORD_BYTES)
    each = np.where(t["scale.levels"] > 0, 4 * t["scale.levels"], scaled)
    return each * np.where(t["scale.per_channel"] == 1, t["channels"], 1)


def affine_bytes(t: Operands) -> Column:
    """Bytes of the records each NORMALIZE reads."""
    return AFFINE.itemsize * np.where(t["norm.per_element"] == 1, t["rows"] * t["source.columns"], 1)
