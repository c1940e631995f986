import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnc.passes.analysis import allocation
from dnnc.passes.analysis.allocate import plan
from dnnc.passes.analysis.allocation import Buffer, MemPlan, lower_bound, overlaps


@st.composite
def buffer_lists(draw) -> list[Buffer]:
    n = draw(st.integers(0, 25))
    make = st.tuples(st.integers(0, 50), st.integers(0, 12), st.integers(0, 8), st.sampled_from([1, 2, 4, 16]))
    return [Buffer(i, s, t, t + d, a) for i, (s, t, d, a) in enumerate(draw(st.lists(make, min_size=n, max_size=n)))]


@given(buffer_lists())
def test_plans_are_valid_aligned_and_never_below_the_bound(buffers):
    result = plan(buffers)
    assert overlaps(buffers, result) == []
    assert all(result.offsets[b.id] % b.align == 0 for b in buffers)
    assert result.peak >= result.lower_bound == lower_bound(buffers)
    live = [result.offsets[b.id] + b.size for b in buffers if b.size and b.start < b.end]
    assert result.peak == max(live, default=0)


@given(buffer_lists())
def test_each_heuristic_alone_is_valid(buffers):
    table = allocation.table(buffers)
    for heuristic in allocation.HEURISTICS:
        offsets = heuristic(table)
        assert overlaps(buffers, MemPlan({b.id: int(o) for b, o in zip(buffers, offsets)}, 0, 0)) == []


def test_chain_reaches_the_liveness_bound():
    buffers = [Buffer(i, s, i, i + 2) for i, s in enumerate([10, 50, 20, 40, 5, 60])]
    result = plan(buffers)
    assert result.optimal
    assert result.peak == 50 + 20


def test_hole_between_two_buffers_is_filled():
    buffers = [
        Buffer("low", 30, 0, 10),
        Buffer("short", 20, 0, 4),
        Buffer("high", 25, 0, 10),
        Buffer("later", 20, 4, 10),
    ]
    assert plan(buffers).peak == 75


def test_overlap_validator_names_the_pair():
    buffers = [Buffer("a", 4, 0, 2), Buffer("b", 4, 1, 3), Buffer("c", 4, 2, 3)]
    assert overlaps(buffers, MemPlan({"a": 0, "b": 3, "c": 0}, 7, 8)) == [("a", "b"), ("b", "c")]


def test_order_of_the_buffers_does_not_change_the_peak():
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 100, 200)
    buffers = [
        Buffer(i, int(s), int(t), int(t + d))
        for i, (s, t, d) in enumerate(zip(rng.permutation(999), starts, rng.integers(1, 30, 200)))
    ]
    assert plan(buffers).peak == plan(buffers[::-1]).peak


def test_bad_buffer_is_refused():
    with pytest.raises(ValueError, match="start <= end"):
        Buffer("x", 4, 3, 2)
