import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dnnc.ir.dnn.movement import Strided
from dnnc.passes.schedule.moves import Dim, nest_of, tile_of


def test_loops_that_touch_on_both_sides_are_one():
    rows = Strided.rows((2, 3, 4))
    assert nest_of(rows, rows) == [Dim(24, 1, 1)]
    turned = Strided((2, 4, 3), (12, 1, 4))
    assert nest_of(turned, Strided.rows((2, 4, 3))) == [Dim(2, 12, 12), Dim(4, 1, 3), Dim(3, 4, 1)]
    assert nest_of(Strided.rows((1, 1)), Strided.rows((1, 1))) == [Dim(1, 1, 1)]


@given(st.lists(st.integers(2, 9000), min_size=1, max_size=6), st.integers(1, 200_000), st.booleans())
def test_a_tile_fits_one_transfer(sizes, capacity, run):
    dims = [
        Dim(n, 1 if run and i == len(sizes) - 1 else 7, 1 if i == len(sizes) - 1 else 9) for i, n in enumerate(sizes)
    ]
    tile = tile_of(dims, capacity)
    assert np.prod(tile) <= capacity
    assert all(1 <= t <= n for t, n in zip(tile, sizes))
    split = [i for i, t in enumerate(tile) if t > 1]
    assert len(split) <= (4 if run else 3)
    assert all(tile[i] == sizes[i] for i in split[1:])


def test_what_repeats_is_not_on_chip():
    assert tile_of([Dim(3, 5, 10), Dim(4, 0, 5), Dim(5, 1, 1)], 100) == [3, 1, 5]


def test_a_transposed_move_takes_whole_stretches_of_what_it_reads():
    """[9216, 3] to [3, 9216]: all three channels of a pixel come with it, 4095 pixels at a time."""
    assert tile_of([Dim(3, 1, 9216), Dim(9216, 3, 1)], 100_000) == [3, 4095]
    assert tile_of([Dim(3, 1, 9216), Dim(9216, 3, 1)], 300) == [3, 100]
    assert tile_of([Dim(500, 1, 800), Dim(800, 500, 1)], 6400) == [64, 100]
