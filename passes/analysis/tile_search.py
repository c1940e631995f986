"""The tile of a layer: the fastest within a slack of the least traffic, among all that fit; or which memory is too small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from dnnc.ir.arch import Accelerator, Memory
from dnnc.ir.diagnostics import Finding, UnsupportedError
from dnnc.passes.analysis.candidates import Candidates, buffered, forms, smallest
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.tiling import EQUALLY_FAST_PERCENT, ORDERS, SLACK_PERCENT, Model, Tile


def search(layer: Layer, arch: Accelerator, slack: int = SLACK_PERCENT, whole: frozenset[str] = frozenset()) -> Tile:
    """The fastest tile within `slack` percent of the least traffic; UnsupportedError names the memory that is too small.

    Tensors of the roles `whole` stay on chip.
    """
    try:
        return _search(replace(layer, name=""), arch, slack, whole)
    except UnsupportedError:
        raise _too_small(Model(layer, arch, smallest(layer), whole)) from None


@lru_cache(maxsize=1024)
def _search(layer: Layer, arch: Accelerator, slack: int, whole: frozenset[str]) -> Tile:
    """`search` without names, so that layers that are alike are searched once."""
    model = _closest(layer, arch, slack, whole)
    traffic, cycles, c = model.traffic(), model.cycles(), model.c
    steps = model.trips[0] * model.trips[1] * model.trips[2]
    slow = 100 * cycles > (100 + EQUALLY_FAST_PERCENT) * cycles.min()
    copies = c.inputs + c.weights + c.outputs + c.sums
    best = np.lexsort((c.order, c.whole, -c.resident, -copies, cycles, traffic, steps, slow))[0]
    return Tile(
        rows=int(c.rows[best]),
        channels=int(c.channels[best]),
        reduction=int(c.reduction[best]),
        order=ORDERS[c.order[best]],
        input_resident=bool(c.whole[best]),
        weights_resident=bool(c.resident[best]),
        parameters_resident=model.records_resident,
        inputs=int(c.inputs[best]),
        weights=int(c.weights[best]),
        outputs=int(c.outputs[best]),
        sums=int(c.sums[best]),
        dram_bytes=int(traffic[best]),
        cycles=int(cycles[best]),
    )


def _closest(layer: Layer, arch: Accelerator, slack: int, whole: frozenset[str]) -> Model:
    """The model of every tile that fits and moves at most `slack` percent more than the least.

    What does not fit in its smallest form is not looked at in the others, and copies of buffers, which move no data, are
    tried last.
    """
    model = Model(layer, arch, smallest(layer), whole)
    fits = model.fits()
    if not fits.any():
        raise _too_small(model)
    c = model.only(np.flatnonzero(fits)).c
    model = Model(layer, arch, forms(layer, (c.rows, c.channels, c.reduction)), whole)
    model = model.only(np.flatnonzero(model.fits()))
    traffic = model.traffic()
    model = _promising(model.only(np.flatnonzero(100 * traffic <= (100 + slack) * traffic.min())))
    model = Model(layer, arch, buffered(layer, model.c), whole)
    return model.only(np.flatnonzero(model.fits()))


def _promising(model: Model) -> Model:
    """Without the tiles that are too slow even if every buffer had two copies, given what is reached with one or two."""
    doubled = model.twice()
    fast, fits = doubled.cycles(), np.flatnonzero(doubled.fits())
    reached = min(model.cycles().min(), fast[fits].min(initial=np.iinfo(np.int64).max))
    return model.only(np.flatnonzero(100 * fast <= (100 + EQUALLY_FAST_PERCENT) * reached))


def feature_bytes(layer: Layer, arch: Accelerator, tile: Tile) -> int:
    """DRAM bytes of a tile's inputs and outputs."""
    copies = _model(layer, arch, tile).copies()
    return sum(int(copies[role][0][0]) for role in ("input", "output", "second"))


def footprint(layer: Layer, arch: Accelerator, tile: Tile, whole: frozenset[str]) -> dict[str, int]:
    """Bytes on chip of a tile, by role."""
    return {role: int(size[0]) for role, size in _model(layer, arch, tile, whole).footprint().items()}


def _model(layer: Layer, arch: Accelerator, tile: Tile, whole: frozenset[str] = frozenset()) -> Model:
    """The model of one tile."""
    sizes = (
        tile.rows,
        tile.channels,
        tile.reduction,
        ORDERS.index(tile.order),
        tile.input_resident,
        tile.weights_resident,
    )
    counts = (tile.inputs, tile.weights, tile.outputs, tile.sums)
    return Model(layer, arch, Candidates(*(np.array([int(v)]) for v in (*sizes, *counts))), whole)


@dataclass(frozen=True)
class Shortage:
    """A memory too small for a layer's smallest tile: the bytes that no tile can do without, and each role's share of them."""

    memory: Memory
    bytes: int
    roles: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        shares = ", ".join(f"{role} {size}" for role, size in self.roles if size)
        size, name = f"{self.bytes} bytes", self.memory.name
        return (
            f"expected a memory '{name}' of at least {size} for its smallest tile, not {self.memory.bytes} (proved minimal: "
            f"{shares}). Choose a target whose {name} has {size} or more."
        )


def shortages(layer: Layer, arch: Accelerator) -> list[Shortage]:
    """The memories that no tile of a layer fits in; none where no tile can be said in one instruction."""
    return _shortages(Model(layer, arch, smallest(layer)))


def _shortages(model: Model) -> list[Shortage]:
    arch, need, allowed = model.arch, model.footprint(), model.fits_instructions()
    held = {m.name: sum((need[r] for r in m.holds), np.zeros_like(model.c.rows)) for m in arch.memory}
    found = []
    for memory in arch.memory if allowed.any() else ():
        rest = [held[other.name] <= other.bytes for other in arch.memory if other is not memory]
        others = np.logical_and.reduce([allowed, *rest])
        fitting = np.flatnonzero(others if others.any() else allowed)
        best = fitting[held[memory.name][fitting].argmin()]
        if held[memory.name][best] > memory.bytes:
            shares = tuple((role, int(need[role][best])) for role in memory.holds)
            found.append(Shortage(memory, int(held[memory.name][best]), shares))
    return found


def _too_small(model: Model) -> UnsupportedError:
    """Which memory is too small for the smallest tile, and how large it would have to be."""
    layer = model.layer
    if not model.fits_instructions().any():
        text = "a layer whose smallest tile one instruction can express was expected"
        return UnsupportedError(
            Finding(layer.name, f"{text}, not {layer.H}x{layer.W}x{layer.C}. Split the layer.", "E0804")
        )
    return UnsupportedError([Finding(layer.name, str(short), "E0804") for short in _shortages(model)])
