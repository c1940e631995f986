"""Places in which loads run ahead: off the bytes in use just before, while there is room."""

import numpy as np

from dnnc.passes.analysis.allocation import Buffer, MemPlan, overlaps
from dnnc.passes.analysis.prefetch import AHEAD, apart, claimed


def layers(weights, tensors):
    """A tensor and the weights of each layer; a tensor lives until the next layer has read it."""
    made = [Buffer(f"x{i}", n, i, i + 2) for i, n in enumerate(tensors)]
    return made + [Buffer(f"w{i}", n, i, i + 1) for i, n in enumerate(weights)]


def test_weights_lie_off_those_of_the_layers_before_while_there_is_room():
    buffers = layers([40, 40, 40, 40], [10, 10, 10, 10])
    filled = [b.id for b in buffers if str(b.id).startswith("w")]
    found = apart(buffers, filled, 200)
    assert found is not None
    assert len({found[f"w{i}"] for i in range(4)}) == 4
    assert apart(buffers, filled, 60) is None


def test_places_stay_valid_and_within_the_capacity():
    rng = np.random.default_rng(0)
    for _ in range(30):
        n = int(rng.integers(2, 12))
        buffers = layers(rng.integers(1, 90, n).tolist(), rng.integers(1, 60, n).tolist())
        capacity = int(rng.integers(150, 500))
        found = apart(buffers, [b.id for b in buffers[n:]], capacity)
        if found is not None:
            assert overlaps(buffers, MemPlan(dict(found), 0, 0)) == []
            assert max(found[b.id] + b.size for b in buffers) <= capacity


def test_what_is_claimed_early_is_bounded_by_the_room_and_by_steps():
    buffers = [Buffer("x", 50, 0, 30), Buffer("w", 30, 20, 21), Buffer("v", 60, 25, 26)]
    x, w, v = claimed(buffers, ["w", "v"], 100)
    assert (x, w.start, v.start) == (buffers[0], 20 - AHEAD, 25)
