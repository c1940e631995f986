"""Cycles, bytes and MACs of every instruction of a program, by the functions of `passes.analysis.timing`."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dnnc.backends.npu.encoding import Column, Decoded
from dnnc.backends.npu.footprint import affine_bytes, record_bytes
from dnnc.backends.npu.isa import Engine
from dnnc.backends.npu.operands import (
    Operands,
    box,
    box_bytes,
    coded,
    dram_runs,
    made,
    operands,
    pooled,
    product_shape,
    runs_of,
    table_bytes,
    value_bytes,
    values_of,
)
from dnnc.backends.npu.program import CONSTANT, SPILL
from dnnc.ir.arch import ROLES, Accelerator
from dnnc.ir.fixed import EXP_BYTES
from dnnc.passes.analysis import timing

DRAM_COLUMNS = ("dram_read", "dram_write")
CHIP_COLUMNS = tuple(f"{role}_{way}" for role in ROLES for way in ("read", "write"))
COUNTERS = ("macs", *DRAM_COLUMNS, *CHIP_COLUMNS)


@dataclass(frozen=True)
class Costs:
    """Per instruction of the stream: cycles, and every counter of `COUNTERS`, in MACs and bytes.

    Of a transfer, `bus` is what the bandwidth off chip takes, `chip` what the memory on chip and the decoder take: its cycles
    are the setup and the larger one.
    """

    cycles: Column
    counters: Mapping[str, Column]
    bus: Column
    chip: Column


def costs(decoded: Mapping[str, Decoded], n: int, arch: Accelerator) -> Costs:
    """The costs of a stream of n instructions; kinds without work take `timing.CONTROL_CYCLES`."""
    cycles = np.full(n, timing.CONTROL_CYCLES, np.int64)
    counters = {name: np.zeros(n, np.int64) for name in COUNTERS}
    bus, chip = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for name, engine in (("ld", Engine.LD), ("st", Engine.ST)):
        if len(t := operands(decoded, name, engine)):
            bus[t.index], chip[t.index] = _transfer(name == "ld", t, arch, counters)
            cycles[t.index] = arch.dma.setup_cycles + np.maximum(bus, chip)[t.index]
    if len(t := operands(decoded, "mm", Engine.MM)):
        _product(t, arch, cycles, counters)
    if len(t := operands(decoded, "ppu", Engine.PPU)):
        _post(t, arch, cycles, counters)
    for name in ("softmax", "normalize"):
        if len(t := operands(decoded, name, Engine.PPU)):
            _vector(name, t, arch, cycles, counters)
    return Costs(cycles, counters, bus, chip)


def _transfer(load: bool, t: Operands, arch: Accelerator, counters: Mapping[str, Column]) -> tuple[Column, Column]:
    """Counts the bytes of transfers; the cycles that the bandwidth off chip and the memory on chip take."""
    b = box(t)
    run, runs = dram_runs(t, b)
    constant, decoded = np.isin(t["region"], CONSTANT), np.where(coded(t), box_bytes(t), 0)
    pieces, spilled = runs_of(t, b, b.local)[1], t["region"] == SPILL
    counters["dram_read" if load else "dram_write"][t.index] = run * runs
    outer = b.counts[1] * b.counts[2]
    local = outer * b.box_rows * b.box_bytes if load else box_bytes(t)
    for number, role in enumerate(ROLES):
        here = t["space"] == number
        counters[f"{role}_{'write' if load else 'read'}"][t.index[here]] = local[here]
    bus = timing.bus_cycles(run, runs, arch, constant, spilled)
    return bus, timing.chip_cycles(arch, pieces, decoded)


def _product(t: Operands, arch: Accelerator, cycles: Column, counters: Mapping[str, Column]) -> None:
    s = product_shape(t)
    for kind, formula in ((False, timing.product), (True, timing.depthwise)):
        rows = s.depthwise == kind
        window = timing.Window(_pair(t, "kernel", rows), _pair(t, "stride", rows), s.rows[rows])
        pixels = (s.rows * s.columns)[rows]
        shape = (s.reduction[rows], s.channels[rows], pixels, t["accumulate"][rows])
        packed = {} if kind else {"values": values_of(t)[rows]}
        cost = formula(*shape, arch, window, **packed)
        cycles[t.index[rows]] = cost.cycles
        for name in ("macs", "input_read", "weight_read", "accumulator_read", "accumulator_write"):
            counters[name][t.index[rows]] = getattr(cost, name)


def _pair(t: Operands, name: str, rows: np.ndarray) -> tuple[Column, Column]:
    return t[f"window.{name}_h"][rows], t[f"window.{name}_w"][rows]


def _post(t: Operands, arch: Accelerator, cycles: Column, counters: Mapping[str, Column]) -> None:
    rows, columns = pooled(t)
    channels, source, out = t["channels"], t["rows"] * t["source.columns"], rows * columns
    pool = t["pool"] > 0
    windows = np.where(pool, out * t["pool.kernel_h"] * t["pool.kernel_w"], 0)
    # a pool straight from memory has no element stage before it
    staged = ~pool | (t["from_accumulator"] == 1) | ((t["pool"] == 1) & ((t["scale"] | t["table"] | t["second"]) == 1))
    elements = np.where(staged, source, np.where(t["pool"] == 2, out, 0))
    elements = elements * np.where(t["scale"] == 1, timing.passes(t["scale.levels"]), 1)
    sums = t["from_accumulator"] == 1
    second = np.where(t["second"] == 1, channels * np.where(t["pool"] == 2, out, source), 0) * value_bytes(t, "second")
    records = np.where(t["scale"] == 1, record_bytes(t), 0)
    read = {
        "accumulator": np.where(sums, 4 * channels * source, 0),
        "input": np.where(sums, 0, channels * source * value_bytes(t, "source")) + second,
        "parameter": records + np.where(t["table"] == 1, table_bytes(t), 0),
    }
    written = made(t) * out * (1 + t["destination.wide"])
    cycles[t.index] = timing.post(channels, elements, windows, read, written, arch)
    for role, amount in read.items():
        counters[f"{role}_read"][t.index] = amount
    counters["output_write"][t.index] = written


def _vector(name: str, t: Operands, arch: Accelerator, cycles: Column, counters: Mapping[str, Column]) -> None:
    channels, plane = t["channels"], t["rows"] * t["source.columns"]
    read: dict[str, Column] = {"input": timing.VECTOR_PASSES * channels * plane * value_bytes(t, "source")}
    written = channels * plane * (1 + t["destination.wide"])
    if name == "softmax":
        read["parameter"] = EXP_BYTES + np.where(t["scale"] == 1, record_bytes(t), 0)
    else:
        read["weight"] = affine_bytes(t)
    elements = timing.VECTOR_PASSES * plane
    cycles[t.index] = timing.post(channels, elements, np.zeros_like(plane), read, written, arch)
    for role, amount in read.items():
        counters[f"{role}_read"][t.index] = amount
    counters["output_write"][t.index] = written
