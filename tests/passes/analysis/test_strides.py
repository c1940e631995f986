import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dnnc.ir.dnn.movement import Strided
from dnnc.passes.analysis.strides import blocks, reshaped


def test_dimensions_that_touch_are_one_block():
    assert blocks(Strided((2, 1, 3, 4), (12, 7, 4, 1))) == [(24, 1)]
    assert blocks(Strided((2, 3, 4), (24, 4, 1))) == [(2, 24), (12, 1)]


def test_a_part_of_a_tensor_under_another_shape():
    part = Strided((6, 5, 4), (20, 4, 1), 40)
    assert reshaped(part, (2, 3, 20)) == Strided((2, 3, 20), (60, 20, 1), 40)
    assert reshaped(Strided((6, 5, 4), (40, 4, 1)), (30, 4)) is None
    assert reshaped(part, (6, 5, 5)) is None


@given(st.permutations([0, 1, 2]), st.sampled_from([(24,), (6, 4), (2, 12), (2, 3, 4), (4, 3, 2), (1, 8, 3), (3, 8)]))
def test_as_numpy_would_without_a_copy(perm, shape):
    """A reshape that needs no copy sees the same elements; one that does is None."""
    flat = np.arange(24)
    view = flat.reshape(2, 3, 4).transpose(perm)
    found = reshaped(Strided(view.shape, tuple(s // flat.itemsize for s in view.strides)), shape)
    copied = not np.shares_memory(view.reshape(shape), flat)
    assert (found is None) == copied
    if found is not None:
        np.testing.assert_array_equal(found.of(flat), view.reshape(shape))
