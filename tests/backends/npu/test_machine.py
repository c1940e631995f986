"""Single instructions on random memories against plain loops over the meaning in the instruction set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.encoding import encode
from dnnc.backends.npu.isa import BY_NAME, ROUNDINGS, Engine
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.program import Program, Region
from dnnc.ir import fixed
from dnnc.ir.fixed import RECORD

EDGE = load_target()
REGIONS = tuple(Region(n, 4096) for n in ("weights", "parameters", "inputs", "outputs", "arena"))
SMALL = st.integers(1, 4)


def op(name, engine=None, **fields):
    return encode(BY_NAME[name], engine, **fields)


def machine(*words, seed=0):
    """A simulator after running the words on memories full of random bytes, with copies of what they held."""
    program = Program("edge", EDGE.digest, np.concatenate([*words, op("halt")]), regions=REGIONS)
    sim = Simulator(program)
    rng = np.random.default_rng(seed)
    memories = [*sim.machine.chip, *sim.machine.regions]
    for memory in memories:
        memory[:] = rng.integers(0, 256, len(memory))
    before = [m.copy() for m in memories]
    sim.run()
    return sim.machine, before


def values(memory, signed):
    return memory.view(np.int8 if signed else np.uint8).astype(np.int64)


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[SMALL] * 4), st.tuples(*[st.integers(0, 2)] * 4), st.booleans(), st.integers(0, 255))
def test_a_load_fills_its_box(counts, pads, packed, value):
    rows, width, n2, n3 = counts
    top, bottom, left, right = pads
    h, w = rows + top + bottom, width + left + right
    d1, d2, d3 = (width, rows * width, n2 * rows * width) if packed else (width + 3, 40, 200)
    l1, l2, l3 = (w, h * w, n2 * h * w) if packed else (w + 1, h * (w + 1) + 5, 4 * (h * (w + 1) + 5))
    strides = {} if packed else {"dram1": d1, "dram2": d2, "dram3": d3}
    local = {} if packed else {"local1": l1, "local2": l2, "local3": l3}
    m, before = machine(
        op("set.count", Engine.LD, count2=n2, count3=n3),
        op("set.dram", Engine.LD, **strides),
        op("set.local", Engine.LD, **local),
        op("set.pad", top=top, bottom=bottom, left=left, right=right, value=value),
        op("ld", region=2, offset=11, space=0, address=100, rows=rows, row_bytes=width),
    )
    want, dram = before[0], before[3 + 2]
    for i3, i2, y, x in np.ndindex(n3, n2, h, w):
        inside = top <= y < top + rows and left <= x < left + width
        at = 11 + i3 * d3 + i2 * d2 + (y - top) * d1 + x - left
        want[100 + i3 * l3 + i2 * l2 + y * l1 + x] = dram[at] if inside else value
    np.testing.assert_array_equal(m.chip[0], want)


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[SMALL] * 4))
def test_a_store_is_a_load_turned_round(counts):
    rows, width, n2, n3 = counts
    m, before = machine(
        op("set.count", Engine.ST, count2=n2, count3=n3),
        op("set.dram", Engine.ST, dram1=width + 1, dram2=30, dram3=150),
        op("st", region=4, offset=5, space=2, address=64, rows=rows, row_bytes=width),
    )
    want = before[3 + 4]
    for i, (i3, i2, y, x) in enumerate(np.ndindex(n3, n2, rows, width)):
        want[5 + i3 * 150 + i2 * 30 + y * (width + 1) + x] = before[0][64 + i]
    np.testing.assert_array_equal(m.regions[4], want)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[SMALL] * 4), st.tuples(*[st.integers(1, 3)] * 6), st.tuples(*[st.booleans()] * 5), st.integers(-9, 9)
)
def test_a_product_is_its_sum(shape, window, flags, zero):
    m_, c, e, f = shape
    r, s, uh, uw, dh, dw = window
    signed_x, signed_w, depthwise, in_major, accumulate = flags
    per = 2 if depthwise else 1
    inputs = -(-m_ // per) if depthwise else c
    k = r * s * (1 if depthwise else c)
    height, width = (e - 1) * uh + (r - 1) * dh + 1, (f - 1) * uw + (s - 1) * dw + 1
    pitch = m_ + 1 if in_major else k + 2
    machine_, before = machine(
        op("set.input", channels=c, channel_pitch=height * width + 1, row_pitch=width, type=signed_x),
        op("set.window", kernel_h=r, kernel_w=s, stride_h=uh, stride_w=uw, dilation_h=dh, dilation_w=dw, columns=f,
           mode=depthwise),
        op("set.weight", pitch=pitch, order=in_major, type=signed_w, zero=zero, multiplier=per),
        op("set.sums", channel_pitch=e * f + 3, row_pitch=f),
        op("mm", input=7, weight=3000, accumulator=16, channels=m_, rows=e, accumulate=accumulate),
    )  # fmt: skip
    x, w, sums = values(before[0], signed_x), values(before[0], signed_w), before[1].view(np.int32)
    assert inputs <= 4
    for m, i, j in np.ndindex(m_, e, f):
        total = 0
        for ch, p, q in np.ndindex(1 if depthwise else c, r, s):
            tap = (ch * r + p) * s + q
            weight = w[3000 + (tap * pitch + m if in_major else m * pitch + tap)] - zero
            source = m // per if depthwise else ch
            total += weight * x[7 + source * (height * width + 1) + (i * uh + p * dh) * width + j * uw + q * dw]
        at = 4 + m * (e * f + 3) + i * f + j
        sums[at] = np.int64(total + (int(sums[at]) if accumulate else 0)).astype(np.int32)
    np.testing.assert_array_equal(machine_.chip[1].view(np.int32), sums)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(2, 5)] * 3), st.sampled_from(["none", "max", "sum"]), st.tuples(*[st.booleans()] * 6),
    st.tuples(*[st.integers(0, 1)] * 4), st.integers(0, len(ROUNDINGS) - 1), st.integers(0, 2**31),
)  # fmt: skip
def test_the_post_processing_stages_in_order(shape, pool, flags, pads, rounding, seed):
    sums, scale, table, second, per_channel, signed = flags
    c, h, w = shape
    rng = np.random.default_rng(seed)
    records = np.zeros(c, RECORD)
    records["bias"] = rng.integers(-5000, 5000, c)
    records["multiplier"], records["shift"] = fixed.multiplier(rng.uniform(0.001, 0.5, c).astype(np.float32))
    ma, mb, shift = fixed.add_multipliers(*rng.uniform(0.01, 0.1, 3))
    low, high = (-128, 127) if signed else (0, 255)
    zeros = {n: int(v) for n, v in zip(("source", "out", "a", "b", "y"), rng.integers(-20, 20, 5))}
    window = {"kernel_h": 2, "kernel_w": 2, "stride_h": 2, "stride_w": 1} | dict(
        zip(("top", "bottom", "left", "right"), pads)
    )
    words = [
        op("set.source", columns=w, channel_pitch=h * w + 1, row_pitch=w, type=signed, zero=zeros["source"]),
        op("set.destination", channel_pitch=100, row_pitch=10),
        op("set.scale", rounding=rounding, per_channel=per_channel, zero=zeros["out"], low=low, high=high),
        op("set.pool", **window),
        op("set.table", address=1000, type=signed),
        op("set.second", address=4000, channel_pitch=50, row_pitch=8, type=signed, zero=zeros["b"]),
        op("set.add", multiplier_a=ma, multiplier_b=mb, shift=shift),
        op("set.sum", zero_a=zeros["a"], zero=zeros["y"], low=low, high=high),
        op("ld", region=1, space=4, address=20, row_bytes=records.nbytes),
        op("fence", mask=15),
        op("ppu", source=8, destination=8000, parameters=20, channels=c, rows=h, from_accumulator=sums, scale=scale,
           table=table, second=second, pool=("none", "max", "sum").index(pool)),
    ]  # fmt: skip
    program = Program("edge", EDGE.digest, np.concatenate([*words, op("halt")]), regions=REGIONS)
    sim = Simulator(program)
    for memory in sim.machine.chip:
        memory[:] = rng.integers(0, 256, len(memory))
    sim.machine.chip[1].view(np.int32)[:] = rng.integers(-40000, 40000, len(sim.machine.chip[1]) // 4)
    sim.machine.regions[1][: records.nbytes] = records.view(np.uint8)
    before = [m.copy() for m in sim.machine.chip]
    sim.run()
    got = np.lib.stride_tricks.as_strided(
        values(sim.machine.chip[0], signed)[8000:], _out(pool, pads, shape), (800, 80, 8)
    )
    v = _window_of(before[1].view(np.int32)[2:] if sums else values(before[0], signed)[8:], c, h, w)
    np.testing.assert_array_equal(
        got, _stages(v, flags, pool, window, records, before, zeros, (ma, mb, shift), rounding)
    )


def _window_of(flat, c, h, w):
    return np.array([[[int(flat[k * (h * w + 1) + y * w + x]) for x in range(w)] for y in range(h)] for k in range(c)])


def _out(pool, pads, shape):
    c, h, w = shape
    return shape if pool == "none" else (c, (h + pads[0] + pads[1] - 2) // 2 + 1, w + pads[2] + pads[3] - 1)


def _reduce(v, window, step, outside):
    c, h, w = v.shape
    p = (window["top"], window["bottom"], window["left"], window["right"])
    _, e, f = _out("max", p, v.shape)
    out = np.zeros((c, e, f), np.int64)
    for k, i, j in np.ndindex(out.shape):
        taps = []
        for a, b in np.ndindex(2, 2):
            y, x = i * 2 + a - p[0], j + b - p[2]
            taps.append(v[k, y, x] if 0 <= y < h and 0 <= x < w else outside)
        out[k, i, j] = step(taps)
    return out


def _stages(v, flags, pool, window, records, before, zeros, add, rounding):
    sums, scale, table, second, per_channel, signed = flags
    low, high = (-128, 127) if signed else (0, 255)
    if not sums and (scale or pool == "sum"):
        v = v - zeros["source"]
    if pool == "sum":
        v = _reduce(v, window, sum, 0)
    if scale:
        bias, q, s = (records[n].astype(np.int64)[:, None, None] for n in ("bias", "multiplier", "shift"))
        if not per_channel:
            bias, q, s = bias[:1], q[:1], s[:1]
        v = fixed.requantize(v + bias, q, s, zeros["out"], low, high, ROUNDINGS[rounding])
    if table:
        v = values(before[2], signed)[1000:1256][v & 255]
    if second:
        b = np.array([values(before[0], signed)[4000 + 50 * k + 8 * y + x] for k, y, x in np.ndindex(v.shape)])
        p = (v - zeros["a"]) * add[0] + (b.reshape(v.shape) - zeros["b"]) * add[1]
        v = np.clip(fixed.half_even(p, add[2]) + zeros["y"], low, high)
    if pool == "max":
        v = _reduce(v, window, max, np.iinfo(np.int64).min)
    return (v & 255).astype(np.uint8).view(np.int8 if signed else np.uint8).astype(np.int64)


def test_a_long_reduction_stays_exact():
    k = 60000
    program = Program(
        "edge", EDGE.digest,
        np.concatenate([op("set.input", channels=k, channel_pitch=1), op("set.weight", pitch=k),
                        op("mm", input=0, weight=k), op("halt")]), regions=REGIONS,
    )  # fmt: skip
    sim = Simulator(program)
    sim.machine.chip[0][:] = 255
    sim.run()
    assert sim.machine.chip[1].view(np.int32)[0] == np.int64(k * 255 * 255).astype(np.int32)


def test_saturations_count_clipped_values_but_not_a_relu():
    def saturated(zero, low):
        words = [
            op("set.scale", zero=zero, low=low, high=127),
            op("set.source", columns=4, type=1),
            op("ld", region=1, space=4, row_bytes=9),
            op("fence", mask=15),
            op("ppu", destination=64, from_accumulator=1, scale=1),
        ]
        sim = Simulator(Program("edge", EDGE.digest, np.concatenate([*words, op("halt")]), regions=REGIONS))
        record = np.zeros(1, RECORD)
        record["multiplier"], record["shift"] = fixed.multiplier(np.float32(1))
        sim.machine.regions[1][:9] = record.view(np.uint8)
        sim.machine.chip[1].view(np.int32)[:4] = [-1000, -5, 5, 1000]
        return sim.run().total["saturated"]

    assert saturated(zero=0, low=-128) == 2
    assert saturated(zero=0, low=0) == 1


@pytest.mark.parametrize("value", [0, 7, 200])
def test_pad_value_is_what_the_padding_holds(value):
    m, _ = machine(op("set.pad", left=3, value=value), op("ld", region=2, row_bytes=2, address=0))
    assert m.chip[0][:3].tolist() == [value] * 3
