"""What each instruction works on: its own fields joined with the state that the SETs before it left, as columns.

A queue is in order and only its own instructions read its state, so the state of every instruction is known from the
program alone. `machine` executes these rows, `footprint` and `cost` measure them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.npu.encoding import Column, Decoded
from dnnc.backends.npu.isa import FORMS, INSTRUCTIONS, OP_SET, PACKS, TYPES, Engine, Instruction
from dnnc.ir.arch import DECODERS
from dnnc.ir.fixed import table_entries
from dnnc.ir.packed import IN_A_BYTE


@dataclass(frozen=True)
class Operands:
    """All rows of one engine's work: `columns` has the own fields by name and state as `register.field`."""

    engine: Engine
    index: Column
    columns: Mapping[str, Column]

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.index)


def operands(decoded: Mapping[str, Decoded], name: str, engine: Engine) -> Operands:
    """The instructions `name` of an engine, each with the state in force when it starts."""
    rows = decoded.get(name)
    if rows is None:
        return Operands(engine, np.zeros(0, np.int64), {})
    columns = dict(rows.columns)
    for register in INSTRUCTIONS:
        if register.op == OP_SET and engine in register.engines:
            columns |= _state(decoded.get(register.name), register, engine, rows.index)
    return Operands(engine, rows.index, columns)


def _state(sets: Decoded | None, register: Instruction, engine: Engine, index: Column) -> dict[str, Column]:
    """The last value set before each index, or the default."""
    short = register.name.removeprefix("set.")
    if sets is None:
        return {f"{short}.{f.name}": np.full(len(index), f.default, np.int64) for f in register.fields}
    mine = sets["engine"] == engine
    last = np.searchsorted(sets.index[mine], index) - 1
    out = {}
    for f in register.fields:
        values = np.append(sets[f.name][mine], f.default)
        out[f"{short}.{f.name}"] = values[last]
    return out


@dataclass(frozen=True)
class Box:
    """The geometry of a transfer with packed strides resolved, per instruction."""

    box_rows: Column
    box_bytes: Column
    local: tuple[Column, Column, Column]
    dram: tuple[Column, Column, Column]
    counts: tuple[Column, Column, Column]


def box(t: Operands) -> Box:
    """Strides and extents of LD or ST; the pad box counts as part of the local tile."""
    zero = np.zeros(len(t), np.int64)
    pad = {side: t.columns.get(f"pad.{side}", zero) for side in ("top", "bottom", "left", "right")}
    rows, width = pad["top"] + t["rows"] + pad["bottom"], pad["left"] + t["row_bytes"] + pad["right"]
    counts = (t["rows"], t["count.count2"], t["count.count3"])
    local = _packed([t[f"local.local{i}"] for i in (1, 2, 3)], width, (rows, counts[1]))
    dram = _packed([t[f"dram.dram{i}"] for i in (1, 2, 3)], t["row_bytes"], counts[:2])
    return Box(rows, width, local, dram, counts)


def _packed(strides: list[Column], row: Column, counts: tuple[Column, Column]) -> tuple[Column, Column, Column]:
    s1 = np.where(strides[0] == 0, row, strides[0])
    s2 = np.where(strides[1] == 0, counts[0] * s1, strides[1])
    s3 = np.where(strides[2] == 0, counts[1] * s2, strides[2])
    return s1, s2, s3


def runs_of(t: Operands, b: Box, strides: tuple[Column, Column, Column]) -> tuple[Column, Column]:
    """(bytes, count) of the contiguous pieces of each transfer on one side; rows that touch are one piece."""
    run, runs, joined = t["row_bytes"], np.ones(len(t), np.int64), np.ones(len(t), bool)
    for count, stride in zip(b.counts, strides):
        joined = joined & ((stride == run) | (count == 1))
        run = np.where(joined, run * count, run)
        runs = np.where(joined, runs, runs * count)
    return run, runs


def box_bytes(t: Operands) -> Column:
    """Bytes each transfer moves on chip, pads left out."""
    return t["rows"] * t["row_bytes"] * t["count.count2"] * t["count.count3"]


def coded(t: Operands) -> NDArray[np.bool_]:
    """Whether each transfer goes through a decoder: `dram1` bytes come from DRAM, one after another."""
    return t["decoder"] != DECODERS.index("dense")


def dram_runs(t: Operands, b: Box) -> tuple[Column, Column]:
    """(bytes, count) of the contiguous pieces of each transfer in DRAM."""
    run, runs = runs_of(t, b, b.dram)
    return np.where(coded(t), t["dram.dram1"], run), np.where(coded(t), 1, runs)


@dataclass(frozen=True)
class Shape:
    """Extents of an MM: reduction K per output, output channels, rows and columns, input channels, size of its input tile."""

    taps: Column
    reduction: Column
    channels: Column
    rows: Column
    columns: Column
    inputs: Column
    heights: Column
    widths: Column
    depthwise: NDArray[np.bool_]


def product_shape(t: Operands) -> Shape:
    """Extents of each MM; a depthwise one reads ceil(channels / multiplier) input channels."""
    depthwise = t["window.mode"] == 1
    taps = t["window.kernel_h"] * t["window.kernel_w"]
    inputs = np.where(depthwise, -(-t["channels"] // t["weight.multiplier"]), t["input.channels"])
    reduction = np.where(depthwise, taps, taps * inputs)
    heights, widths = (
        (count - 1) * t[f"window.stride_{axis}"] + (t[f"window.kernel_{axis}"] - 1) * t[f"window.dilation_{axis}"] + 1
        for axis, count in (("h", t["rows"]), ("w", t["window.columns"]))
    )
    return Shape(taps, reduction, t["channels"], t["rows"], t["window.columns"], inputs, heights, widths, depthwise)


def values_of(t: Operands) -> Column:
    """Values a byte of each MM holds."""
    return np.array([1, *(IN_A_BYTE[name] for name in FORMS[1:]), 1])[t["form.form"]]


def made(t: Operands) -> Column:
    """Channels of bytes a PPU instruction writes; 0 when its packing is not known."""
    return t["channels"] // np.array([1, *(IN_A_BYTE[name] for name in PACKS[1:]), 1 << 16])[t["pack"]]


def value_bytes(t: Operands, register: str) -> Column:
    """Bytes of each value of a register's layout or table."""
    return 1 + t[f"{register}.type"] // TYPES.index("u16")


def table_bytes(t: Operands) -> Column:
    """Bytes of the table of each PPU instruction."""
    return value_bytes(t, "table") * np.array([table_entries(s) for s in range(16)])[t["table.shift"]]


def pooled(t: Operands) -> tuple[Column, Column]:
    """(rows, columns) of what a PPU instruction writes; not positive when the window does not fit."""
    out = []
    for source, axis, sides in (("rows", "h", ("top", "bottom")), ("source.columns", "w", ("left", "right"))):
        reach = (t[f"pool.kernel_{axis}"] - 1) * t[f"pool.dilation_{axis}"] + 1
        extent = t[source] + t[f"pool.{sides[0]}"] + t[f"pool.{sides[1]}"]
        out.append(np.where(t["pool"] > 0, (extent - reach) // t[f"pool.stride_{axis}"] + 1, t[source]))
    return out[0], out[1]


Columns = dict[str, NDArray[Any]]


def box_columns(t: Operands) -> Columns:
    """The geometry of each transfer, dimension by dimension: trips n, strides l on chip and d in DRAM."""
    b = box(t)
    out: Columns = {"box_rows": b.box_rows, "box_bytes": b.box_bytes}
    for i in range(3):
        out |= {f"l{i + 1}": b.local[i], f"d{i + 1}": b.dram[i], f"n{i + 1}": b.counts[i]}
    return out


def product_columns(t: Operands) -> Columns:
    """Reduction K, input channels C, output columns F and the input tile of each MM."""
    s = product_shape(t)
    sizes = {"tile_h": s.heights, "tile_w": s.widths}
    return {"K": s.reduction, "C": s.inputs, "F": s.columns, "depthwise": s.depthwise} | sizes


def pool_columns(t: Operands) -> Columns:
    """Rows E and columns F that each PPU writes."""
    rows, columns = pooled(t)
    return {"E": rows, "F": columns}


def plane_columns(t: Operands) -> Columns:
    """Rows E and columns F that each SOFTMAX or NORMALIZE writes."""
    return {"E": t["rows"], "F": t["source.columns"]}
