"""What each layer leaves in DRAM, read from the simulator as soon as its last store is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.program import Symbol
from dnnc.backends.npu.queues import Event
from dnnc.backends.npu.target import symbol
from dnnc.backends.npu.trace import KINDS
from dnnc.ir.sched import BufferOp

ST = KINDS.index("st")

Seen = Callable[[Symbol, NDArray[Any]], None]


class Probe:
    """A watch of the simulator that hands out the tensor of each layer which has a DRAM buffer of its own name.

    Buffers share DRAM, so a tensor is read before the next instruction runs. A layer that writes into its part of a
    concatenation has no buffer of its own; the tensor it is part of goes by the name of the first layer that writes it.
    """

    def __init__(self, module: ModuleOp, seen: Seen) -> None:
        buffers = (op for op in module.walk() if isinstance(op, BufferOp) and op.space.data in ("arena", "outputs"))
        self.symbols = {b.label.data: symbol(b) for b in buffers}
        self.seen = seen
        self._last: dict[int, str] | None = None

    def __call__(self, simulator: Simulator, event: Event) -> None:
        if self._last is None:
            self._last = self._last_stores(simulator)
        if (name := self._last.get(event.index)) is not None:
            self.seen(self.symbols[name], simulator.read(self.symbols[name]))

    def _last_stores(self, simulator: Simulator) -> dict[int, str]:
        """The last store of each layer, by its index in the stream."""
        last: dict[str, int] = {}
        for index in np.flatnonzero(simulator.kind == ST):
            layer = simulator.program.tag(int(simulator.tag[index])).layer
            if layer in self.symbols:
                last[layer] = int(index)
        return {index: layer for layer, index in last.items()}
