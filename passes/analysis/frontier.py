"""The least loss that each cost can buy, over one choice out of each of several tables: a multiple-choice knapsack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WIDEST = 1 << 14  # points kept between two tables; with more, costs are told apart to 2^-14 of the largest


@dataclass(frozen=True)
class Frontier:
    """Points by rising cost and falling loss; `picks[p, l]` is what point p picks of table l."""

    cost: np.ndarray
    loss: np.ndarray
    picks: np.ndarray

    def within_cost(self, most: float) -> int | None:
        """The point of the least loss among those that cost no more."""
        at = int(np.searchsorted(self.cost, most, "right")) - 1
        return at if at >= 0 else None

    def within_loss(self, most: float) -> int | None:
        """The cheapest point that loses no more."""
        at = int(np.searchsorted(-self.loss, -most, "left"))
        return at if at < len(self.loss) else None


def frontier(costs: Sequence[np.ndarray], losses: Sequence[np.ndarray], widest: int = WIDEST) -> Frontier:
    """All sums of one entry of each table that no other has at less cost and less loss, by dynamic programming.

    Exact while no more than `widest` of them remain behind any table.
    """
    found = Frontier(np.zeros(1), np.zeros(1), np.zeros((1, 0), np.uint8))
    for cost, loss in zip(costs, losses):
        found = _thinned(_extended(found, np.asarray(cost, np.float64), np.asarray(loss, np.float64)), widest)
    return found


def _extended(before: Frontier, cost: np.ndarray, loss: np.ndarray) -> Frontier:
    """The best of every point with every entry of a table."""
    sums = (before.cost[:, None] + cost).reshape(-1)
    lost = (before.loss[:, None] + loss).reshape(-1)
    order = np.lexsort((lost, sums))
    best = np.minimum.accumulate(lost[order])
    better = np.r_[True, best[1:] < best[:-1]]
    kept = order[better]
    point, entry = np.divmod(kept, len(cost))
    picks = np.column_stack([before.picks[point], entry.astype(np.uint8)])
    return Frontier(sums[kept], lost[kept], picks)


def _thinned(f: Frontier, widest: int) -> Frontier:
    """No more than so many points: of each step of cost the one that loses least."""
    if len(f.cost) <= widest:
        return f
    step = np.floor(f.cost / f.cost[-1] * (widest - 1))
    kept = np.flatnonzero(np.r_[step[1:] != step[:-1], True])
    return Frontier(f.cost[kept], f.loss[kept], f.picks[kept])
