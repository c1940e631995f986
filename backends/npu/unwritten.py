"""Bytes that are read before anything is written to them, and outputs that nothing fills.

Memories are empty at the start but for constants and inputs. Bytes once written stay so: of instructions that touch the
same bytes the first is enough to look at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.npu.encoding import Decoded
from dnnc.backends.npu.footprint import Memories
from dnnc.backends.npu.isa import Engine
from dnnc.backends.npu.program import CONSTANT, Program, Symbol
from dnnc.backends.npu.queues import Event
from dnnc.backends.npu.touched import Touch, Touched
from dnnc.ir.dnn.movement import Strided

KINDS = {
    "ld": Engine.LD,
    "st": Engine.ST,
    "mm": Engine.MM,
    "ppu": Engine.PPU,
    "softmax": Engine.PPU,
    "normalize": Engine.PPU,
}
_HEADER = ("engine", "wait", "signal", "tag")


@dataclass(frozen=True)
class Unwritten:
    """An instruction of the stream and the operand it reads: bytes from `first` to `last` of a memory, `missing` of `size`."""

    index: int
    operand: str
    memory: int
    missing: int
    size: int
    first: int
    last: int


class _Memories:
    """Which bytes have been written so far."""

    def __init__(self, program: Program, m: Memories) -> None:
        # constants are told by their size alone: they may be large
        self.constant = {m.on_chip + r: len(d) for r, d in zip(CONSTANT, (program.weights, program.parameters))}
        self.written = [np.zeros(0 if i in self.constant else n, bool) for i, n in enumerate(m.bytes)]
        for s in program.symbols:
            if s.direction == "input":
                self.written[m.on_chip + s.region][s.offset : s.offset + s.bytes] = True

    def missing(self, touch: Touch) -> tuple[int, int, int] | None:
        """(bytes missing, first, end of the last) of a read, which count as written from now on."""
        if touch.memory in self.constant:
            end, high = self.constant[touch.memory], _end(touch.box)
            self.constant[touch.memory] = max(end, high)
            return (high - end, end, high) if high > end else None
        view = touch.box.of(self.written[touch.memory])
        if view.all():
            return None
        places = np.stack(np.nonzero(~view), 1) @ np.array(touch.box.strides) + touch.box.offset
        view[...] = True
        return len(np.unique(places)), int(places.min()), int(places.max()) + 1

    def write(self, touch: Touch) -> None:
        touch.box.of(self.written[touch.memory])[...] = True

    def unfilled(self, symbol: Symbol, m: Memories) -> int:
        """How many bytes of a tensor nothing has written."""
        whole = self.written[m.on_chip + symbol.region][symbol.offset : symbol.offset + symbol.bytes]
        return int(np.count_nonzero(~whole))


def unwritten(
    program: Program, decoded: Mapping[str, Decoded], m: Memories, events: Sequence[Event]
) -> tuple[list[Unwritten], list[tuple[Symbol, int]]]:
    """Reads of bytes that nothing wrote before, each byte told once, and outputs with the bytes that nothing fills.

    Of constants that the program does not hold the read that reaches furthest is told.
    """
    memory, found = _Memories(program, m), []
    lacking: dict[int, Unwritten] = {}
    for index, touch in _first_of_each(decoded, m, events):
        if touch.write:
            memory.write(touch)
        elif (gap := memory.missing(touch)) is not None:
            one = Unwritten(index, touch.operand, touch.memory, gap[0], int(np.prod(touch.box.shape)), *gap[1:])
            if touch.memory in memory.constant:
                lacking[touch.memory] = one
            else:
                found.append(one)
    found = [*lacking.values(), *found]
    outputs = [(s, memory.unfilled(s, m)) for s in program.symbols if s.direction == "output"]
    return found, [(s, n) for s, n in outputs if n]


def _first_of_each(decoded: Mapping[str, Decoded], m: Memories, events: Sequence[Event]) -> Iterator[tuple[int, Touch]]:
    """What is touched in the order of execution, without repetitions."""
    rank = np.full(max((e.index for e in events), default=-1) + 1, len(events))
    rank[[e.index for e in events]] = np.arange(len(events))
    chosen = [(int(rank[i]), i, c, kind) for kind in _kinds(decoded, m) for i, c in _distinct(kind, rank)]
    for _, index, row, kind in sorted(chosen, key=lambda of: of[0]):
        for touch in kind.of(row):
            if 0 not in touch.box.shape:
                yield index, touch


def _kinds(decoded: Mapping[str, Decoded], m: Memories) -> list[Touched]:
    return [Touched(decoded, name, engine, m) for name, engine in KINDS.items() if name in decoded]


def _distinct(kind: Touched, rank: NDArray[np.int64]) -> list[tuple[int, dict[str, int]]]:
    """(index, columns) of the executed instructions of a kind, of those with equal columns the first executed."""
    index = kind.t.index
    executed = index[index < len(rank)]
    executed = np.flatnonzero(np.isin(index, executed[rank[executed] < rank.size]))
    order = executed[np.argsort(rank[index[executed]], kind="stable")]
    columns = {name: values for name, values in kind.columns().items() if name not in _HEADER}
    table = np.stack([np.broadcast_to(v, index.shape) for v in columns.values()], axis=1).astype(np.int64)[order]
    _, first = np.unique(table, axis=0, return_index=True)
    return [(int(index[order[i]]), dict(zip(columns, table[i].tolist()))) for i in first.tolist()]


def _end(box: Strided) -> int:
    return box.offset + sum((n - 1) * s for n, s in zip(box.shape, box.strides)) + 1
