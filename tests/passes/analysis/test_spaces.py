"""Spaces: who is alive when, what is proved, and what would lower the peak."""

from dataclasses import replace

from dnnc.ir.diagnostics import short
from dnnc.passes.analysis.allocation import Buffer
from dnnc.passes.analysis.ordering import Ordering
from dnnc.passes.analysis.savings import Orders, savings
from dnnc.passes.analysis.spaces import Occupant, Space, space

STEPS = ("first", "second", "third")


def planned(*occupants: Occupant, name: str = "arena", capacity: int | None = None) -> Space:
    """A space in which these lie."""
    asked = [Buffer(i, o.size, o.start, o.end) for i, o in enumerate(occupants)]
    return space(name, capacity is not None, capacity, STEPS, occupants, asked)


def test_bytes_alive_peak_and_proof():
    found = planned(Occupant("a", 30, 0, 2, 0), Occupant("b", 20, 1, 3, 30), Occupant("c", 10, 2, 3, 0))
    assert (found.live_bytes, found.peak_step, found.bytes, found.status) == ([30, 50, 30], 1, 50, "optimal")
    assert [o.label for o in found.live(1)] == ["a", "b"]
    assert found.peak == "step 1 'second'"


def test_a_plan_above_the_bound_is_feasible_and_says_by_how_much():
    found = planned(Occupant("a", 30, 0, 2, 8), Occupant("b", 20, 1, 3, 38))
    assert (found.bytes, found.proved, found.status) == (58, 50, "feasible")
    assert savings(found)[0].bytes == 8


def test_what_lowers_a_memory_on_chip():
    found = planned(Occupant("a.input", 32, 0, 1, 0, 16), Occupant("b.input", 8, 1, 2, 0), name="pad", capacity=64)
    by_what = {s.what: s for s in savings(found)}
    assert {w: s.bytes for w, s in by_what.items()} == {"placement": 0, "tile": 16, "peak": 24, "memory": None}
    assert by_what["peak"].text == "a smaller tile of 'first', whose largest is 'a.input': then 'second' is the peak"


def test_what_lowers_an_arena():
    found = replace(planned(Occupant("x", 30, 0, 2, 0), Occupant("y", 30, 1, 3, 30)), pointwise=frozenset([1]))
    better, same, open_ = (Orders(given, Ordering((), 50, low)) for given, low in ((60, 50), (50, 50), (50, 45)))
    assert [s.bytes for s in savings(found, better)] == [0, 30, 10, 30]
    assert [s.bytes for s in savings(found, same)] == [0, 30, 0, 30]
    assert [s.bytes for s in savings(found, open_)] == [0, 30, 5, 30]
    assert "in-place" not in [s.what for s in savings(replace(found, pointwise=frozenset()), same)]


def test_what_is_kept_has_no_peak():
    found = planned(Occupant("w", 30, 0, 3, 0), name="weights")
    assert (found.peak, [s.what for s in savings(found)]) == ("all steps", ["kept"])


def test_long_names_keep_their_ends():
    assert short("conv1.input") == "conv1.input"
    assert short("a" * 60 + ".weight") == "a" * 28 + "…" + "a" * 12 + ".weight"
