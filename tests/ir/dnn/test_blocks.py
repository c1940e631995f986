"""A window in blocks is the window on each block of the input alone."""

import numpy as np
import pytest
from xdsl.ir import Block

from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp, convolve, unrolled
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.types import F32, tensor


def filled(x, pad, value=0.0):
    return np.pad(x, [(0, 0), (0, 0), *pad], constant_values=value)


def operands(x, w):
    block = Block(arg_types=[tensor(F32, x.shape), tensor(F32, w.shape)])
    return block, block.args


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("block", [4, 6])
def test_blocks_are_cut_padded_and_put_together(rng, stride, block):
    x = rng.standard_normal((2, 3, 24, 24)).astype(np.float32)
    w = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    window = Window.of((3, 3), (stride,) * 2, (1, 1, 1, 1), block=(block, block))
    _keep, (a, b) = operands(x, w)
    got = ConvOp(a, b, window=window).evaluate(x, w, None)
    each = block * stride
    rows = []
    for top in range(0, 24, each):
        parts = [
            convolve(filled(x[:, :, top : top + each, left : left + each], [(1, 1)] * 2), w, window.whole, 1)
            for left in range(0, 24, each)
        ]
        rows.append(np.concatenate(parts, 3))
    assert np.array_equal(got, np.concatenate(rows, 2))


def test_a_block_as_large_as_the_output_changes_nothing(rng):
    x = rng.standard_normal((1, 2, 9, 10)).astype(np.float32)
    w = rng.standard_normal((3, 2, 3, 3)).astype(np.float32)
    _keep, (a, b) = operands(x, w)
    window = Window.of((3, 3), pad=(1, 1, 1, 1), block=(9, 30))
    whole = ConvOp(a, b, window=window.whole).evaluate(x, w, None)
    assert np.array_equal(ConvOp(a, b, window=window).evaluate(x, w, None), whole)


def test_last_blocks_are_smaller(rng):
    x = rng.standard_normal((1, 1, 7, 5)).astype(np.float32)
    window = Window.of((3, 3), pad=(1, 1, 1, 1), block=(3, 4))
    cells = list(window.cells((7, 5)))
    assert [c.input for c in cells[:2]] == [(slice(0, 3), slice(0, 4)), (slice(0, 3), slice(4, 5))]
    assert [tuple(s.stop - s.start for s in c.out) for c in cells[-2:]] == [(1, 4), (1, 1)]
    block = Block(arg_types=[tensor(F32, x.shape)])
    got = MaxPoolOp(block.args[0], window=window).evaluate(x)
    assert got[0, 0, 6, 4] == x[0, 0, 6, 4]
    assert got[0, 0, 2, 3] == x[0, 0, 1:3, 2:4].max()


def test_unrolled_has_padding_at_the_borders_of_blocks(rng):
    x = rng.standard_normal((1, 1, 6, 6)).astype(np.float32)
    view = unrolled(x, Window.of((3, 3), pad=(1, 1, 1, 1), block=(3, 3)), 9.0)
    assert view.shape == (1, 1, 6, 6, 3, 3)
    assert np.all(view[0, 0, 2, :, 2] == 9) and np.all(view[0, 0, :, 3, :, 0] == 9)
    assert np.array_equal(view[0, 0, :, :, 1, 1], x[0, 0])


@pytest.fixture
def rng():
    return np.random.default_rng(0)
