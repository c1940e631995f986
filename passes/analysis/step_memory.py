"""Whether the buffers of a plan have places: memory by memory, for as long as each is needed."""

from __future__ import annotations

from collections.abc import Iterator

from dnnc.ir.arch import Accelerator
from dnnc.passes.analysis.allocate import pack
from dnnc.passes.analysis.allocation import Buffer
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.step_plan import Plan, Share
from dnnc.passes.analysis.step_tiles import aligned, weight_bytes
from dnnc.passes.analysis.tiling import ALIGN

NODES = 20_000
"""Places the exact search may try in a memory; the heuristics find one as a rule."""

Asked = tuple[str, int, tuple[int, int]]
"""Role, bytes, and the layers [first, end) during which a buffer is needed."""


def buffers(plan: Plan) -> Iterator[Asked]:
    """Every buffer of the steps of a plan."""
    cut, members = plan.cut, plan.cut.stack.members
    for tensor, (first, last) in enumerate(cut.stack.alive):
        span = (0, len(members)) if cut.rolls else (first, last + 1)
        yield "input", cut.bytes(tensor, plan.ahead), span
    for i, (member, share) in enumerate(zip(members, plan.shares)):
        mine, always = (i, i + 1), (0, len(members))
        stays, records = share.weights == "resident", share.records == "resident"
        yield (
            "weight",
            _weights(member.layer, share) if share.weights == "tile" else weight_bytes(member.layer),
            always if stays else mine,
        )
        yield "accumulator", share.sums, mine
        yield "parameter", _records(member.layer, share), always if records else mine
        yield "parameter", member.layer.table_bytes, mine if share.records == "whole" else always


def _weights(layer: Layer, share: Share) -> int:
    inner = min(share.reduction, layer.C) if layer.kind == "dense" else 1
    return share.copies * aligned(share.channels * inner * layer.taps) * (layer.kind != "none")


def _records(layer: Layer, share: Share) -> int:
    if share.records == "tile":
        return 2 * aligned(layer.record * share.channels)
    return aligned(layer.record * layer.records)


def placed(plan: Plan, arch: Accelerator) -> bool:
    """Whether every memory has room for its buffers, each in a place of its own while it is needed."""
    asked = list(buffers(plan))
    for memory in arch.memory:
        mine = [(aligned(n), *span) for role, n, span in asked if role in memory.holds]
        if sum(size for size, _, _ in mine) <= memory.bytes:
            continue
        if pack([Buffer(i, *of, ALIGN) for i, of in enumerate(mine)], memory.bytes, NODES).offsets is None:
            return False
    return True
