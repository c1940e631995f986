"""A trace for other programs: CSV, value change dumps for wave viewers, and a table of SQLite to query."""

import csv
import sqlite3
from collections.abc import Iterator
from io import StringIO
from typing import Any

import numpy as np

from dnnc.backends.npu.isa import Engine
from dnnc.backends.npu.levels import Label
from dnnc.backends.npu.path import by_level, within
from dnnc.backends.npu.trace import Trace
from dnnc.ir.diagnostics import DnncError

COMPARED = ("cycles", "bytes", "macs", "stalls")

_PS = 1_000_000  # picoseconds of a cycle at 1 MHz


def as_csv(trace: Trace) -> str:
    """One line an instruction under the names of the columns."""
    out = StringIO()
    rows = trace.rows()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_vcd(trace: Trace) -> str:
    """A value change dump (IEEE 1364): of each engine whether it is busy, the instruction it executes, layer and stack."""
    lines = ["$timescale 1 ps $end", "$scope module npu $end"]
    for e in Engine:
        lines += [f"$scope module {e.name.lower()} $end", f"$var wire 1 b{int(e)} busy $end"]
        lines += [f"$var reg 32 i{int(e)} instruction $end", f"$var string 1 l{int(e)} layer $end"]
        lines += [f"$var reg 16 k{int(e)} stack $end", "$upscope $end"]
    lines += ["$upscope $end", "$enddefinitions $end", "#0", "$dumpvars"]
    for e in Engine:
        lines += [f"0b{int(e)}", f"bx i{int(e)}", f"s l{int(e)}", f"bx k{int(e)}"]
    return "\n".join([*lines, "$end", *_changes(trace)]) + "\n"


def _changes(trace: Trace) -> Iterator[str]:
    labels, layer = trace.grouped("layer")
    shown = [("_".join(label["layer"].split()), label["stack"]) for label in labels]
    now = 0
    for time, begins, engine, row in _edges(trace):
        if time != now:
            yield f"#{time * _PS // trace.clock_mhz}"
            now = time
        yield f"{begins}b{engine}"
        if begins:
            yield f"b{int(trace['index'][row]):b} i{engine}"
            name, stack = shown[layer[row]]
            yield f"s{name} l{engine}"
            yield f"b{'x' if stack is None else format(stack, 'b')} k{engine}"


def _edges(trace: Trace) -> Iterator[tuple[int, int, int, int]]:
    """(cycle, 1 for a start, engine, row) in order of time; ends of a moment first, unless of what lasts none."""
    rows = np.flatnonzero(trace["end"] > trace["start"])
    time = np.concatenate([trace["start"][rows], trace["end"][rows]])
    begins = np.repeat([1, 0], len(rows))
    order = np.lexsort((begins, time))
    twice = np.concatenate([rows, rows])[order]
    yield from zip(time[order].tolist(), begins[order].tolist(), trace["engine"][twice].tolist(), twice.tolist())


def query(trace: Trace, sql: str) -> list[dict[str, Any]]:
    """What a SELECT gives on the table `trace`, whose columns are those of `rows`."""
    rows = trace.rows()
    with sqlite3.connect(":memory:") as db:
        names = list(rows[0]) if rows else ["index"]
        db.execute(f"CREATE TABLE trace ({', '.join(_quoted(n) for n in names)})")
        db.executemany(f"INSERT INTO trace VALUES ({', '.join('?' * len(names))})", [tuple(r.values()) for r in rows])
        db.execute("PRAGMA query_only = ON")
        try:
            found = db.execute(sql)
            heads = [d[0] for d in found.description or ()]
            return [dict(zip(heads, row)) for row in found]
        except (sqlite3.Error, sqlite3.Warning) as error:
            columns = ", ".join(map(_quoted, names))
            todo = f"The table is trace, its columns {columns}"
            raise DnncError(f"query: a SELECT of SQLite was expected: {error}. {todo}.", "E0830") from None


def _quoted(name: str) -> str:
    return f'"{name}"' if name in ("index", "end") else name


def compare(
    before: Trace, after: Trace, level: str = "layer", wholes: tuple[Trace, Trace] | None = None
) -> list[dict[str, Any]]:
    """Layer by layer, or at another of `levels.LEVELS`, and in total: cycles of the critical path, DRAM bytes, MACs and stalls
    of two traces, and the change; `wholes` are the traces that they are slices of.
    """
    keys = _keys(before.grouped(level)[0][0])
    old, new = (_by_key(t, w, level, keys) for t, w in zip((before, after), wholes or (before, after)))
    rows = [_changed(dict(zip(keys, key)), old.get(key, {}), new.get(key, {})) for key in dict.fromkeys([*old, *new])]
    return [*rows, _changed(dict.fromkeys(keys) | {keys[0]: "(all)"}, _total(old), _total(new))]


_Figures = dict[tuple[Any, ...], dict[str, int]]


def _by_key(trace: Trace, whole: Trace, level: str, keys: list[str]) -> _Figures:
    found: _Figures = {}
    for row in trace.summary(level):
        stalls = sum(v for k, v in row.items() if k.startswith("stall_"))
        figures = {"cycles": 0, "bytes": row["bytes"], "macs": row["macs"], "stalls": stalls}
        _add(found, tuple(row[k] for k in keys), figures)
    for row in by_level(whole, within(whole, trace), level):
        _add(found, tuple(row[k] for k in keys), {"cycles": row["cycles"]})
    return found


def _add(found: _Figures, key: tuple[Any, ...], figures: dict[str, int]) -> None:
    known = found.setdefault(key, {})
    known |= {name: known.get(name, 0) + value for name, value in figures.items()}


def _keys(label: Label) -> list[str]:
    """What two programs of a network have in common: a layer may run in other stacks."""
    return [k for k in ("layers", "layer", "tile", "step") if k in label and not (k == "step" and "layer" in label)]


def _total(found: _Figures) -> dict[str, int]:
    return {name: sum(f.get(name, 0) for f in found.values()) for name in COMPARED}


def _changed(label: Label, old: dict[str, int], new: dict[str, int]) -> dict[str, Any]:
    out: dict[str, Any] = {**label}
    for key in COMPARED:
        a, b = old.get(key, 0), new.get(key, 0)
        out |= {f"{key}_before": a, f"{key}_after": b, f"{key}_change": b - a}
    return out
