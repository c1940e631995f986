import random
from dataclasses import replace
from functools import cache

import pytest

from dnnc.passes.analysis.ordering import Program, Task, least_peak, peak


def irregular(n: int, rng: random.Random, fewest: int = 1) -> Program:
    """A random graph of n tasks that read one to three of the last eight values, or none when the fewest is 0."""
    sizes, tasks = [rng.randint(1, 20)], list[Task]()
    for _ in range(n):
        recent = range(max(0, len(sizes) - 8), len(sizes))
        reads = frozenset(rng.sample(recent, min(len(recent), rng.choice([fewest, 1, 2, 3]))))
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

    def started(done: int, task: int) -> int:
        placed = any(p.dead(v, done | 1 << task) for v in p.over.get(task, ()))
        made = [v for v in p.tasks[task][1] if not p.makers[v] & done]
        return alive(done) + sum(p.sizes[v] for v in made[placed:])

    @cache
    def best(done: int) -> int:
        ready = [i for i in range(n) if not done >> i & 1 and not p.needs[i] & ~done]
        return min(
            (max(started(done, i), best(done | 1 << i)) for i in ready),
            default=0,
        )

    return best(0)


@pytest.mark.parametrize("seed", range(20))
def test_the_peak_is_the_least_of_all_orders(seed):
    p = irregular(9, random.Random(seed))
    found = least_peak(p)
    assert sorted(found.order) == list(range(9)) and found.optimal
    assert found.peak == peak(p, found.order) == least(p)


@pytest.mark.parametrize("seed", range(20))
def test_tasks_that_read_nothing_run_just_before_their_reader(seed):
    p = irregular(9, random.Random(seed), fewest=0)
    found = least_peak(p)
    assert found.optimal and found.peak == peak(p, found.order) == least(p)


def overwriting(n: int, rng: random.Random) -> Program:
    """A random graph of which every other task may write over what it reads."""
    p = irregular(n, rng)
    sizes = [rng.choice([8, 12]) for _ in p.sizes]
    over = {
        i: frozenset(v for v in reads if v and sizes[v] == sizes[makes[0]])
        for i, (reads, makes) in enumerate(p.tasks)
        if i % 2
    }
    return replace(p, sizes=sizes, over=over)


@pytest.mark.parametrize("seed", range(20))
def test_a_result_written_over_what_dies_takes_no_bytes(seed):
    p = overwriting(9, random.Random(seed))
    found = least_peak(p)
    assert found.optimal and found.peak == peak(p, found.order) == least(p)


def joined(rng: random.Random) -> Program:
    """Four branches from one value, their last values parts of one; each part is read once more."""
    sizes, tasks, waits = [rng.randint(1, 20), 40], list[Task](), list[frozenset[int]]()
    for _ in range(4):
        sizes.append(rng.randint(1, 30))
        tasks += [(frozenset([0]), (len(sizes) - 1,)), (frozenset([len(sizes) - 1]), (1,))]
        waits += [frozenset(), frozenset([len(tasks) - 2])]
        sizes.append(rng.randint(1, 5))
        tasks.append((frozenset([1]), (len(sizes) - 1,)))
        waits.append(frozenset([len(tasks) - 2]))
    kept = frozenset(v for v in range(1, len(sizes)) if not any(v in reads for reads, _ in tasks))
    return Program(tasks, sizes, frozenset([0]), kept | {1}, waits)


@pytest.mark.parametrize("seed", range(10))
def test_a_value_made_part_by_part_is_alive_from_its_first_part_on(seed):
    p = joined(random.Random(seed))
    found = least_peak(p)
    assert found.optimal and found.peak == peak(p, found.order) == least(p)


@pytest.mark.parametrize("seed", range(3))
def test_irregular_graphs_of_40_tasks_are_proved(seed):
    p = irregular(40, random.Random(seed))
    assert least_peak(p).optimal and least_peak(p).peak < peak(p, range(40))


def test_a_bounded_search_states_a_gap_and_is_never_worse_than_the_given_order():
    p = irregular(40, random.Random(0))
    found = least_peak(p, states=1)
    assert found.lower_bound <= least_peak(p).peak <= found.peak <= peak(p, range(40))
