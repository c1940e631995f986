"""Weights are stored in a lossless code, a block for each tile that a copy loads, where the target has a decoder for it.

sched.copy %w to %t at(%z) <...>   ->   sched.copy %w.rice to %t at(%z) <...> decoder <rice> <[64, 3, 3, 3] as [120, 118]>
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.arch import of_module
from dnnc.ir.coding import CODES
from dnnc.ir.dnn.attributes import Word
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import Blocks, BufferOp, CodedAttr, ComputeOp, CopyOp, buffer_of
from dnnc.ir.types import bits
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.blocks import tiles
from dnnc.passes.analysis.group import group_of
from dnnc.passes.analysis.group_operands import UI8


@dataclass(frozen=True)
class EncodeWeightsPass(ModulePass):
    """Store weights in the target's code where that is shorter; what the chip holds stays the same to the bit.

    Weights that several copies load keep their plain form.
    """

    name = "encode-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        codes = [name for name in of_module(op).dma.decoders if name in CODES]
        if not codes:
            return
        store = store_of(ctx)
        for compute in [c for c in main_function(op).walk() if isinstance(c, ComputeOp)]:
            copy = _weights(compute)
            if copy is not None:
                _encode(copy, _tiles(compute, copy, store), codes, store)


def _weights(compute: ComputeOp) -> CopyOp | None:
    """The only copy of a layer's constant weights, when it is the only use of them."""
    tile = compute.tile("weight")
    loads = [u.operation for u in tile.result.uses if isinstance(u.operation, CopyOp)] if tile else []
    if len(loads) != 1 or not isinstance(loads[0].source.owner, BufferOp) or loads[0].coded is not None:
        return None
    source = buffer_of(loads[0].source)
    byte = bits(source.result.type.element_type) == 8  # pyright: ignore[reportAttributeAccessIssue]
    return loads[0] if byte and source.constant is not None and len(list(source.result.uses)) == 1 else None


def _tiles(compute: ComputeOp, copy: CopyOp, store: WeightStore) -> list[np.ndarray]:
    """The bytes of each tile in the order in which the chip holds them.

    The slices cut group, output channel, input channel and tap; some products hold the output channels of an input channel
    together.
    """
    source = buffer_of(copy.source)
    assert source.constant is not None
    layer = group_of(compute.body.block, compute.label.data, compute.location).layer
    order = (0, 2, 1, 3) if layer.in_major else (0, 1, 2, 3)
    extents = [copy.slices.data[axis].extent for axis in order]
    weights = store[source.constant.data].view(np.uint8).reshape(extents)
    boxes = ([tile[axis] for axis in order] for tile in tiles(copy))
    return [weights[tuple(slice(first, first + count) for first, count in box)].reshape(-1) for box in boxes]


def _encode(copy: CopyOp, plain: Sequence[np.ndarray], codes: Sequence[str], store: WeightStore) -> None:
    """Replace the source of a copy by its blocks, when they are shorter."""
    coded = {name: [CODES[name].encode(t) for t in plain] for name in codes}
    name = min(codes, key=lambda n: sum(map(len, coded[n])))
    sizes = tuple(map(len, coded[name]))
    if sum(sizes) >= sum(map(len, plain)):
        return
    source = buffer_of(copy.source)
    key = store.add(f"{source.label.data}.{name}", np.concatenate(coded[name]))
    stored = BufferOp(f"{source.label.data}.{name}", source.space.data, UI8, (sum(sizes),), constant=key)
    Rewriter.insert_op(stored, InsertPoint.before(source))
    copy.operands[0] = stored.result
    shape = source.result.type.get_shape()  # pyright: ignore[reportAttributeAccessIssue]
    copy.decoder, copy.coded = Word(name), CodedAttr(Blocks(tuple(shape), sizes))
    Rewriter.erase_op(source)
