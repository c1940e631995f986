"""Estimated cycles of a plan: two clocks, one of what is loaded and one of what is computed, through its first step.

The layers of a step follow one another. Constants that stay come behind one another, each when its layer first has rows to
make, so that they are waited for only as far as the computing before them is shorter. What comes in tiles runs beside its
layer but for the first tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod

import numpy as np

from dnnc.ir.arch import Accelerator
from dnnc.passes.analysis import timing
from dnnc.passes.analysis.cuts import Cut, runs
from dnnc.passes.analysis.step_plan import Share
from dnnc.passes.analysis.step_tiles import Option, weight_bytes


class StepTime:
    """The clocks of one plan."""

    def __init__(self, cut: Cut, options: Sequence[Option], shares: Sequence[Share], arch: Accelerator) -> None:
        self.cut, self.options, self.shares, self.arch = cut, options, shares, arch
        self.members = cut.stack.members
        self.compute = [o.busy for o in options]
        self.tiles = [self._tiles(i) for i in range(len(shares))]
        self.once = [self._constants(i, True) for i in range(len(shares))]
        self.again = [self._constants(i, False) for i in range(len(shares))]
        self.moves = {t: self._transfer(t) for t in range(len(cut.stack.tensors)) if cut.stack.waits(t)}
        self.stores = self.moves.get(self.members[-1].out, 0)
        self.loads = sum(self.moves.values()) - self.stores

    def cycles(self) -> int:
        """All steps: the first as the clocks go, then computing and what cannot run beside it; at least all transfers."""
        steady = [self._beside(i) for i in range(len(self.members))]
        busy = sum(mine * self._times(i) for i, mine in enumerate(steady))
        first, begun = self._first()
        outside = self.loads + self.stores
        alone = outside * (1 if self.cut.rolls else self.cut.passes)
        transfers = sum(self.once) + sum(self.again) * self.cut.passes + outside * self._moving()
        return max(busy - begun + first - self.loads + alone, transfers)

    def _first(self) -> tuple[int, int]:
        """(when the layers have run for the first time, the computing in that): constants come in the order of first use."""
        loaded, done, begun, active, at = self.loads, 0, 0, 0, 0
        for i, m in enumerate(self.members):
            start = self._start(m.out)
            if start > at:
                done, begun, at = done + active * (start - at), begun + active * (start - at), start
                loaded = max(loaded, done - active) + self.loads
            mine, tile = self._beside(i), self._tile(i)
            finish = max(done, loaded + self.once[i] + tile) + mine - tile
            # two tiles lie on chip: the load of the next waits for the product of the last but one
            loaded = max(loaded + self.once[i] + self.again[i], finish - 2 * mine // self.tiles[i] if tile else 0)
            done, begun, active = max(finish, loaded), begun + mine, active + mine
        return done, begun

    def _start(self, tensor: int) -> int:
        """The step in which a tensor's first rows are made."""
        reach = self.cut.reach[0][tensor]
        return max(0, self.cut.early + 1 - -(-int(reach.high) // int(reach.step))) if self.cut.rolls else 0

    def _times(self, i: int) -> int:
        """How often a layer runs."""
        out, stack = self.members[i].out, self.cut.stack
        trips = [-(-n // size) for n, size in zip(stack.used[out], self.cut.made(out))]
        return max(prod(trips) * stack.images, 1 if self.cut.rolls else self.cut.passes)

    def _moving(self) -> int:
        """Steps in which tensors come and go."""
        return self.cut.passes - self.cut.early * self.cut.steps[1] * self.cut.stack.images

    def _beside(self, i: int) -> int:
        """Cycles of a layer in a step, the loads of its tiles beside it."""
        mine, load = self.compute[i], self.again[i]
        if self.shares[i].weights == "tile":
            mine = (max(mine, load) if self.shares[i].copies == 2 else mine + load) + self._tile(i)
        return mine

    def _tile(self, i: int) -> int:
        """Cycles until the first tile of weights is there."""
        tiled = self.shares[i].weights == "tile" and self.options[i].weight_tile
        return _transfer(self.options[i].weight_tile, 1, self.arch, True) if tiled else 0

    def _tiles(self, i: int) -> int:
        """Tiles of weights a layer loads in a step."""
        layer, option = self.members[i].layer, self.options[i]
        folds = -(-layer.C // option.reduction) if layer.kind == "dense" else 1
        return layer.groups * -(-layer.M // option.channels) * folds * option.loads

    def _constants(self, i: int, once: bool) -> int:
        """Cycles of the constants of a layer that are loaded once, or in every step."""
        layer, share, loads = self.members[i].layer, self.shares[i], self.options[i].loads
        tiled = share.weights == "tile"
        sizes = []
        if layer.kind != "none" and once != tiled:
            sizes = (
                [-(-weight_bytes(layer) * loads // self.tiles[i])] * self.tiles[i] if tiled else [weight_bytes(layer)]
            )
        if once == (share.records == "resident"):
            sizes.append(layer.record * layer.records)
        sizes.append(layer.table_bytes * once)
        return sum(_transfer(n, 1, self.arch, True) for n in sizes if n)

    def _transfer(self, tensor: int) -> int:
        """Cycles of what a step loads or stores of a tensor."""
        (high, wide), info = self.cut.made(tensor), self.cut.stack.tensors[tensor]
        run, count = runs(info, np.array(min(high, self.cut.stack.used[tensor][0])), np.array(wide))
        return _transfer(int(run), int(count), self.arch, False)


@lru_cache(maxsize=1 << 16)
def _transfer(run: int, runs: int, arch: Accelerator, constant: bool) -> int:
    return int(timing.dma_cycles(run, runs, arch, constant=constant))
