import random
from functools import cache

import pytest

from dnnc.passes.analysis.ordering import Program, Task, least_peak, peak


def irregular(n: int, rng: random.Random) -> Program:
    """A random graph of n tasks that read one to three of the last eight values."""
    sizes, tasks = [rng.randint(1, 20)], list[Task]()
    for _ in range(n):
        recent = range(max(0, len(sizes) - 8), len(sizes))
        reads = frozenset(rng.sample(recent, min(len(recent), rng.choice([1, 1, 2, 3]))))
        tasks.append((reads, (len(sizes),)))
        sizes.append(rng.randint(0, 20))
    read = set().union(*(reads for reads, _ in tasks))
    return Program(tasks, sizes, frozenset([0]), frozenset(range(len(sizes))) - read)


def least(p: Program) -> int:
    """Least peak of all orders, by the recurrence over sets of executed tasks."""
    n = len(p.tasks)

    def alive(done: int) -> int:
        made = set(p.given) | {v for i, (_, makes) in enumerate(p.tasks) if done >> i & 1 for v in makes}
        return sum(p.sizes[v] for v in made if not p.dead(v, done))

    @cache
    def best(done: int) -> int:
        ready = [i for i in range(n) if not done >> i & 1 and not p.needs[i] & ~done]
        return min(
            (max(alive(done) + sum(p.sizes[v] for v in p.tasks[i][1]), best(done | 1 << i)) for i in ready),
            default=0,
        )

    return best(0)


@pytest.mark.parametrize("seed", range(20))
def test_the_peak_is_the_least_of_all_orders(seed):
    p = irregular(9, random.Random(seed))
    found = least_peak(p)
    assert sorted(found.order) == list(range(9)) and found.optimal
    assert found.peak == peak(p, found.order) == least(p)


@pytest.mark.parametrize("seed", range(3))
def test_irregular_graphs_of_40_tasks_are_proved(seed):
    p = irregular(40, random.Random(seed))
    assert least_peak(p).optimal and least_peak(p).peak < peak(p, range(40))


def test_a_bounded_search_states_a_gap_and_is_never_worse_than_the_given_order():
    p = irregular(40, random.Random(0))
    found = least_peak(p, states=1)
    assert found.lower_bound <= least_peak(p).peak <= found.peak <= peak(p, range(40))
