"""A conv layer (requantize, max-pool) and a fully connected layer, each in two tiles, written by hand."""

import numpy as np

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.encoding import encode, mask
from dnnc.backends.npu.isa import BY_NAME, Engine
from dnnc.backends.npu.program import Program, Region, Symbol, Tag
from dnnc.ir import fixed
from dnnc.ir.fixed import RECORD

LD, MM, PPU, ST = Engine.LD, Engine.MM, Engine.PPU, Engine.ST

C, H, M, K = 3, 12, 8, 3
N, CLASSES = M * 6 * 6, 10
ZERO_X, ZERO_H, ZERO_Y = -3, -20, 5

rng = np.random.default_rng(7)
W1 = rng.integers(-128, 128, (M, C, K, K)).astype(np.int8)
B1 = rng.integers(-2000, 2000, M).astype(np.int32)
W2 = rng.integers(-128, 128, (CLASSES, N)).astype(np.int8)
B2 = rng.integers(-2000, 2000, CLASSES).astype(np.int32)
Q1, S1 = fixed.multiplier(rng.uniform(0.001, 0.004, M).astype(np.float32))
Q2, S2 = fixed.multiplier(np.float32([0.0005]))


def reference(x: np.ndarray) -> np.ndarray:
    """int8 logits by plain numpy loops over the taps."""
    padded = np.full((C, H + 2, H + 2), ZERO_X, np.int64)
    padded[:, 1:-1, 1:-1] = x
    acc = np.zeros((M, H, H), np.int64) + B1[:, None, None]
    for i in range(K):
        for j in range(K):
            window = padded[:, i : i + H, j : j + H] - ZERO_X
            acc += np.tensordot(W1[:, :, i, j].astype(np.int64), window, 1)
    h = fixed.requantize(acc, Q1[:, None, None], S1[:, None, None], ZERO_H, ZERO_H, 127)
    pooled = h.reshape(M, 6, 2, 6, 2).max(axis=(2, 4)).reshape(-1)
    acc2 = W2.astype(np.int64) @ (pooled - ZERO_H) + B2
    return fixed.requantize(acc2, Q2, S2, ZERO_Y).astype(np.int8)


def records(bias, q, shift):
    out = np.zeros(len(bias), RECORD)
    out["bias"], out["multiplier"], out["shift"] = bias, q, shift
    return out.tobytes()


class Builder:
    def __init__(self):
        self.words = []

    def __call__(self, name, engine=None, wait=(), signal=(), tag=0, **fields):
        self.words.append(encode(BY_NAME[name], engine, mask(wait), mask(signal), tag, **fields))


def build(arch=None, edit=None) -> Program:
    """The program; `edit(list of words)` may damage it."""
    arch = arch or load_target()
    fold1 = B1 - ZERO_X * W1.reshape(M, -1).sum(axis=1, dtype=np.int64)
    fold2 = B2 - ZERO_H * W2.sum(axis=1, dtype=np.int64)
    params = records(fold1, Q1, S1) + records(fold2, np.repeat(Q2, CLASSES), np.repeat(S2, CLASSES))
    w2_at = W1.size
    b = Builder()
    # on chip: weights at 0, input tiles at 4096 and 8192, pooled tiles at 12288 and 12544, fc below
    b("ld", region=1, offset=0, space=4, address=0, rows=1, row_bytes=len(params), tag=0)
    b("ld", region=0, offset=0, space=1, address=0, rows=1, row_bytes=W1.size, tag=0)
    b("set.input", channels=C, channel_pitch=8 * 14, row_pitch=14, type=1)
    b("set.window", kernel_h=K, kernel_w=K, columns=H)
    b("set.weight", pitch=C * K * K, type=1)
    b("set.sums", channel_pitch=6 * H, row_pitch=H)
    b("set.source", columns=H, channel_pitch=6 * H, row_pitch=H)
    b("set.destination", channel_pitch=3 * 6, row_pitch=6)
    b("set.scale", per_channel=1, zero=ZERO_H, low=ZERO_H, high=127)
    b("set.pool", kernel_h=2, kernel_w=2, stride_h=2, stride_w=2)
    for t in range(2):
        tag, x, acc, out = 1 + t, 4096 * (1 + t), 4096 * t, 12288 + 256 * t
        top, rows, first = (1, 7, 0) if t == 0 else (0, 7, 5)
        b("set.count", LD, tag=tag, count2=C)
        b("set.dram", LD, tag=tag, dram2=H * H)
        b("set.pad", LD, tag=tag, top=top, bottom=1 - top, left=1, right=1, value=ZERO_X & 255)
        b("ld", region=2, offset=first * H, space=0, address=x, rows=rows, row_bytes=H, signal=[MM], tag=tag)
        b("mm", input=x, weight=0, accumulator=acc, channels=M, rows=6, wait=[LD], signal=[PPU], tag=tag)
        b("ppu", source=acc, destination=out, channels=M, rows=6, from_accumulator=1, scale=1, pool=1,
          wait=[MM], signal=[ST], tag=tag)  # fmt: skip
        b("set.count", ST, tag=tag, count2=M)
        b("set.dram", ST, tag=tag, dram2=36)
        b("st", region=4, offset=t * 18, space=2, address=out, rows=3, row_bytes=6, wait=[PPU],
          signal=[LD] if t else [], tag=tag)  # fmt: skip
    # fully connected: the reduction in two halves that accumulate
    b("set.count", LD, tag=3)
    b("set.dram", LD, tag=3)
    b("set.pad", LD, tag=3)
    b("set.input", channels=N // 2, channel_pitch=1, row_pitch=1, type=1, tag=3)
    b("set.window", columns=1, tag=3)
    b("set.weight", pitch=N // 2, type=1, tag=3)
    b("set.sums", channel_pitch=1, row_pitch=1, tag=3)
    for t in range(2):
        tag, x, w = 3 + t, 20480 + 512 * t, 24576 + 4096 * t
        b("ld", region=4, offset=t * N // 2, space=0, address=x, row_bytes=N // 2, wait=[ST] if t == 0 else [], tag=tag)
        b("set.dram", LD, dram1=N, tag=tag)
        b("ld", region=0, offset=w2_at + t * N // 2, space=1, address=w, rows=CLASSES, row_bytes=N // 2,
          signal=[MM], tag=tag)  # fmt: skip
        b("set.dram", LD, tag=tag)
        b("mm", input=x, weight=w, accumulator=8192, channels=CLASSES, accumulate=t, wait=[LD],
          signal=[PPU] if t else [], tag=tag)  # fmt: skip
    b("set.source", columns=1, channel_pitch=1, tag=4)
    b("set.destination", channel_pitch=1, tag=4)
    b("set.scale", per_channel=1, zero=ZERO_Y, low=-128, high=127, tag=4)
    b("ppu", source=8192, destination=13312, parameters=M * 9, channels=CLASSES, from_accumulator=1, scale=1,
      wait=[MM], signal=[ST], tag=4)  # fmt: skip
    b("set.count", ST, tag=4)
    b("set.dram", ST, tag=4)
    b("st", region=3, space=2, address=13312, row_bytes=CLASSES, wait=[PPU], tag=4)
    b("halt")
    if edit:
        edit(b.words)
    tags = (Tag("setup"), *(Tag(n, f"node_{n}", str(t)) for n in ("conv", "fc") for t in range(2)))
    weights = W1.tobytes() + W2.tobytes()
    sizes = (len(weights), len(params), C * H * H, CLASSES, N)
    regions = tuple(Region(n, s) for n, s in zip(("weights", "parameters", "inputs", "outputs", "arena"), sizes))
    symbols = (Symbol("x", "input", 2, 0, (C, H, H), "int8"), Symbol("y", "output", 3, 0, (CLASSES,), "int8"))
    return Program(
        arch.name, arch.digest, np.concatenate(b.words), weights, params, regions, symbols, tags, {"model": "hand"}
    )
