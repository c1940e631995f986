"""Exactly the bytes each instruction reads and writes, as strided boxes; `footprint` has the intervals around them.

Of an input tile a product reads what lies under a tap of its window, of a source a pool what lies under its windows: with
strides past the window there are bytes between that nothing needs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dnnc.backends.npu.encoding import Decoded
from dnnc.backends.npu.footprint import Memories, affine_bytes, record_bytes
from dnnc.backends.npu.isa import FORMS, Engine
from dnnc.backends.npu.operands import (
    Columns,
    box_columns,
    made,
    operands,
    plane_columns,
    pool_columns,
    product_columns,
    table_bytes,
    value_bytes,
)
from dnnc.ir.arch import ROLES
from dnnc.ir.dnn.movement import Strided
from dnnc.ir.fixed import EXP_BYTES

Row = Mapping[str, int]


@dataclass(frozen=True)
class Touch:
    """An operand of an instruction: bytes of a memory that it reads or writes."""

    operand: str
    memory: int
    write: bool
    box: Strided


Progression = tuple[int, int, int]
"""First, count and step of places on an axis."""


def under(count: int, stride: int, kernel: int, dilation: int, low: int, high: int) -> list[Progression]:
    """The places e * stride + r * dilation within [low, high) of `count` windows of `kernel` taps."""
    if dilation == 1 and (stride <= kernel or count == 1):
        taps = [(0, (count - 1) * stride + kernel, 1)]
    else:
        taps = [(r * dilation, count, stride) for r in range(kernel)]
    found = []
    for first, n, step in taps:
        skipped = max(0, -((first - low) // step))
        n = min(n, -((first - high) // step)) - skipped
        if n > 0:
            found.append((first + skipped * step, n, step))
    return found


class Touched:
    """What the instructions of one kind touch; `rows` are those whose own fields and state differ."""

    def __init__(self, decoded: Mapping[str, Decoded], name: str, engine: Engine, m: Memories) -> None:
        self.name, self.m = name, m
        self.t = operands(decoded, name, engine)
        self.role = {role: m.role[i] for i, role in enumerate(ROLES)}

    def columns(self) -> Columns:
        """Fields, state and what follows from them, a column each."""
        t = self.t
        derive = {"ld": box_columns, "st": box_columns, "mm": product_columns, "ppu": pool_columns}
        found = dict(t.columns) | derive.get(self.name, plane_columns)(t)
        if t.engine == Engine.PPU:
            found |= {"records": record_bytes(t), "source.bytes": value_bytes(t, "source")}
        if self.name == "ppu":
            found |= {"made": made(t), "second.bytes": value_bytes(t, "second"), "table.bytes": table_bytes(t)}
        if self.name == "normalize":
            found |= {"affine": affine_bytes(t)}
        return found

    def of(self, c: Row) -> Iterator[Touch]:
        """What one instruction touches, reads first."""
        match self.name:
            case "ld" | "st":
                yield from self._transfer(c)
            case "mm":
                yield from self._product(c)
            case "ppu":
                yield from self._post(c)
            case _:
                yield from self._vector(c)

    def _touch(self, operand: str, role: str, box: Strided, write: bool = False) -> Touch:
        return Touch(operand, self.role[role], write, box)

    def _transfer(self, c: Row) -> Iterator[Touch]:
        load, counts = self.name == "ld", (c["n3"], c["n2"], c["n1"])
        dram = Strided((*counts, c["row_bytes"]), (c["d3"], c["d2"], c["d1"], 1), c["offset"])
        if c["decoder"]:
            dram = Strided((c["dram.dram1"],), (1,), c["offset"])
        shape = (c["n3"], c["n2"], c["box_rows"], c["box_bytes"]) if load else (*counts, c["row_bytes"])
        chip = Strided(shape, (c["l3"], c["l2"], c["l1"], 1), c["address"])
        sides = [
            Touch(f"{self.name}.offset", self.m.on_chip + c["region"], not load, dram),
            Touch(f"{self.name}.address", self.m.role[c["space"]], load, chip),
        ]
        yield from sorted(sides, key=lambda side: side.write)

    def _product(self, c: Row) -> Iterator[Touch]:
        yield from self._input(c)
        strides = (1, c["weight.pitch"]) if c["weight.order"] else (c["weight.pitch"], 1)
        yield self._touch("mm.weight", "weight", Strided((c["channels"], c["K"]), strides, c["weight"]))
        pitches = (4 * c["sums.channel_pitch"], 4 * c["sums.row_pitch"], 1)
        sums = Strided((c["channels"], c["rows"], 4 * c["F"]), pitches, c["accumulator"])
        if c["accumulate"]:
            yield self._touch("mm.accumulator", "accumulator", sums)
        yield self._touch("mm.accumulator", "accumulator", sums, True)

    def _input(self, c: Row) -> Iterator[Touch]:
        """The taps within the frame, in the rows of a rolling buffer, or within the part that counts."""
        (top, bottom), (left, right) = _window(c, "top", "height", "tile_h"), _window(c, "left", "width", "tile_w")
        rows = under(c["rows"], *_taps(c, "window", "h"), top, bottom)
        columns = under(c["F"], *_taps(c, "window", "w"), left, right)
        framed = c["frame.height"] > 0
        for y, n, down in rows:
            pieces = _turns(c["frame.first"] + y - c["frame.top"], n, down, c["frame.period"]) if framed else [(y, n)]
            for row, count in pieces:
                for x, wide, across in columns:
                    at = c["input"] + row * c["input.row_pitch"] + x - (c["frame.left"] if framed else 0)
                    strides = (c["input.channel_pitch"], down * c["input.row_pitch"], across)
                    yield self._touch("mm.input", "input", Strided((c["C"], count, wide), strides, at))

    def _post(self, c: Row) -> Iterator[Touch]:
        source, unit = ("accumulator", 4) if c["from_accumulator"] else ("input", c["source.bytes"])
        rows, columns = [(0, c["rows"], 1)], [(0, c["source.columns"], 1)]
        if c["pool"]:
            top, left = c["pool.top"], c["pool.left"]
            rows = under(c["E"], *_taps(c, "pool", "h"), top, top + c["rows"])
            columns = under(c["F"], *_taps(c, "pool", "w"), left, left + c["source.columns"])
            rows, columns = ([(p - pad, n, s) for p, n, s in of] for of, pad in ((rows, top), (columns, left)))
        for box in _planes(c["channels"], rows, columns, c, "source", c["source"], unit):
            yield self._touch("ppu.source", source, box)
        if c["scale"]:
            yield self._touch("ppu.parameters", "parameter", _run(c["parameters"], c["records"]))
        if c["table"]:
            yield self._touch("set.table.address", "parameter", _run(c["table.address"], c["table.bytes"]))
        if c["second"]:
            if c["pool"] == 2:
                rows, columns = [(0, c["E"], 1)], [(0, c["F"], 1)]
            for box in _planes(c["channels"], rows, columns, c, "second", c["second.address"], c["second.bytes"]):
                yield self._touch("set.second.address", "input", box)
        yield self._destination(c, c["made"])

    def _destination(self, c: Row, channels: int) -> Touch:
        unit = 1 + c["destination.wide"]
        pitches = (unit * c["destination.channel_pitch"], unit * c["destination.row_pitch"], 1)
        box = Strided((channels, c["E"], unit * c["F"]), pitches, c["destination"])
        return self._touch(f"{self.name}.destination", "output", box, True)

    def _vector(self, c: Row) -> Iterator[Touch]:
        whole = ([(0, c["rows"], 1)], [(0, c["source.columns"], 1)])
        for box in _planes(c["channels"], *whole, c, "source", c["source"], c["source.bytes"]):
            yield self._touch(f"{self.name}.source", "input", box)
        if self.name == "softmax":
            yield self._touch("set.table.address", "parameter", _run(c["table.address"], EXP_BYTES))
            if c["scale"]:
                yield self._touch("softmax.parameters", "parameter", _run(c["parameters"], c["records"]))
        else:
            yield self._touch("set.norm.address", "weight", _run(c["norm.address"], c["affine"]))
        yield self._destination(c, c["channels"])


def _run(start: int, size: int) -> Strided:
    return Strided((size,), (1,), start)


def _taps(c: Row, of: str, axis: str) -> tuple[int, int, int]:
    return c[f"{of}.stride_{axis}"], c[f"{of}.kernel_{axis}"], c[f"{of}.dilation_{axis}"]


def _window(c: Row, side: str, extent: str, size: str) -> tuple[int, int]:
    """The part of the input tile that is read: the frame, what counts of binary values, or all of it."""
    if c["frame.height"]:
        return c[f"frame.{side}"], c[f"frame.{side}"] + c[f"frame.{extent}"]
    if c["form.form"] == FORMS.index("binary") and c["form.height"]:
        return c[f"form.{side}"], c[f"form.{side}"] + c[f"form.{extent}"]
    return 0, c[size]


def _turns(row: int, n: int, step: int, period: int) -> list[tuple[int, int]]:
    """(row of the buffer, count) of the pieces of n rows `step` apart in a buffer that starts over after `period`."""
    found = []
    while n > 0:
        row %= period
        count = min(n, -((row - period) // step))
        found.append((row, count))
        row, n = row + count * step, n - count
    return found


def _planes(
    channels: int, rows: list[Progression], columns: list[Progression], c: Row, layout: str, start: int, unit: int
) -> Iterator[Strided]:
    """Boxes of [channel, row, column] of elements of `unit` bytes."""
    across, down = unit * c[f"{layout}.channel_pitch"], unit * c[f"{layout}.row_pitch"]
    for y, n, dy in rows:
        for x, wide, dx in columns:
            shape, last = ((wide * unit,), (1,)) if dx == 1 else ((wide, unit), (dx * unit, 1))
            yield Strided((channels, n, *shape), (across, dy * down, *last), start + y * down + x * unit)
