"""Loads of constants that wait: those of a layer come behind those of the layers before it, ahead of its own tiles."""

from __future__ import annotations

from collections.abc import Container

from dnnc.backends.npu.tiles import LayerTiles
from dnnc.ir.sched import BufferOp, CopyOp, buffer_of


def waits(op: CopyOp, layers: Container[BufferOp]) -> bool:
    """Whether a copy loads the constants of a layer, given the buffers that layers compute on."""
    return op.loads and buffer_of(op.source).constant is not None and buffer_of(op.target) in layers


class Waiting:
    """Loads of layers' constants outside all loops, kept back until their layer reads or computes for the first time."""

    def __init__(self) -> None:
        self.copies: list[CopyOp] = []

    def due(self, layer: LayerTiles) -> list[CopyOp]:
        """The loads a layer has waited for, in their order; they wait no longer."""
        tiles = {buffer_of(tile) for tile in layer.op.tiles} if self.copies else set()
        mine = [op for op in self.copies if buffer_of(op.target) in tiles]
        self.copies = [op for op in self.copies if op not in mine]
        return mine
