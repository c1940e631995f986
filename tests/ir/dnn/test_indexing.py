"""Indexing operations against plain loops."""

import numpy as np
import pytest
from xdsl.ir import Block

from dnnc.ir.dnn.indexing import GatherElementsOp, GatherNDOp, ScatterElementsOp, ScatterNDOp, TopKOp
from dnnc.ir.types import tensor_of

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 5)).astype(np.float32)
STEPS = {"none": lambda a, b: b, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def run(kind, *arrays, **params):
    """The results of an operation on arrays."""
    return kind(*Block(arg_types=[tensor_of(a) for a in arrays]).args, **params).run(arrays)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_gather_elements(axis):
    shape = [2, 3, 4]
    shape[axis] = 7
    indices = RNG.integers(-X.shape[axis], X.shape[axis], shape)
    expected = np.empty(shape, np.float32)
    for at in np.ndindex(*shape):
        place = list(at)
        place[axis] = indices[at]
        expected[at] = X[tuple(place)]
    np.testing.assert_array_equal(run(GatherElementsOp, X, indices, axis=axis)[0], expected)


@pytest.mark.parametrize("batch,depth", [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1)])
def test_gather_nd(batch, depth):
    indices = RNG.integers(-3, 3, (*X.shape[:batch], 2, depth))
    expected = np.empty((*indices.shape[:-1], *X.shape[batch + depth :]), np.float32)
    for at in np.ndindex(*indices.shape[:-1]):
        expected[at] = X[at[:batch]][tuple(indices[at])]
    np.testing.assert_array_equal(run(GatherNDOp, X, indices, batch=batch)[0], expected)


@pytest.mark.parametrize("reduction", STEPS)
@pytest.mark.parametrize("axis", [0, 2])
def test_scatter_elements(reduction, axis):
    indices = np.array([[[2, -1], [0, 1]]])  # no place twice
    updates = RNG.standard_normal(indices.shape).astype(np.float32)
    expected = X.copy()
    for at in np.ndindex(*indices.shape):
        place = list(at)
        place[axis] = indices[at]
        expected[tuple(place)] = STEPS[reduction](expected[tuple(place)], updates[at])
    result = run(ScatterElementsOp, X, indices, updates, axis=axis, reduction=reduction)[0]
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("reduction", STEPS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_scatter_nd(reduction, depth):
    indices = np.array([[0, -1, 2], [2, 1, 0]])[:, :depth]
    updates = RNG.standard_normal((2, *X.shape[depth:])).astype(np.float32)
    expected = X.copy()
    for place, update in zip(indices, updates):
        expected[tuple(place)] = STEPS[reduction](expected[tuple(place)], update)
    np.testing.assert_array_equal(run(ScatterNDOp, X, indices, updates, reduction=reduction)[0], expected)


def test_updates_of_one_place_add_up():
    x, indices = np.zeros(3, np.float32), np.array([[1], [1], [1]])
    result = run(ScatterNDOp, x, indices, np.array([1, 2, 4], np.float32), reduction="add")[0]
    np.testing.assert_array_equal(result, [0, 7, 0])


@pytest.mark.parametrize("smallest", [False, True])
@pytest.mark.parametrize("kind", [np.float32, np.uint8, np.int64])
def test_top_k(kind, smallest):
    x = RNG.integers(0, 4, (5, 6)).astype(kind)  # many equal elements
    values, indices = run(TopKOp, x, k=4, axis=0, smallest=smallest)
    for column in range(6):
        rank = sorted(range(5), key=lambda i: (int(x[i, column]) * (1 if smallest else -1), i))[:4]
        np.testing.assert_array_equal(indices[:, column], rank)
        np.testing.assert_array_equal(values[:, column], x[rank, column])
