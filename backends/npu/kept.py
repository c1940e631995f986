"""Values that stay on chip: the layer that makes each, after which instruction it is whole, and its elements there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import MemRefType, ModuleOp

from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.trace import KINDS
from dnnc.ir.sched import BufferOp, ComputeOp, ViewOp, buffer_of
from dnnc.ir.types import dtype

WRITES = [KINDS.index(kind) for kind in ("ppu", "softmax", "normalize")]


def made_on_chip(module: ModuleOp) -> dict[str, tuple[ComputeOp, BufferOp]]:
    """(a compute that makes it, where it lies) of each value that stays on chip, by the layer's name.

    What every step of a loop over states makes anew is not one of them.
    """
    found = {}
    for op in module.walk():
        if isinstance(op, ComputeOp) and _once(op):
            for role, tile in zip(op.roles, op.tiles):
                if role.data == "output" and isinstance(tile.owner, ViewOp):
                    found[op.label.data] = op, buffer_of(tile)
    return found


def _once(op: ComputeOp) -> bool:
    """Whether every loop around makes another part."""
    parts = (op.slices, *(op.holding or ()))
    return {s.loop for part in parts for s in part.data} >= set(range(len(op.indices)))


def last_writes(simulator: Simulator, layers: Collection[str]) -> dict[int, str]:
    """The instruction after which the result of each layer is whole, by its index in the stream."""
    last: dict[str, int] = {}
    for index in np.flatnonzero(np.isin(simulator.kind, WRITES)):
        layer = simulator.program.tag(int(simulator.tag[index])).layer
        if layer in layers:
            last[layer] = int(index)
    return {index: layer for layer, index in last.items()}


def read(simulator: Simulator, buffer: BufferOp) -> NDArray[Any]:
    """The elements of a buffer on chip."""
    type_ = buffer.result.type
    assert simulator.machine is not None and buffer.offset is not None and isinstance(type_, MemRefType)
    memory, kind = simulator.machine.memory(buffer.space.data), dtype(type_.element_type)
    return np.ndarray(type_.get_shape(), kind, memory, buffer.offset.data).copy()
