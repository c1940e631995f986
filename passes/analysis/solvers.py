"""Packing by other solvers: OR-Tools' CP-SAT, and the minimalloc program. Both are optional, neither is needed.

What a solver gives is compared pair by pair like every packing, so a wrong one is an error and no wrong program.
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.passes.analysis.allocate import Packing, pack, packed_at
from dnnc.passes.analysis.allocation import Buffer, lower_bound, table
from dnnc.passes.analysis.canonical import Items, ranks

Solver = Callable[[Sequence[Buffer], int], Packing]

ORDERS = ("WAT", "TAW", "TWA", "TCA")
EFFORT = (0.5, 3.0)
"""CP-SAT's deterministic time a run, for one round of the orders each; no clock, so results repeat."""


def cp_sat(buffers: Sequence[Buffer], capacity: int) -> Packing:
    """Two-dimensional no-overlap in CP-SAT, the lowest buffer of an order placed first, as the built-in search does."""
    if find_spec("ortools") is None:
        text = "expected OR-Tools, which is not installed. Install it with `pip install dnnc[ortools]`"
        raise DnncError(Finding("plan-memory", f"{text}, or leave out solver=cp-sat.", "E0831"))
    model: Any = import_module("ortools.sat.python.cp_model")
    bound = lower_bound(buffers)
    if bound > capacity or any(b.size > capacity for b in buffers):
        return Packing("infeasible-proved", None, 0, bound, 0)
    for effort in EFFORT:
        for order in ORDERS:
            status, offsets = _solved(model, buffers, capacity, order, effort)
            if status == model.INFEASIBLE:
                return Packing("infeasible-proved", None, 0, bound, 0)
            if offsets is not None:
                return packed_at(buffers, offsets, bound, 0)
    return Packing("limit", None, 0, bound, 0)


def _solved(cp: Any, buffers: Sequence[Buffer], capacity: int, order: str, effort: float) -> tuple[int, Any]:
    """(status, offsets or None) of one run."""
    live = [i for i, b in enumerate(buffers) if b.size and b.start < b.end]
    t = table([buffers[i] for i in live])
    model, places, tops, widths = cp.CpModel(), [], [], []
    for i in live:
        b = buffers[i]
        place = model.new_int_var(0, (capacity - b.size) // b.align, f"place{i}")
        places.append(place)
        low = place * b.align
        tops.append(model.new_interval_var(low, b.size, low + b.size, f"bytes{i}"))
        widths.append(model.new_fixed_size_interval_var(b.start, b.end - b.start, f"steps{i}"))
    model.add_no_overlap_2d(widths, tops)
    first = np.argsort(ranks(Items.of(t.size, t.align, t.start, t.end), order))
    model.add_decision_strategy([places[i] for i in first], cp.CHOOSE_LOWEST_MIN, cp.SELECT_MIN_VALUE)
    solver = cp.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.search_branching = cp.FIXED_SEARCH
    solver.parameters.cp_model_presolve = False  # it hides the offsets that the order is about
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(model)
    if status not in (cp.OPTIMAL, cp.FEASIBLE):
        return status, None
    offsets = np.zeros(len(buffers), dtype=np.int64)
    offsets[live] = [solver.value(place) * buffers[i].align for place, i in zip(places, live)]
    return status, offsets


def minimalloc(buffers: Sequence[Buffer], capacity: int) -> Packing:
    """The program `minimalloc` on the path, which reads and writes CSV; it is given no time limit.

    It aligns nothing, so it is asked for sizes and a capacity in units of the largest alignment.
    """
    program = which("minimalloc")
    if program is None:
        text = "expected the program minimalloc on the path, found none. Build it from github.com/google/minimalloc"
        raise DnncError(Finding("plan-memory", f"{text}, or leave out solver=minimalloc.", "E0831"))
    bound = lower_bound(buffers)
    unit = max((b.align for b in buffers), default=1)
    live = [(i, b) for i, b in enumerate(buffers) if b.size and b.start < b.end]
    if bound > capacity:
        return Packing("infeasible-proved", None, 0, bound, 0)
    with TemporaryDirectory() as folder:
        asked, answer = Path(folder) / "in.csv", Path(folder) / "out.csv"
        lines = ["id,lower,upper,size", *(f"{i},{b.start},{b.end},{-(-b.size // unit)}" for i, b in live)]
        asked.write_text("\n".join(lines) + "\n")
        command = [program, f"--capacity={capacity // unit}", f"--input={asked}", f"--output={answer}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not answer.exists():
            return _refused(done, unit, bound)
        placed = {int(row["id"]): int(row["offset"]) for row in csv.DictReader(answer.open())}
    offsets = np.array([placed.get(i, 0) * unit for i in range(len(buffers))], dtype=np.int64)
    return packed_at(buffers, offsets, bound, 0)


def _refused(done: subprocess.CompletedProcess[str], unit: int, bound: int) -> Packing:
    """No packing: a proof only where units are bytes, since rounding sizes up may make what fits too large."""
    said = done.stderr.strip()
    if done.returncode != 1 or not said.replace(".", "", 1).isdecimal():  # it ends so, with the seconds it took
        text = f"expected minimalloc to end with a packing or without one, not with status {done.returncode}"
        raise DnncError(Finding("plan-memory", f"{text} and '{said[-200:]}'. Look at its installation.", "E0832"))
    return Packing("infeasible-proved" if unit == 1 else "limit", None, 0, bound, 0)


SOLVERS: dict[str, Solver] = {"built-in": pack, "cp-sat": cp_sat, "minimalloc": minimalloc}
