"""What would lower the peak of a memory space, each with the bytes it could save at the most."""

from __future__ import annotations

from dataclasses import dataclass

from dnnc.ir.diagnostics import short
from dnnc.passes.analysis.ordering import Ordering
from dnnc.passes.analysis.spaces import Space


@dataclass(frozen=True)
class Saving:
    """A way to need less: `bytes` at the most, None when nothing is known of it before it is tried."""

    what: str
    bytes: int | None
    text: str


@dataclass(frozen=True)
class Orders:
    """Most bytes of activations alive in the order given, and the best order found."""

    given: int
    best: Ordering


def savings(space: Space, order: Orders | None = None) -> list[Saving]:
    """Ways to lower the peak, the surest first; `order` is for activations off chip."""
    if space.kept:
        return [Saving("kept", None, "all of it is kept through the whole program: only narrower types lower it")]
    found = [_placement(space), *_copies(space), *_in_place(space), *([_order(order)] if order is not None else [])]
    found.append(_next_step(space))
    if space.on_chip:
        found.append(_memory(space))
    return found


def _placement(space: Space) -> Saving:
    over = space.bytes - space.proved
    if not over:
        return Saving("placement", 0, "no other placement of these buffers needs less (proved)")
    return Saving("placement", over, f"another placement of the same buffers saves at most {over:,} bytes")


def _copies(space: Space) -> list[Saving]:
    """Second copies, which let a transfer run while the machine computes."""
    doubled = [o for o in space.live(space.peak_step) if o.spare]
    if not doubled:
        return []
    spare = sum(o.spare for o in doubled)
    names = ", ".join(short(o.label) for o in doubled)
    return [Saving("tile", spare, f"one copy instead of two of {names}: transfers then wait for the computation")]


def _in_place(space: Space) -> list[Saving]:
    """The largest buffer a pointwise layer makes at the peak of just the size of one that dies there."""
    step, live = space.peak_step, space.live(space.peak_step)
    dying = [o for o in live if o.start < step and o.end == step + 1] if step in space.pointwise else []
    pairs = [(a, b) for a in dying for b in live if b.start == step and b.end > step + 1 and b.size == a.size]
    if not pairs:
        return []
    a, b = max(pairs, key=lambda pair: pair[1].size)
    return [Saving("in-place", b.size, f"'{short(b.label)}' written over '{short(a.label)}', which dies there")]


def _order(order: Orders) -> Saving:
    if order.given > order.best.peak:
        gain = order.given - order.best.peak
        return Saving("order", gain, f"another order of the layers keeps {gain:,} bytes fewer alive (pass order)")
    if not order.best.optimal:
        over = order.best.peak - order.best.lower_bound
        return Saving("order", over, f"an order of the layers better than any found saves at most {over:,} bytes")
    return Saving("order", 0, "no order of the layers keeps fewer bytes alive (proved)")


def _next_step(space: Space) -> Saving:
    """What smaller tiles, or running with its reader row by row, could gain for the layer at the peak."""
    step, live = space.peak_step, space.live_bytes
    rest = [b for i, b in enumerate(live) if i != step]
    highest = max(rest, default=0)
    gain = max(0, live[step] - highest)
    name, largest = short(space.steps[step]), short(space.live(step)[0].label)
    way = "a smaller tile of" if space.on_chip else "rows in place of whole tensors (fuse-groups) at"
    if not gain:
        return Saving("peak", 0, f"several steps stand at the peak: lowering '{name}' alone saves nothing")
    then = f": then '{short(space.steps[live.index(highest)])}' is the peak" if rest else ""
    return Saving("peak", gain, f"{way} '{name}', whose largest is '{largest}'{then}")


def _memory(space: Space) -> Saving:
    free = (space.capacity or 0) - space.bytes
    text = f"{free:,} of {space.capacity:,} bytes are free: a larger {space.name} helps where a layer's tile is cut smaller"
    return Saving("memory", None, text)
