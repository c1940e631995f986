import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnc.passes.analysis import allocate as exact
from dnnc.passes.analysis.allocation import Buffer, MemPlan, lower_bound, overlaps, peak, table


@st.composite
def tight_lists(draw) -> list[Buffer]:
    make = st.tuples(st.integers(1, 4), st.integers(0, 5), st.integers(1, 4))
    align = draw(st.sampled_from([1, 2]))
    return [Buffer(i, s, t, t + d, align) for i, (s, t, d) in enumerate(draw(st.lists(make, min_size=3, max_size=6)))]


def fits(buffers: list[Buffer], capacity: int) -> bool:
    """Whether some offsets exist, by trying all."""

    def place(i: int, placed: list[tuple[Buffer, int]]) -> bool:
        if i == len(buffers):
            return True
        b = buffers[i]
        for offset in range(0, capacity - b.size + 1, b.align):
            clear = all(
                c.end <= b.start or b.end <= c.start or offset >= at + c.size or at >= offset + b.size
                for c, at in placed
            )
            if clear and place(i + 1, [*placed, (b, offset)]):
                return True
        return False

    return place(0, [])


@given(tight_lists())
@settings(max_examples=60, deadline=None)
def test_the_search_alone_agrees_with_trying_all(buffers):
    t = table(buffers)
    for capacity in (lower_bound(buffers), lower_bound(buffers) + 1):
        offsets, used = exact._search(t, capacity, 100_000)
        assert used < 100_000 and (offsets is not None) == fits(buffers, capacity)
        if offsets is not None:
            assert peak(t, offsets) <= capacity
            assert overlaps(buffers, MemPlan(dict(enumerate(map(int, offsets))), 0, 0)) == []


def cut(rng: np.random.Generator, n: int, time: int, space: int) -> list[tuple[int, int, int, int]]:
    """A rectangle of time x space cut into n pieces: (size, start, end, offset)."""
    pieces = [(0, time, 0, space)]
    while len(pieces) < n:
        a, b, low, high = pieces.pop(int(np.argmax([(b - a) * (h - o) for a, b, o, h in pieces])))
        if b - a > 1 and (rng.random() < 0.5 or high - low < 2):
            at = int(rng.integers(a + 1, b))
            pieces += [(a, at, low, high), (at, b, low, high)]
        else:
            at = int(rng.integers(low + 1, high))
            pieces += [(a, b, low, at), (a, b, at, high)]
    return [(high - low, a, b, low) for a, b, low, high in pieces]


@pytest.mark.parametrize("seed", range(5))
def test_packings_without_any_gap_are_found(seed):
    pieces = cut(np.random.default_rng(seed), 40, 60, 1000)
    sizes, starts, ends, _ = zip(*pieces)
    offsets = exact.allocate(sizes, starts, ends, 1000)
    assert offsets is not None and all(o + s <= 1000 for o, s in zip(offsets, sizes))


def test_each_status():
    gap = [Buffer(i, *row) for i, row in enumerate([(2, 0, 2), (1, 1, 3), (2, 2, 4), (1, 3, 5), (2, 4, 6), (1, 0, 1)])]
    assert exact.pack(gap[:1], 2).status == "optimal"
    assert exact.pack(gap[:1], 1).status == "infeasible-proved"
    assert exact.pack([Buffer(0, 3, 0, 1, 2), Buffer(1, 3, 0, 1, 2)], 7).status == "feasible"
    assert exact.pack([Buffer(0, 3, 0, 1, 2), Buffer(1, 3, 0, 1, 2)], 6).status == "infeasible-proved"


def test_the_limit_is_not_a_proof():
    pieces = cut(np.random.default_rng(1), 60, 60, 1000)
    buffers = [Buffer(i, *row[:3]) for i, row in enumerate(pieces)]
    found = exact.pack(buffers, 1000, nodes=1)
    assert (found.status, found.offsets) in (("limit", None), ("optimal", found.offsets))
    assert exact.allocate([2, 2], [0, 0], [1, 1], 3) is None


def test_a_plan_reaches_a_proved_minimum_above_the_bound():
    result = exact.plan([Buffer(0, 3, 0, 1, 2), Buffer(1, 3, 0, 1, 2)])
    assert (result.peak, result.lower_bound, result.optimal) == (7, 6, True)
