"""Where the records and tables of the layers of a stack stay: for all steps, for one, or a tile at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.step_tiles import post_bytes, tile_bytes


@dataclass(frozen=True)
class Records:
    """`resident` for all steps, `whole` for one or `tile`, layer by layer, and the bytes in use while each layer runs."""

    stay: tuple[str, ...]
    held: tuple[int, ...]


@lru_cache(maxsize=4096)
def records(layers: tuple[Layer, ...], once: bool, rolls: bool, room: int) -> Records | None:
    """As many as fit stay, the largest first; None when not even tiles fit."""
    sizes = {"resident": [0] * len(layers), "whole": [*map(post_bytes, layers)], "tile": [*map(tile_bytes, layers)]}
    whole, found = sizes["whole"], ["tile"] * len(layers)
    for i in sorted(range(len(layers)), key=lambda i: -whole[i]):
        if once and whole[i] <= room:
            found[i] = "whole"
            continue
        kept = [*found[:i], "resident", *found[i + 1 :]]
        if max(_held(kept, sizes, whole, rolls)) <= room:
            found = kept
    if not rolls:
        left = room - sum(n for n, f in zip(whole, found) if f == "resident")
        found = ["whole" if f == "tile" and n <= left else f for n, f in zip(whole, found)]
    held = _held(found, sizes, whole, rolls)
    alone = any(f == "tile" and layer.kind == "none" for f, layer in zip(found, layers))
    return None if max(held) > room or alone else Records(tuple(found), tuple(held))


def _held(found: Sequence[str], sizes: dict[str, list[int]], whole: Sequence[int], rolls: bool) -> list[int]:
    """Bytes while each layer runs: those that stay, and its own, or those of all where rows roll."""
    stay = sum(n for n, f in zip(whole, found) if f == "resident")
    own = [sizes[f][i] for i, f in enumerate(found)]
    return [stay + sum(own)] * len(own) if rolls else [stay + n for n in own]
