"""The scale stage of the accelerator = `dnnc.ir.fixed`, every rounding mode, on the sums the C is tried on too."""

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.encoding import encode
from dnnc.backends.npu.isa import BY_NAME
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.program import Program, Region
from dnnc.ir import arch, fixed
from dnnc.ir.dnn.rescale import ROUNDERS
from dnnc.ir.fixed import OFFSET_RECORD, RECORD, Rounding

LOW, HIGH = -128, 127
CHANNELS = 64  # rows of sums in one instruction
COLUMNS = 1024


def machine():
    """`edge` with accumulators and parameters for all rows of an instruction."""
    edge = arch.to_mapping(load_target())
    edge["memory"]["accumulator"]["bytes"] = 4 * CHANNELS * COLUMNS
    edge["name"] = "wide"
    return arch.from_mapping(edge, "wide")


WIDE = machine()


def run(mode, acc, q, shift, zero, bias):
    """The bytes of one PPU instruction on rows of sums, one channel each."""
    channels, _ = acc.shape
    records = np.zeros(channels, RECORD)
    records["bias"], records["multiplier"], records["shift"] = bias, q, shift
    return scaled(acc, records, rounding=list(Rounding).index(mode), zero=zero)


def scaled(acc, records, **state):
    """The same with any records and state of the scale stage."""
    channels, columns = acc.shape
    words = [
        encode(BY_NAME["set.source"], columns=columns, channel_pitch=columns, row_pitch=columns),
        encode(BY_NAME["set.destination"], channel_pitch=columns, row_pitch=columns),
        encode(BY_NAME["set.scale"], per_channel=1, low=LOW, high=HIGH, **state),
        encode(BY_NAME["ppu"], channels=channels, from_accumulator=1, scale=1),
        encode(BY_NAME["halt"]),
    ]
    regions = tuple(Region(n, 64) for n in ("weights", "parameters", "inputs", "outputs", "arena"))
    sim = Simulator(Program("wide", WIDE.digest, np.concatenate(words), regions=regions), WIDE)
    sim.machine.memory("parameter")[: records.nbytes] = records.view(np.uint8)
    sim.machine.memory("accumulator")[: acc.nbytes] = np.ascontiguousarray(acc).reshape(-1).view(np.uint8)
    done = sim.run()
    return sim.machine.memory("output")[: acc.size].view(np.int8).reshape(acc.shape).copy(), done


def check(mode, v):
    """All rows, a block of channels at a time."""
    for first in range(0, len(v.acc), CHANNELS):
        acc, q, shift = (a[first : first + CHANNELS] for a in (v.acc, v.q, v.shift))
        got, _ = run(mode, acc, q, shift, v.zero, 0)
        want = fixed.requantize(acc, q[:, None], shift[:, None], v.zero, LOW, HIGH, mode)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("mode", Rounding)
@pytest.mark.parametrize("bits", [14, pytest.param(20, marks=pytest.mark.full)])
def test_random_sums(vectors, mode, bits):
    check(mode, vectors.random(bits))


@pytest.mark.parametrize("mode", Rounding)
def test_every_tie(vectors, mode):
    for v in vectors.ties():
        check(mode, v)


def test_the_bias_is_added_in_32_bits(vectors):
    v = vectors.random(10)
    bias = np.random.default_rng(1).integers(-(2**31), 2**31, len(v.acc))
    got, done = run(Rounding.Q31_HALF_EVEN, v.acc, v.q, v.shift, v.zero, bias)
    sums = (v.acc + bias[:, None]).astype(np.int32)
    exact = fixed.requantize(sums, v.q[:, None], v.shift[:, None], v.zero, -(2**62), 2**62)
    np.testing.assert_array_equal(got, np.clip(exact, LOW, HIGH))
    assert done.total["saturated"] == np.count_nonzero((exact < LOW) | (exact > HIGH))


@pytest.mark.parametrize("mode", ROUNDERS)
@pytest.mark.parametrize("shift", [0, 1, 20, 41, 62])
def test_offsets(vectors, mode, shift):
    """Products of 62 bits, an offset of as many, and a shift that keeps about 8 of them or none."""
    v, rng = vectors.random(12), np.random.default_rng(shift)
    acc = (v.acc.astype(np.int64) >> max(0, 40 - shift)).astype(np.int32)[:CHANNELS]
    records = np.zeros(len(acc), OFFSET_RECORD)
    records["bias"] = rng.integers(-50, 50, len(acc))
    records["multiplier"] = rng.integers(-(2**31), 2**31, len(acc)) >> max(0, 40 - shift)
    records["offset"] = (
        rng.integers(-100, 100, len(acc)) << shift if shift < 50 else rng.integers(-(2**61), 2**61, len(acc))
    )
    m, o = (records[name].astype(np.int64)[:, None] for name in ("multiplier", "offset"))
    exact = ROUNDERS[mode]((acc + records["bias"][:, None]).astype(np.int64) * m + o, shift) + 5
    got, done = scaled(acc, records, rounding=list(Rounding).index(Rounding(mode)), offset=1, shift=shift, zero=5)
    np.testing.assert_array_equal(got, np.clip(exact, LOW, HIGH))
    assert done.total["saturated"] == np.count_nonzero((exact < LOW) | (exact > HIGH))
