"""What each layer makes, read from the simulator as soon as its last store is done, or its last write where it stays on chip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.kept import last_writes, made_on_chip, read
from dnnc.backends.npu.program import Symbol
from dnnc.backends.npu.queues import Event
from dnnc.backends.npu.target import symbol
from dnnc.backends.npu.trace import KINDS
from dnnc.ir.diagnostics import where
from dnnc.ir.dnn.movement import Strided
from dnnc.ir.sched import CopyOp, buffer_of, layout_of

ST = KINDS.index("st")

Seen = Callable[[str, NDArray[Any]], None]


@dataclass(frozen=True)
class _Place:
    """Where a layer's result lies: its part of a buffer, or the whole buffer when it has several parts of it."""

    symbol: Symbol
    part: Strided | None

    def read(self, simulator: Simulator) -> NDArray[Any]:
        whole = simulator.read(self.symbol)
        return whole if self.part is None else self.part.of(whole.reshape(-1)).copy()


class Probe:
    """A watch of the simulator that hands out the tensor of each layer, by the source node that its stores are tagged with.

    Buffers share DRAM, so a tensor is read before the next instruction runs. A layer that writes into its part of a
    concatenation has that part; of a layer that is made in several steps it is what the last one stores. What layers of a
    stack hand on to each other is nowhere whole, and not seen.
    """

    def __init__(self, module: ModuleOp, seen: Seen) -> None:
        self.places: dict[str, _Place] = {}
        for op in module.walk():
            if isinstance(op, CopyOp) and not op.loads:
                self._note(op)
        self.kept = made_on_chip(module)
        self.seen = seen
        self._last: dict[int, str] | None = None
        self._written: dict[int, str] = {}

    def _note(self, op: CopyOp) -> None:
        node, buffer, layout = where(op.location, ""), buffer_of(op.target), layout_of(op.target)
        if not node:  # a copy that no layer makes
            return
        found, before = _Place(symbol(buffer), layout), self.places.get(node)
        shared = before is not None and before.symbol == found.symbol and before.part != layout
        self.places[node] = _Place(found.symbol, None) if shared else found

    def __call__(self, simulator: Simulator, event: Event) -> None:
        if self._last is None:
            self._last, self._written = self._last_stores(simulator), last_writes(simulator, self.kept)
        if (layer := self._written.get(event.index)) is not None:
            compute, buffer = self.kept[layer]
            self.seen(where(compute.location, ""), read(simulator, buffer))
        if (node := self._last.get(event.index)) is not None:
            self.seen(node, self.places[node].read(simulator))

    def _last_stores(self, simulator: Simulator) -> dict[int, str]:
        """The last store of each layer, by its index in the stream."""
        last: dict[str, int] = {}
        for index in np.flatnonzero(simulator.kind == ST):
            node = simulator.program.tag(int(simulator.tag[index])).node
            if node in self.places:
                last[node] = int(index)
        return {index: node for node, index in last.items()}
