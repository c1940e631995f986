"""The values off chip that each layer reads and writes, kept in the program so that the verifier can follow them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.npu.program import CONSTANT, REGIONS
from dnnc.ir.dnn.movement import Strided
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, buffer_of, layout_of
from dnnc.passes.analysis.footprint import buffer_bytes, tile_bytes

KEY = "values"
"""Of a program's metadata."""


@dataclass(frozen=True)
class Value:
    """Bytes of a region that hold one value, while it lives."""

    name: str
    region: int
    offset: int
    bytes: int

    def holds(self, region: int, low: int, high: int) -> bool:
        """Whether bytes of a region are all its own."""
        return region == self.region and self.offset <= low and high <= self.offset + self.bytes


@dataclass(frozen=True)
class Flow:
    """Values, and by the name that tags give a layer the numbers of those it reads and of those it writes.

    `copies` are the layers that write one value just as they read another.
    """

    values: tuple[Value, ...]
    layers: Mapping[str, tuple[frozenset[int], frozenset[int]]]
    copies: frozenset[str] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """As the program's metadata have it."""
        values = [[v.name, v.region, v.offset, v.bytes] for v in self.values]
        layers = {name: [sorted(s) for s in sides] for name, sides in self.layers.items()}
        return {"at": values, "layers": layers, "copies": sorted(self.copies)}

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Flow | None:
        """What a program's metadata tell; None where they are silent, as of a program written by hand."""
        if KEY not in metadata:
            return None
        values, layers = (metadata[KEY][key] for key in ("at", "layers"))
        sides = {name: (frozenset(reads), frozenset(writes)) for name, (reads, writes) in layers.items()}
        return cls(tuple(Value(*v) for v in values), sides, frozenset(metadata[KEY]["copies"]))


def flow_of(module: ModuleOp) -> Flow:
    """The flow of a placed schedule."""
    number: dict[BufferOp, int] = {}
    layers: dict[str, tuple[set[int], set[int]]] = {}
    altered: set[str] = set()
    for name, outside, copy in _transfers(module):
        at = number.setdefault(outside, len(number))
        layers.setdefault(name, (set(), set()))[0 if copy.loads else 1].add(at)
        if not _whole(copy, outside):
            altered.add(name)
    sides = {name: (frozenset(reads), frozenset(writes)) for name, (reads, writes) in layers.items()}
    copies = {n for n, (r, w) in sides.items() if len(r) == len(w) == 1 and n not in altered}
    return Flow(tuple(_value(b) for b in number), sides, frozenset(copies))


def _whole(copy: CopyOp, outside: BufferOp) -> bool:
    """Whether a copy takes a buffer off chip byte after byte, and no layer works on them."""
    layout = layout_of(copy.source if copy.loads else copy.target)
    chip = copy.target if copy.loads else copy.source
    computed = any(isinstance(use.operation, ComputeOp) for use in chip.uses)
    return layout == Strided.rows((tile_bytes(outside),)) and not computed


def _transfers(module: ModuleOp) -> Iterator[tuple[str, BufferOp, CopyOp]]:
    """(layer as tags name it, buffer off chip that is not constant, copy) of every copy."""
    ops = list(main_function(module).walk())
    layer: dict[BufferOp, str] = {}
    for op in ops:
        if isinstance(op, ComputeOp):
            for buffer in op.own():
                layer.setdefault(buffer, op.label.data)
    for op in ops:
        if isinstance(op, CopyOp):
            sides = buffer_of(op.source), buffer_of(op.target)
            outside, chip = sides if op.loads else sides[::-1]
            if REGIONS.index(outside.space.data) not in CONSTANT:
                yield layer.get(chip, chip.label.data), outside, op


def _value(buffer: BufferOp) -> Value:
    assert buffer.offset is not None
    return Value(buffer.label.data, REGIONS.index(buffer.space.data), buffer.offset.data, buffer_bytes(buffer))
