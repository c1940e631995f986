"""Loads of bytes that do not hold the value that is read: its store is missing, went elsewhere, or was written over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.npu.encoding import Decoded, Words, header
from dnnc.backends.npu.flow import Flow
from dnnc.backends.npu.footprint import Memories
from dnnc.backends.npu.isa import Engine
from dnnc.backends.npu.program import CONSTANT, Program
from dnnc.backends.npu.queues import Event
from dnnc.backends.npu.touched import Touch, Touched

NOBODY = -1


@dataclass(frozen=True)
class Stale:
    """An instruction of the stream, and what is wrong with the value it moves."""

    index: int
    text: str


class _Owners:
    """Which value each byte off chip holds, and which byte of a value a copy has loaded where on chip."""

    def __init__(self, program: Program, flow: Flow, m: Memories) -> None:
        self.chip = [np.full(n, NOBODY, np.int64) for n in m.bytes[: m.on_chip]]
        self.flow = flow
        sizes = [0 if r in CONSTANT else region.bytes for r, region in enumerate(program.regions)]
        self.of = [np.full(n, NOBODY, np.int32) for n in sizes]
        for number, value in enumerate(flow.values):
            if any(s.direction == "input" and value.holds(s.region, s.offset, s.offset + 1) for s in program.symbols):
                self.of[value.region][value.offset : value.offset + value.bytes] = number

    def stored(self, region: int, touch: Touch, layer: str) -> str | None:
        """Note a store; what is wrong with where it goes."""
        low, high = _span(touch)
        made = self.flow.layers[layer][1]
        number = next((n for n in made if self.flow.values[n].holds(region, low, high)), None)
        if number is None:
            return f"a store within {self._names(made)} was expected, not to [{low}, {high})"
        touch.box.of(self.of[region])[...] = number
        return None

    def brought(self, chip: Touch, outside: Touch | None) -> None:
        """Note where on chip a load puts the bytes it copies; those of another are not looked for."""
        view = chip.box.of(self.chip[chip.memory])
        view[...] = NOBODY if outside is None else _places(outside).reshape(view.shape)

    def kept(self, outside: Touch, chip: Touch, layer: str) -> str | None:
        """What is wrong with the bytes that a copy stores: each must be the one at the same place of what it copies."""
        (read,), (made,) = self.flow.layers[layer]
        source, target = self.flow.values[read], self.flow.values[made]
        found = chip.box.of(self.chip[chip.memory])
        wanted = _places(outside).reshape(found.shape) - target.offset + source.offset
        wrong = np.count_nonzero(found != wanted)
        text = f"bytes of '{source.name}' were expected for '{target.name}', {wrong} of the {found.size} stored are others: in part"
        return text if wrong else None

    def loaded(self, region: int, touch: Touch, layer: str, moves: bool) -> str | None:
        """What is wrong with the bytes a load finds; those that nothing wrote are no value's.

        `moves`: several moves of one name may take values that lie at one place one after another. A layer that computes
        reads all its values at once, so those at one place are an error.
        """
        low, high = _span(touch)
        read, found = self.flow.layers[layer][0], touch.box.of(self.of[region])
        numbers = [n for n in sorted(read) if self.flow.values[n].holds(region, low, high)]
        if not numbers:
            return f"a load within {self._names(read)} was expected, not of [{low}, {high})"
        foreign = ((found != n) & (found != NOBODY) for n in numbers)
        wrong = (min if moves else max)(foreign, key=np.count_nonzero)
        if not wrong.any():
            return None
        other = int(found[wrong][0])
        name, held = (self.flow.values[n].name for n in (next((n for n in numbers if n != other), numbers[0]), other))
        return (
            f"'{name}' was expected in [{low}, {high}), {np.count_nonzero(wrong)} of {found.size} bytes hold '{held}'"
        )

    def _names(self, numbers: frozenset[int]) -> str:
        return " or ".join(f"'{self.flow.values[n].name}'" for n in sorted(numbers)) or "nothing"


def stale(
    program: Program, words: Words, decoded: Mapping[str, Decoded], m: Memories, events: Sequence[Event]
) -> list[Stale]:
    """What transfers read or write otherwise than the program says of their layers, in the order of execution."""
    flow = Flow.of(program.metadata)
    if flow is None:
        return []
    owners, found, tags = _Owners(program, flow, m), [], header(words, "tag")
    computing = np.isin(header(words, "engine"), (Engine.MM, Engine.PPU))
    layers = {program.tag(tag).layer for tag in np.unique(tags[computing]).tolist()}
    for index, touch, chip in _transfers(decoded, m, events):
        layer, region = program.tag(int(tags[index])).layer, touch.memory - m.on_chip
        copied = layer in flow.copies
        if chip.write:
            owners.brought(chip, touch if copied else None)
        if layer not in flow.layers or region in CONSTANT:
            continue
        if not touch.write:
            text = owners.loaded(region, touch, layer, layer not in layers)
        else:
            text = owners.stored(region, touch, layer) or (owners.kept(touch, chip, layer) if copied else None)
        if text is not None:
            found.append(Stale(index, f"{text} of {m.names[touch.memory]}"))
    return found


def _places(touch: Touch) -> NDArray[np.int64]:
    """The bytes of a box, one by one."""
    found = np.full(touch.box.shape, touch.box.offset, np.int64)
    for axis, stride in enumerate(touch.box.strides):
        shape = [-1 if a == axis else 1 for a in range(found.ndim)]
        found += (stride * np.arange(found.shape[axis])).reshape(shape)
    return found


def _transfers(
    decoded: Mapping[str, Decoded], m: Memories, events: Sequence[Event]
) -> Iterator[tuple[int, Touch, Touch]]:
    """The sides off chip and on chip of every transfer that runs, in the order of execution."""
    rows: dict[int, tuple[Touched, dict[str, int]]] = {}
    for name, engine in (("ld", Engine.LD), ("st", Engine.ST)):
        if name not in decoded:
            continue
        kind = Touched(decoded, name, engine, m)
        columns = {key: np.broadcast_to(c, kind.t.index.shape).tolist() for key, c in kind.columns().items()}
        for i, at in enumerate(kind.t.index.tolist()):
            rows[at] = kind, {key: c[i] for key, c in columns.items()}
    for event in events:
        if event.index in rows:
            kind, row = rows[event.index]
            chip, outside = sorted(kind.of(row), key=lambda t: t.memory)
            if 0 not in outside.box.shape:
                yield event.index, outside, chip


def _span(touch: Touch) -> tuple[int, int]:
    box = touch.box
    return box.offset, box.offset + sum((n - 1) * s for n, s in zip(box.shape, box.strides)) + 1
