"""Damaged instructions are found, trap, or run; they never crash the verifier or the simulator."""

from dataclasses import replace

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.verify import verify
from dnnc.ir.diagnostics import DnncError


def damaged(program, rng):
    text = program.text.copy()
    for _ in range(rng.integers(1, 4)):
        text[rng.integers(len(text)), rng.integers(4)] ^= np.uint32(1 << int(rng.integers(32)))
    return replace(program, text=text)


@pytest.mark.parametrize("count", [120, pytest.param(1000, marks=pytest.mark.full)])
def test_flipped_bits_never_crash(hand, count):
    edge, whole, rng = load_target(), hand.build(), np.random.default_rng(count)
    x, outcomes = np.zeros((3, 12, 12), np.int8), {"found": 0, "refused": 0, "ran": 0}
    for _ in range(count):
        program = damaged(whole, rng)
        outcomes["found"] += bool(verify(program, edge))
        try:
            outcomes["ran"] += Simulator(program).run({"x": x}).cycles > 0
        except DnncError:
            outcomes["refused"] += 1
    assert outcomes["ran"] + outcomes["refused"] == count
    # whatever the machine refuses, the verifier found first
    assert outcomes["found"] >= outcomes["refused"] > count // 3
