"""A trace run again through the queues with other engine speeds: what a faster part would gain, without the program."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dnnc.backends.npu.isa import HALT, LD, ST, Engine
from dnnc.backends.npu.queues import Load, Queues
from dnnc.backends.npu.trace import KINDS, Trace
from dnnc.ir.diagnostics import DnncError

PARTS: Mapping[str, tuple[Engine, ...]] = {"dma": (Engine.LD, Engine.ST), "mm": (Engine.MM,), "ppu": (Engine.PPU,)}


def what_if(trace: Trace, faster: Mapping[str, float]) -> Trace:
    """The trace of the same instructions on a machine with faster parts; `faster` maps `PARTS` to factors.

    `mm` and `ppu` take ceil(cycles / factor). `dma` is the bandwidth off chip, all of a transfer's setup + max(bus, chip) that
    changes: setup + max(ceil(bus / factor), chip), as if compiled to the same program for such a target.
    """
    trace.require_whole()
    order = np.argsort(trace["place"], kind="stable")
    cycles = _cycles(trace, faster)[order].tolist()
    queues = Queues(_load(trace, order, cycles), trace.limits)
    events = []
    while (event := queues.step()) is not None:
        events.append(event)
    rows = order[[e.index for e in events]]
    columns = {name: values[rows] for name, values in trace.columns.items()}
    columns["bus"] = _shorter(columns["bus"], faster.get("dma", 1))
    for name in ("start", "end", "stall", "stall_cycles"):
        columns[name] = np.array([getattr(e, name) for e in events], trace[name].dtype)
    return replace(trace, columns=columns)


def _cycles(trace: Trace, faster: Mapping[str, float]) -> np.ndarray:
    cycles = trace["end"] - trace["start"]
    for part, factor in faster.items():
        if part not in PARTS or not 0 < factor < np.inf:
            expected = f"a factor above zero for one of {', '.join(PARTS)}"
            raise DnncError(f"what-if: {expected} was expected, not {part}={factor}. Correct it.", "E0829")
        bus, chip = (trace["bus"], trace["chip"]) if part == "dma" else (cycles, np.zeros_like(cycles))
        mine = np.isin(trace["engine"], PARTS[part])
        gained = np.maximum(bus, chip) - np.maximum(_shorter(bus, factor), chip)
        cycles = np.where(mine, cycles - gained, cycles)
    return cycles


def _shorter(cycles: np.ndarray, factor: float) -> np.ndarray:
    return np.ceil(cycles / factor).astype(np.int64)


def _load(trace: Trace, order: np.ndarray, cycles: list[int]) -> Load:
    kinds, engine = trace["kind"][order], trace["engine"][order]
    control = engine == Engine.CTRL
    waits = trace["wait"][order].astype(np.int64)
    barrier = {int(i): int(waits[i]) for i in np.flatnonzero(control & (waits != 0))}
    halts = frozenset(np.flatnonzero(kinds == KINDS.index(HALT.name)).tolist())
    transfer = np.isin(kinds, (KINDS.index(LD.name), KINDS.index(ST.name)))
    signal = trace["signal"][order]
    return Load(
        engine.tolist(),
        np.where(control, 0, waits).tolist(),
        np.where(control, 0, signal).tolist(),
        cycles,
        transfer.tolist(),
        barrier,
        halts,
    )
