"""The state of the machine and what each instruction does to it, exact to the bit and without loops over elements.

int8 products run through float32 BLAS in slices of the reduction so short that every partial sum stays within 2**24,
where float32 is exact; slices are added in int32, which wraps as the ISA says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.npu.encoding import Decoded
from dnnc.backends.npu.footprint import Memories
from dnnc.backends.npu.isa import FORMS, PACKS, ROUNDINGS, SECONDS, Engine
from dnnc.backends.npu.operands import (
    Columns,
    Operands,
    box_columns,
    operands,
    plane_columns,
    pool_columns,
    product_columns,
)
from dnnc.backends.npu.program import Program
from dnnc.ir import fixed
from dnnc.ir.arch import DECODERS, ROLES
from dnnc.ir.coding import CODES
from dnnc.ir.dnn.movement import Strided
from dnnc.ir.dnn.rescale import ROUNDERS
from dnnc.ir.fixed import AFFINE, EXP_BYTES, OFFSET_RECORD, RECORD
from dnnc.ir.packed import pack, unpack

_TYPES = tuple(map(np.dtype, ("u1", "i1", "<u2", "<i2")))
_REACH = (255, 128)
_EXACT = 1 << 24
_BLOCK_AXES = (("rows", "row", "top", "rows", "h"), ("columns", "column", "left", "F", "w"))
"""Of set.blocks, along rows and columns: size, place and padding of a block; of MM: the sums and the letter of its window."""

Rows = dict[str, list[int]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Work:
    """The rows of one kind of instruction as plain lists, and the row of each instruction index."""

    columns: Rows
    row: dict[int, int]


def _work(decoded: Mapping[str, Decoded], name: str, engine: Engine, extra: Callable[[Operands], Columns]) -> Work:
    t = operands(decoded, name, engine)
    if not len(t):
        return Work({}, {})
    columns = {key: values.tolist() for key, values in (dict(t.columns) | extra(t)).items()}
    return Work(columns, {int(i): j for j, i in enumerate(t.index)})


def works(decoded: Mapping[str, Decoded]) -> dict[str, Work]:
    """The operands of every kind of instruction that does something to data."""
    return {
        "ld": _work(decoded, "ld", Engine.LD, box_columns),
        "st": _work(decoded, "st", Engine.ST, box_columns),
        "mm": _work(decoded, "mm", Engine.MM, product_columns),
        "ppu": _work(decoded, "ppu", Engine.PPU, pool_columns),
        "softmax": _work(decoded, "softmax", Engine.PPU, plane_columns),
        "normalize": _work(decoded, "normalize", Engine.PPU, plane_columns),
    }


def _stored(c: Rows, j: int) -> Strided:
    shape = (c["n3"][j], c["n2"][j], c["n1"][j], c["row_bytes"][j])
    return Strided(shape, (c["d3"][j], c["d2"][j], c["d1"][j], 1), c["offset"][j])


class Machine:
    """Memories on chip, DRAM regions, and one method per kind of instruction."""

    def __init__(self, program: Program, works: Mapping[str, Work], memories: Memories) -> None:
        self.chip = [np.zeros(n, np.uint8) for n in memories.bytes[: memories.on_chip]]
        self.regions = [np.zeros(n, np.uint8) for n in memories.bytes[memories.on_chip :]]
        for region, data in zip(self.regions, (program.weights, program.parameters)):
            region[: len(data)] = np.frombuffer(data, np.uint8)
        self.of_role = memories.role
        does = {
            "ld": self._load,
            "st": self._store,
            "mm": self._product,
            "ppu": self._post,
            "softmax": self._softmax,
            "normalize": self._normalize,
        }
        self.kinds = {name: (works[name], do) for name, do in does.items()}

    def memory(self, role: str) -> NDArray[np.uint8]:
        """The bytes of the memory that plays a role."""
        return self.chip[self.of_role[ROLES.index(role)]]

    def execute(self, kind: str, index: int) -> int:
        """Do one instruction; the number of values that left the range of their type and were clipped."""
        work, do = self.kinds[kind]
        return do(work.columns, work.row[index])

    def _sides(self, c: Rows, j: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return self.regions[c["region"][j]], self.chip[self.of_role[c["space"][j]]]

    def _load(self, c: Rows, j: int) -> int:
        dram, chip = self._sides(c, j)
        n3, n2, n1, width = c["n3"][j], c["n2"][j], c["n1"][j], c["row_bytes"][j]
        strides = (c["l3"][j], c["l2"][j], c["l1"][j], 1)
        box_shape = (n3, n2, c["box_rows"][j], c["box_bytes"][j])
        local = np.ndarray(box_shape, np.uint8, chip, c["address"][j], strides)
        shape, start = (n3, n2, n1, width), c["offset"][j]
        if c["decoder"][j]:
            code = CODES[DECODERS[c["decoder"][j]]]
            source = code.decode(dram[start : start + c["dram.dram1"][j]], prod(shape)).reshape(shape)
        else:
            source = np.ndarray(shape, np.uint8, dram, start, (c["d3"][j], c["d2"][j], c["d1"][j], 1))
        top, left = c["pad.top"][j], c["pad.left"][j]
        if box_shape[2:] != (n1, width):
            local[...] = c["pad.value"][j]
        local[:, :, top : top + n1, left : left + width] = source
        return 0

    def _store(self, c: Rows, j: int) -> int:
        dram, chip = self._sides(c, j)
        box = _stored(c, j)
        local = np.ndarray(box.shape, np.uint8, chip, c["address"][j], (c["l3"][j], c["l2"][j], c["l1"][j], 1))
        np.ndarray(box.shape, np.uint8, dram, box.offset, box.strides)[...] = local
        return 0

    def stored(self, index: int) -> tuple[int, Strided]:
        """(region, bytes of it) that a store writes."""
        work, _ = self.kinds["st"]
        j = work.row[index]
        return work.columns["region"][j], _stored(work.columns, j)

    def _product(self, c: Rows, j: int) -> int:
        m, e, f, k = c["channels"][j], c["rows"][j], c["F"][j], c["K"][j]
        x, w = self._windows(c, j), self._weights(c, j)
        if form := c["form.form"][j]:
            x, w = self._unpacked(c, j, x, w)
            k = len(x)
        reach = _REACH[c["input.type"][j]] + abs(c["input.zero"][j])
        step = max(1, _EXACT // (1 if form else reach * (_REACH[c["weight.type"][j]] + abs(c["weight.zero"][j]))))
        total = np.zeros((m, e * f), np.int32)
        for at in range(0, k, step):
            part = slice(at, at + step)
            if c["depthwise"][j]:
                channel = np.arange(m) // c["weight.multiplier"][j]
                total += np.matmul(w[:, None, part], x[channel, part])[:, 0].astype(np.int32)
            else:
                total += (w[:, part] @ x[part]).astype(np.int32)
        pitches = (4 * c["sums.channel_pitch"][j], 4 * c["sums.row_pitch"][j], 4)
        sums = np.ndarray((m, e, f), np.int32, self.memory("accumulator"), c["accumulator"][j], pitches)
        result = total.reshape(m, e, f)
        if c["accumulate"][j]:
            sums += result
        else:
            sums[...] = result
        return 0

    def _windows(self, c: Rows, j: int) -> NDArray[np.float32]:
        """The im2col matrix: [reduction, pixels], or [channel, taps, pixels] when depthwise."""
        kind = _TYPES[c["input.type"][j]]
        memory, start = self.memory("input"), c["input"][j]
        pitch, row = c["input.channel_pitch"][j], c["input.row_pitch"][j]
        if c["frame.height"][j]:
            memory, start = self._framed(c, j, kind), 0
            pitch, row = memory.shape[1] * memory.shape[2], memory.shape[2]
        shape = (c["C"][j], c["window.kernel_h"][j], c["window.kernel_w"][j], c["rows"][j], c["F"][j])
        strides = (
            pitch,
            c["window.dilation_h"][j] * row,
            c["window.dilation_w"][j],
            c["window.stride_h"][j] * row,
            c["window.stride_w"][j],
        )
        view = np.ndarray(shape, kind, memory, start, strides)
        pixels = shape[3] * shape[4]
        values = view.astype(np.float32)
        self._blocked(c, j, values)
        x = values.reshape((shape[0], -1, pixels) if c["depthwise"][j] else (-1, pixels))
        return x - np.float32(c["input.zero"][j]) if c["input.zero"][j] else x

    def _blocked(self, c: Rows, j: int, x: Floats) -> None:
        """Fill in what [channel, kernel row, kernel column, row, column] reads outside of its block."""
        for axis, (side, at, before, sums, i) in enumerate(_BLOCK_AXES):
            if size := c[f"blocks.{side}"][j]:
                u = c[f"window.stride_{i}"][j]
                y = np.arange(c[sums][j]) + c[f"blocks.{at}"][j]
                taps = np.arange(c[f"window.kernel_{i}"][j]) * c[f"window.dilation_{i}"][j] - c[f"blocks.{before}"][j]
                kernel, out = np.nonzero((taps[:, None] + y * u) // (size * u) != y // size)
                if axis == 0:
                    x[:, kernel, :, out] = c["blocks.value"][j]
                else:
                    x[:, :, kernel, :, out] = c["blocks.value"][j]

    def _framed(self, c: Rows, j: int, kind: np.dtype[Any]) -> NDArray[Any]:
        """The input tile with what lies outside of its frame filled in, as [channels, rows, columns]."""
        height, width, period = c["frame.height"][j], c["frame.width"][j], c["frame.period"][j]
        strides = (c["input.channel_pitch"][j], c["input.row_pitch"][j], 1)
        stored = np.ndarray((c["C"][j], period, width), kind, self.memory("input"), c["input"][j], strides)
        tile = np.full((c["C"][j], c["tile_h"][j], c["tile_w"][j]), c["frame.value"][j], kind)
        top, left = c["frame.top"][j], c["frame.left"][j]
        rows = (c["frame.first"][j] + np.arange(height)) % period
        tile[:, top : top + height, left : left + width] = stored[:, rows]
        return tile

    def _weights(self, c: Rows, j: int) -> NDArray[np.float32]:
        """The weight matrix [channels, reduction], less its zero point."""
        pitch, in_major = c["weight.pitch"][j], c["weight.order"][j]
        strides = (1, pitch) if in_major else (pitch, 1)
        shape = (c["channels"][j], c["K"][j])
        view = np.ndarray(shape, _TYPES[c["weight.type"][j]], self.memory("weight"), c["weight"][j], strides)
        return view.astype(np.float32) - np.float32(c["weight.zero"][j])

    def _unpacked(self, c: Rows, j: int, x: Floats, w: Floats) -> tuple[Floats, Floats]:
        """The values -1, 0 and +1 in the bytes of both matrices; 0 for taps that do not count."""
        levels, taps = FORMS[c["form.form"][j]], c["window.kernel_h"][j] * c["window.kernel_w"][j]
        columns = unpack(x.astype(np.uint8).reshape(c["C"][j], taps, -1), levels, 0).astype(np.float32)
        rows = unpack(w.astype(np.uint8).reshape(len(w), c["C"][j], taps), levels, 1)
        if levels == "binary" and c["form.height"][j]:
            columns *= self._counting(c, j).reshape(taps, -1)
        return columns.reshape(-1, columns.shape[-1]), rows.reshape(len(w), -1).astype(np.float32)

    def _counting(self, c: Rows, j: int) -> NDArray[np.bool_]:
        """Which [kernel row, kernel column, row, column] lie within the part of the tile that counts."""
        inside = []
        for axis, sums, low, size in (("h", "rows", "top", "height"), ("w", "F", "left", "width")):
            tap = np.arange(c[f"window.kernel_{axis}"][j]) * c[f"window.dilation_{axis}"][j]
            at = tap[:, None] + np.arange(c[sums][j]) * c[f"window.stride_{axis}"][j] - c[f"form.{low}"][j]
            inside.append((at >= 0) & (at < c[f"form.{size}"][j]))
        return inside[0][:, None, :, None] & inside[1][None, :, None, :]

    def _post(self, c: Rows, j: int) -> int:
        saturated = 0
        v: NDArray[np.int64] = self._source(c, j)
        if c["pool"][j] == 2:
            v = self._pool(c, j, v, np.sum, 0)
        if c["scale"][j]:
            v, saturated = self._scale(c, j, v)
        if c["table"][j]:
            v = self._look_up(c, j, v)
        if c["second"][j]:
            v, more = self._second(c, j, v)
            saturated += more
        if c["pool"][j] == 1:
            v = self._pool(c, j, v, np.max, np.iinfo(np.int64).min)
        self._write(c, j, v)
        return saturated

    def _look_up(self, c: Rows, j: int, v: NDArray[np.int64]) -> NDArray[np.int64]:
        at, kind, s = c["table.address"][j], _TYPES[c["table.type"][j]], c["table.shift"][j]
        entries = np.frombuffer(self.memory("parameter"), kind, fixed.table_entries(s), at)
        if not s:
            return entries[v & 0xFF].astype(np.int64)
        return fixed.interpolated(v + (c["table.of"][j] << 15) & 0xFFFF, entries)

    def _write(self, c: Rows, j: int, v: NDArray[np.int64]) -> None:
        if "pack" in c and c["pack"][j]:
            v = pack(v, PACKS[c["pack"][j]], 0)
        shape = (len(v), c["E"][j], c["F"][j])
        pitches = (c["destination.channel_pitch"][j], c["destination.row_pitch"][j], 1)
        kind = _TYPES[2 if c["destination.wide"][j] else 0]
        pitches = tuple(kind.itemsize * p for p in pitches)
        target = np.ndarray(shape, kind, self.memory("output"), c["destination"][j], pitches)
        target[...] = (v & np.iinfo(kind).max).astype(kind)

    def _plane(self, c: Rows, j: int) -> NDArray[np.int64]:
        """Values of the input memory as [channels, rows * columns]."""
        return self._values(c, j, "source", c["source"][j]).astype(np.int64).reshape(c["channels"][j], -1)

    def _values(self, c: Rows, j: int, register: str, at: int, size: tuple[int, int] | None = None) -> NDArray[Any]:
        """Values [channels, rows, columns] of the input memory in the layout and of the type a register says."""
        kind = _TYPES[c[f"{register}.type"][j]]
        shape = (c["channels"][j], *(size or (c["rows"][j], c["source.columns"][j])))
        strides = [kind.itemsize * p for p in (c[f"{register}.channel_pitch"][j], c[f"{register}.row_pitch"][j], 1)]
        return np.ndarray(shape, kind, self.memory("input"), at, strides)

    def _softmax(self, c: Rows, j: int) -> int:
        q, at, wide = self._plane(c, j), c["table.address"][j], c["destination.wide"][j]
        exp = self.memory("parameter")[at : at + EXP_BYTES].view("<i4").astype(np.int64)
        e = exp[q.max(1, keepdims=True) - q & 0xFF]
        shape, saturated = (-1, c["E"][j], c["F"][j]), 0
        y = fixed.proportions(e, e.sum(1, keepdims=True), 16 if c["scale"][j] or wide else 8).reshape(shape)
        if c["scale"][j]:
            y, saturated = self._scale(c, j, y)
        else:
            y = y + int(np.iinfo(_TYPES[c["type"][j] + 2 * wide]).min)
        self._write(c, j, y)
        return saturated

    def _normalize(self, c: Rows, j: int) -> int:
        q, k = self._plane(c, j), c["norm.root_shift"][j]
        n = q.shape[1]
        d = n * q - q.sum(1, keepdims=True) if c["norm.center"][j] else q - c["source.zero"][j]
        epsilon = (c["norm.epsilon_high"][j] << 24) + c["norm.epsilon_low"][j]
        v = np.maximum(1, (d * d).sum(1, keepdims=True) + epsilon)
        count = n if c["norm.per_element"][j] else 1
        records = np.frombuffer(self.memory("weight"), AFFINE, count, c["norm.address"][j])
        p = fixed.normalized(d, v, k) * records["multiplier"].astype(np.int64) + records["offset"]
        y = fixed.half_even(p, c["norm.shift"][j]) + c["scale.zero"][j]
        y, saturated = _clip(y, c["scale.low"][j], c["scale.high"][j], c["scale.zero"][j])
        self._write(c, j, y.reshape(-1, c["E"][j], c["F"][j]))
        return saturated

    def _source(self, c: Rows, j: int) -> NDArray[np.int64]:
        sums = c["from_accumulator"][j]
        if not sums:
            v = self._values(c, j, "source", c["source"][j]).astype(np.int64)
            return v - c["source.zero"][j] if c["scale"][j] or c["pool"][j] == 2 else v
        strides = (4 * c["source.channel_pitch"][j], 4 * c["source.row_pitch"][j], 4)
        shape = (c["channels"][j], c["rows"][j], c["source.columns"][j])
        return np.ndarray(shape, "<i4", self.memory("accumulator"), c["source"][j], strides).astype(np.int64)

    def _pool(self, c: Rows, j: int, v: NDArray[np.int64], reduce: Any, outside: int) -> NDArray[np.int64]:
        rows, columns = ((c[f"pool.{a}"][j], c[f"pool.{b}"][j]) for a, b in (("top", "bottom"), ("left", "right")))
        v = np.pad(v, ((0, 0), rows, columns), constant_values=outside) if any((*rows, *columns)) else v
        s0, s1, s2 = v.strides
        shape = (v.shape[0], c["E"][j], c["F"][j], c["pool.kernel_h"][j], c["pool.kernel_w"][j])
        strides = (
            s0,
            s1 * c["pool.stride_h"][j],
            s2 * c["pool.stride_w"][j],
            s1 * c["pool.dilation_h"][j],
            s2 * c["pool.dilation_w"][j],
        )
        return reduce(np.lib.stride_tricks.as_strided(v, shape, strides, writeable=False), axis=(3, 4))

    def _scale(self, c: Rows, j: int, v: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
        count = c["channels"][j] if c["scale.per_channel"][j] else 1
        if levels := c["scale.levels"][j]:
            t = np.ndarray((count, levels), "<i4", self.memory("parameter"), c["parameters"][j])
            return c["scale.zero"][j] + c["scale.step"][j] * _reached(v, t), 0
        kind, rounding = OFFSET_RECORD if c["scale.offset"][j] else RECORD, ROUNDINGS[c["scale.rounding"][j]]
        records = np.frombuffer(self.memory("parameter"), kind, count, c["parameters"][j])
        bias, q, last = (records[name].astype(np.int64)[:, None, None] for name in kind.names or ())
        sums = (v + bias).astype(np.int32).astype(np.int64)  # the adder in front of the multiplier is 32 bits wide
        if c["scale.offset"][j]:
            v = ROUNDERS[rounding](sums * q + last, c["scale.shift"][j])
        else:
            v = fixed.rescale(sums, q, np.minimum(last, fixed.MAX_SHIFT), rounding)
        return _clip(v + c["scale.zero"][j], c["scale.low"][j], c["scale.high"][j], c["scale.zero"][j])

    def _second(self, c: Rows, j: int, v: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
        b = self._values(c, j, "second", c["second.address"][j], (v.shape[1], v.shape[2])).astype(np.int64)
        low, high, zero = c["sum.low"][j], c["sum.high"][j], c["sum.zero"][j]
        if (mode := SECONDS[c["add.mode"][j]]) in ("maximum", "minimum"):
            return np.clip(np.maximum(v, b) if mode == "maximum" else np.minimum(v, b), low, high), 0
        v, b, shift = v - c["sum.zero_a"][j], b - c["second.zero"][j], c["add.shift"][j]
        if mode == "multiply":
            v = fixed.rescale(v * b, c["add.multiplier_a"][j], shift, ROUNDINGS[c["add.rounding"][j]])
        else:
            v = fixed.half_even(v * c["add.multiplier_a"][j] + b * c["add.multiplier_b"][j], shift)
        return _clip(v + zero, low, high, zero)


def _reached(v: NDArray[np.int64], t: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many of its channel's thresholds [channels or 1, levels] each value of [channels, y, x] reaches."""
    count = np.zeros(v.shape, np.int64)
    for k in range(t.shape[1]):  # passes over the whole operand
        count += v >= t[:, k, None, None]
    return count


def _clip(v: NDArray[np.int64], low: int, high: int, zero: int) -> tuple[NDArray[np.int64], int]:
    """Values within the bounds, and how many saturated; a lower bound at the zero point is a ReLU, not a saturation."""
    saturated = np.count_nonzero(v > high) + (np.count_nonzero(v < low) if low < zero else 0)
    return np.clip(v, low, high), int(saturated)
