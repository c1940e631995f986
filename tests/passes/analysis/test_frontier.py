"""The frontier of cost and loss: every point is the best, none is missing, and thinning keeps the ends."""

from itertools import product

import numpy as np
import pytest

from dnnc.passes.analysis.frontier import frontier


def tables(seed, count=5, entries=4):
    rng = np.random.default_rng(seed)
    costs = [np.sort(rng.integers(1, 50, entries)) for _ in range(count)]
    return costs, [np.sort(rng.random(entries))[::-1] for _ in range(count)]


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_trying_everything_gives(seed):
    costs, losses = tables(seed)
    found = frontier(costs, losses)
    tried = [
        (sum(c[k] for c, k in zip(costs, picks)), sum(v[k] for v, k in zip(losses, picks)))
        for picks in product(range(4), repeat=5)
    ]
    for budget in (10, 40, 80, 120, 1000):
        within = [loss for cost, loss in tried if cost <= budget]
        point = found.within_cost(budget)
        assert (point is None) == (not within)
        if point is not None:
            assert found.loss[point] == pytest.approx(min(within))
    for most in (0.2, 1.0, 2.0, 4.0):
        within = [cost for cost, loss in tried if loss <= most + 1e-12]
        point = found.within_loss(most + 1e-12)
        assert (None if point is None else found.cost[point]) == (min(within) if within else None)


def test_picks_are_what_the_sums_are_of():
    costs, losses = tables(3)
    found = frontier(costs, losses)
    for cost, loss, picks in zip(found.cost, found.loss, found.picks):
        assert cost == sum(c[k] for c, k in zip(costs, picks))
        assert loss == pytest.approx(sum(v[k] for v, k in zip(losses, picks)))


def test_with_fewer_points_a_sum_is_at_most_a_step_dearer():
    costs, losses = tables(5, 12, 6)
    whole, thin = frontier(costs, losses), frontier(costs, losses, widest=64)
    assert len(thin.cost) <= 64 < len(whole.cost)
    for budget in np.linspace(whole.cost[0], whole.cost[-1], 20):
        point, best = thin.within_cost(budget * (1 + 12 / 63)), whole.within_cost(budget)
        assert thin.loss[point] <= whole.loss[best] + 1e-12
