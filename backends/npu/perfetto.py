"""A trace in the Trace Event Format, which Perfetto and Chrome open: a thread an engine, arrows along tokens.

Layers, and stacks of layers that run together, are spans of their own above the engines. Times are microseconds of the
target's clock, in whole nanoseconds.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.npu.isa import QUEUES, Engine
from dnnc.backends.npu.trace import Trace

Event = dict[str, Any]

_PROCESS = 1  # numbers from 1: readers take process and thread 0 for the idle task
_ARGS = ("index", "stack", "step", "layer", "tile", "bytes", "macs", "stall", "stall_cycles", "saturated")


def as_perfetto(trace: Trace) -> dict[str, Any]:
    """The events of a trace: what each engine executes, and for a whole run the tokens it waited for."""
    start, end = (_microseconds(trace, trace[name]) for name in ("start", "end"))
    events = [*_names(trace), *_spans(trace, "stack"), *_spans(trace, "layer"), *_work(trace, start, end)]
    if trace.whole:
        events += _tokens(trace, start, end)
    return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": {"target": trace.target}}


def _microseconds(trace: Trace, cycles: NDArray[np.int64]) -> list[float]:
    return (np.rint(cycles * 1000 / trace.clock_mhz) / 1000).tolist()


def _thread(engine: Engine) -> int:
    return engine + 1


def _names(trace: Trace) -> Iterator[Event]:
    yield {"ph": "M", "pid": _PROCESS, "tid": _PROCESS, "name": "process_name", "args": {"name": trace.target or "npu"}}
    for e in Engine:
        for name, value in (("thread_name", {"name": e.name}), ("thread_sort_index", {"sort_index": int(e)})):
            yield {"ph": "M", "pid": _PROCESS, "tid": _thread(e), "name": name, "args": value}


def _spans(trace: Trace, level: str) -> Iterator[Event]:
    """From the first to the last cycle of each layer or stack, which overlap: asynchronous events."""
    for number, row in enumerate(trace.summary(level)):
        if row[level] is None:
            continue
        name = row["layer"] if level == "layer" else f"stack {row['stack']}: {row['layers']}"
        shown = {k: row[k] for k in ("stack", "instructions", "bytes", "macs")}
        common = {"cat": level, "id2": {"local": str(number)}, "pid": _PROCESS, "tid": _PROCESS, "name": name}
        first, last = _microseconds(trace, np.array([row["start"], row["end"]]))
        yield {"ph": "b", "ts": first, **common, "args": shown}
        yield {"ph": "e", "ts": last, **common, "args": {}}


def _work(trace: Trace, start: list[float], end: list[float]) -> Iterator[Event]:
    for row, first, last in zip(trace.rows(), start, end):
        yield {
            "ph": "X",
            "pid": _PROCESS,
            "tid": _thread(Engine[row["engine"].upper()]),
            "ts": first,
            "dur": round(last - first, 3),
            "name": f"{row['kind']} {row['layer']}".strip(),
            "cat": "alone" if row["stack"] is None else f"stack {row['stack']}",
            "args": {k: row[k] for k in _ARGS},
        }


def _tokens(trace: Trace, start: list[float], end: list[float]) -> Iterator[Event]:
    """An arrow for each token, from the middle of the instruction that gives it to the start of the one that takes it."""
    order, number = np.argsort(trace["place"], kind="stable"), count()
    engine, wait, signal = (trace[name][order].astype(np.int64) for name in ("engine", "wait", "signal"))
    for p in QUEUES:
        for q in QUEUES:
            gives = order[(engine == p) & (signal >> q & 1 == 1)]
            takes = order[(engine == q) & (wait >> p & 1 == 1)]
            for give, take in zip(gives.tolist(), takes.tolist()):
                common = {"cat": "token", "id": next(number), "pid": _PROCESS, "name": f"{p.name} to {q.name}"}
                middle = (start[give] + end[give]) / 2
                yield {"ph": "s", "tid": _thread(p), "ts": round(middle, 4), **common}
                yield {"ph": "f", "bp": "e", "tid": _thread(q), "ts": start[take], **common}
