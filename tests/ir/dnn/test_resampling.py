"""Resize and border padding: the tables backends read give what `evaluate` computes."""

import numpy as np
import pytest
from xdsl.ir import Block

from dnnc.ir.dnn.resampling import BorderPadOp, ResizeOp
from dnnc.ir.types import F32, tensor, tensor_of


def arguments(*arrays):
    """Values of the arrays' types."""
    return Block(arg_types=[tensor_of(a) for a in arrays]).args


def by_taps(op, x):
    """The documented sum, element by element along each axis."""
    y = x.astype(np.float64)
    for axis in op.axes():
        taps, size = op.taps(axis), op.size.data[axis]
        rows = [sum(float(w) * y.take(i, axis) for i, w in zip(taps.index[o], taps.weight[o])) for o in range(size)]
        y = np.stack(rows, axis)
    return y


@pytest.mark.parametrize("coordinates", ["half_pixel", "asymmetric", "align_corners"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("size", [(2, 9, 4), (2, 2, 13)])
def test_taps_are_what_evaluate_computes(mode, coordinates, size):
    x = np.random.default_rng(0).standard_normal((2, 5, 7)).astype(np.float32)
    op = ResizeOp(*arguments(x), size=size, mode=mode, coordinates=coordinates)
    np.testing.assert_allclose(op.evaluate(x), by_taps(op, x), rtol=1e-5, atol=1e-6)
    assert op.axes() == (1, 2)


@pytest.mark.parametrize("flags", [{}, {"antialias": True}, {"exclude_outside": True}])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_weights_of_a_place_sum_to_one(mode, flags):
    x = np.zeros((1, 11), np.float32)
    for n in (3, 7, 23):
        taps = ResizeOp(*arguments(x), size=(1, n), mode=mode, **flags).taps(1)
        np.testing.assert_allclose(taps.weight.sum(1), 1, rtol=1e-6)
        assert taps.index.min() >= 0 and taps.index.max() < 11 and not taps.outside.any()


def test_linear_doubles_a_ramp():
    x = np.arange(4, dtype=np.float32)
    op = ResizeOp(*arguments(x), size=(8,), mode="linear")
    np.testing.assert_array_equal(op.evaluate(x), [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])


def test_outside_the_region_is_the_given_value():
    x = np.arange(4, dtype=np.float32)
    params = {"mode": "linear", "coordinates": "tf_crop_and_resize", "region": (-1.0, 1.0), "extrapolation": 9.0}
    op = ResizeOp(*arguments(x), size=(5,), **params)
    np.testing.assert_array_equal(op.evaluate(x), [9, 9, 0, 1.5, 3])
    np.testing.assert_array_equal(op.taps(0).outside, [True, True, False, False, False])


def test_nearest_moves_integers_unchanged():
    x = np.array([2**62 + 1, -5], np.int64)
    np.testing.assert_array_equal(ResizeOp(*arguments(x), size=(4,), mode="nearest").evaluate(x), x.repeat(2))


def test_work_counts_taps():
    x = np.zeros((3, 4), np.float32)
    work = ResizeOp(*arguments(x), size=(6, 4), mode="linear").work()
    assert (work.macs, work.elements) == (6 * 4 * 2, 24)
    assert ResizeOp(*arguments(x), size=(6, 8), mode="nearest").work().macs == 0


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_borders(mode):
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    op = BorderPadOp(*arguments(x), before=(2, 5), after=(0, 1), mode=mode)
    np.testing.assert_array_equal(op.evaluate(x), np.pad(x, ((2, 0), (5, 1)), mode=mode))
    np.testing.assert_array_equal(op.evaluate(x), x[np.ix_(*op.tables())])
    assert op.result.type == tensor(F32, (5, 10))
