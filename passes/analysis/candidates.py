"""The tiles a search looks at: every distinct size, in every loop order, residency and number of buffers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import product

import numpy as np
from numpy.typing import NDArray

from dnnc.passes.analysis.layer import Layer

Int = NDArray[np.int64]
Sizes = tuple[Int, Int, Int]


def splits(n: int) -> Int:
    """The distinct tile sizes ceil(n / count): about 2 * sqrt(n) of them, largest first."""
    counts = np.arange(1, n + 1)
    return np.unique(-(-n // counts))[::-1]


@dataclass(frozen=True)
class Candidates:
    """One entry for each combination, as parallel arrays; `inputs` to `sums` count the copies of these buffers."""

    rows: Int
    channels: Int
    reduction: Int
    order: Int
    whole: Int
    resident: Int
    inputs: Int
    weights: Int
    outputs: Int
    sums: Int


def sizes(layer: Layer) -> Sizes:
    """Every distinct tile size of a layer: output rows, output channels, input channels."""
    multiple = layer.M // layer.C if layer.kind == "depthwise" else 1
    # with several outputs a channel the tile is the whole layer: a slice moves by whole channels of both sides
    channels = splits(layer.M) if multiple == 1 else np.array([layer.M])
    channels = channels[channels % layer.packs == 0]
    reduction = splits(layer.C) if layer.kind == "dense" else np.array([layer.C])
    rows = np.array([layer.out[0]]) if layer.vector else splits(layer.out[0])
    grids = np.meshgrid(rows, channels, reduction, indexing="ij")
    rows, z, k = (g.reshape(-1) for g in grids)
    return rows, z, k if layer.kind == "dense" else z // multiple


def smallest(layer: Layer) -> Candidates:
    """Every tile size in the form that needs the least of each memory: nothing resident, one copy of each buffer."""
    rows, z, k = sizes(layer)
    none, one = np.zeros_like(rows), np.ones_like(rows)
    return Candidates(rows, z, k, none, none, none, one, one, one, one)


def forms(layer: Layer, of: Sizes) -> Candidates:
    """Tiles of some sizes in every loop order and residency, one copy of each buffer."""
    orders = (0, 1) if layer.out[0] > 1 else (0,)
    flags = orders, (0, 1) if layer.kind == "dense" else (0,), (0, 1) if layer.kind != "none" else (0,)
    choices = np.array(list(product(*flags)), np.int64)
    size, choice = (g.reshape(-1) for g in np.indices((len(of[0]), len(choices))))
    # a resident input differs only where the reduction is split
    keep = (choices[choice, 1] == 0) | (of[2][size] < layer.C)
    size, choice = size[keep], choice[keep]
    rows, channels, reduction = (part[size] for part in of)
    order, whole, resident = choices[choice].T
    return Candidates(rows, channels, reduction, order, whole, resident, *[np.ones_like(size)] * 4)


def buffered(layer: Layer, of: Candidates) -> Candidates:
    """Tiles with one and with two copies of each buffer; weights that stay have one, and what is not there too."""
    counts = np.array(list(product((2, 1), (2, 1), (2, 1), (2, 1))), np.int64)
    columns = {f.name: np.repeat(getattr(of, f.name), len(counts)) for f in fields(Candidates)}
    names = ("inputs", "weights", "outputs", "sums")
    columns |= dict(zip(names, np.tile(counts.T, len(of.rows))))
    held = (columns["resident"] == 1) | (layer.kind == "none")
    keep = ((columns["weights"] == 1) | ~held) & ((columns["sums"] == 1) | (layer.kind != "none"))
    return Candidates(**{name: column[keep] for name, column in columns.items()})


def candidates(layer: Layer) -> Candidates:
    """Every distinct tile of a layer."""
    return buffered(layer, forms(layer, sizes(layer)))
