"""Damaged instructions are found, trap, or run; they never crash the verifier or the simulator."""

from dataclasses import replace

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.program import from_bytes
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


def spoilt(data, rng):
    """A file with a few bytes changed, taken out or put in."""
    at, kind = int(rng.integers(len(data))), rng.integers(3)
    noise = rng.bytes(int(rng.integers(1, 9)))
    return data[:at] + noise * int(kind != 1) + data[at + len(noise) * int(kind != 2) :]


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.full)])
def test_spoilt_files_are_refused_or_the_same_program(hand, count):
    whole, rng = hand.build(), np.random.default_rng(count)
    data, refused = whole.to_bytes(), 0
    for _ in range(count):
        try:
            # only padding between sections may change without a checksum to tell
            assert from_bytes(spoilt(data, rng)).to_bytes() == data
        except DnncError:
            refused += 1
    assert refused > count * 0.9
