from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnc.backends.npu import isa
from dnnc.backends.npu.isa import Engine
from dnnc.backends.npu.tokens import Row, synchronise

ENGINES = (Engine.LD, Engine.MM, Engine.PPU, Engine.ST)


def row(engine, reads=(), writes=()):
    return Row(isa.NOP, engine, 0, {}, tuple((0, a, b) for a, b in reads), tuple((0, a, b) for a, b in writes))


def ordered(rows):
    """Whether row i is complete before row j starts, by queue order and tokens taken in order, as a matrix."""
    n = len(rows)
    before = np.zeros((n, n), bool)
    given_ = {}
    taken = {}
    last = {}
    for j, r in enumerate(rows):
        direct = [last[r.engine]] if r.engine in last else []
        for p in ENGINES:
            if r.wait >> p & 1:
                direct.append(given_[p, r.engine][taken.get((p, r.engine), 0)])
                taken[p, r.engine] = taken.get((p, r.engine), 0) + 1
        for i in direct:
            before[i, j] = True
            before[:, j] |= before[:, i]
        for q in ENGINES:
            if r.signal >> q & 1:
                given_.setdefault((r.engine, q), []).append(j)
        last[r.engine] = j
    return before, given_, taken


def most_on_the_way(rows):
    """The most tokens of one pair of queues at any point of the program in its own order."""
    held, most = Counter(), 0
    for r in rows:
        held.subtract((p, r.engine) for p in ENGINES if r.wait >> p & 1)
        held.update((r.engine, q) for q in ENGINES if r.signal >> q & 1)
        most = max([most, *held.values()])
    return most


interval = st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda p: (p[0], p[0] + p[1]))
rows_of = st.lists(
    st.tuples(st.sampled_from(ENGINES), st.lists(interval, max_size=2), st.lists(interval, max_size=2)), max_size=30
)


@settings(max_examples=200, deadline=None)
@given(rows_of, st.integers(1, 4))
def test_every_hazard_is_ordered_tokens_balance_and_no_pair_holds_more_than_it_can(spec, depth):
    rows = [row(*s) for s in spec]
    synchronise(rows, depth)
    before, given_, taken = ordered(rows)
    assert {k: len(v) for k, v in given_.items()} == taken
    assert most_on_the_way(rows) <= depth
    for j, b in enumerate(rows):
        for i, a in enumerate(rows[:j]):
            clash = any(
                x[1] < y[2] and y[1] < x[2]
                for xs, ys in ((a.writes, b.reads), (a.reads, b.writes), (a.writes, b.writes))
                for x in xs
                for y in ys
            )
            if clash and a.engine != b.engine:
                assert before[i, j]


def test_a_chain_needs_no_token_past_it():
    rows = [row(Engine.LD, writes=[(0, 4)]), row(Engine.MM, [(0, 4)], [(8, 12)]), row(Engine.PPU, [(8, 12)], [(0, 4)])]
    synchronise(rows, 16)
    # PPU overwrites what LD wrote: LD -> MM -> PPU orders it already
    assert [r.wait for r in rows] == [0, 1 << Engine.LD, 1 << Engine.MM]


def test_reads_do_not_wait_for_reads():
    rows = [row(Engine.MM, reads=[(0, 4)]), row(Engine.ST, reads=[(0, 4)])]
    synchronise(rows, 16)
    assert [(r.wait, r.signal) for r in rows] == [(0, 0), (0, 0)]


def test_one_token_covers_what_came_before():
    rows = [row(Engine.LD, writes=[(i, i + 1)]) for i in range(5)] + [row(Engine.MM, reads=[(0, 5)])]
    synchronise(rows, 16)
    assert [r.signal for r in rows] == [0, 0, 0, 0, 1 << Engine.MM, 0]


def test_a_full_pair_is_given_its_next_token_when_one_is_taken():
    rows = [row(Engine.LD, writes=[(i, i + 1)]) for i in range(3)] + [
        row(Engine.MM, reads=[(i, i + 1)]) for i in range(3)
    ]
    synchronise(rows, 2)
    # after the first MM no LD comes that could signal again: the second token leaves after the third LD
    assert [r.signal for r in rows] == [1 << Engine.MM, 0, 1 << Engine.MM, 0, 0, 0]
    assert [r.wait for r in rows] == [0, 0, 0, 1 << Engine.LD, 1 << Engine.LD, 0]
