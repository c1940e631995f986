"""`python -m tools.bench.memory [FOLDER]`: packing, arenas and orders, in CPU seconds.

FOLDER holds minimalloc's challenging instances (NAME.CAPACITY.csv with id, lower, upper, size), from
github.com/google/minimalloc, benchmarks/challenging. The light models come with the package onnx.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

from dnnc import api, pipelines
from dnnc.ir.interpret import main_function
from dnnc.passes.analysis.allocate import pack, plan
from dnnc.passes.analysis.allocation import Buffer
from dnnc.passes.analysis.ordering import Program, Task, least_peak, peak
from dnnc.passes.order import movable, program

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
T = TypeVar("T")


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call gives, and the CPU seconds it takes."""
    start = time.process_time()
    return call(), time.process_time() - start


def instance(path: Path) -> tuple[list[Buffer], int]:
    """The buffers of a CSV, and the capacity its name states."""
    with path.open() as f:
        rows = [Buffer(r["id"], int(r["size"]), int(r["lower"]), int(r["upper"])) for r in csv.DictReader(f)]
    return rows, int(path.name.split(".")[1])


def packings(folder: Path) -> Table:
    """Every instance at its capacity."""
    table = Table("instance", "buffers", "status", "nodes", "CPU s", title="Packing at the stated capacity")
    total = 0.0
    for path in sorted(folder.glob("?.*.csv")):
        buffers, capacity = instance(path)
        found, seconds = timed(lambda buffers=buffers, capacity=capacity: pack(buffers, capacity))
        total += seconds
        table.add_row(path.name[0], str(len(buffers)), found.status, f"{found.nodes:,}", f"{seconds:.2f}")
    table.add_row("all", "", "", "", f"{total:.2f}")
    return table


def lifetimes(p: Program, order: tuple[int, ...]) -> list[Buffer]:
    """The values of a program as buffers, in an order of its tasks."""
    first, last = dict.fromkeys(p.given, 0), dict[int, int]()
    for step, number in enumerate(order):
        reads, makes = p.tasks[number]
        first = dict.fromkeys(makes, step) | first
        last |= dict.fromkeys((*reads, *makes), step)
    last |= dict.fromkeys(p.kept, len(order) - 1)
    return [Buffer(v, p.sizes[v], start, last.get(v, start) + 1) for v, start in first.items()]


def light_models() -> Table:
    """Order and arena of the light models, as they are and fused."""
    head = ("model", "pipeline", "operations", "peak of the file", "least peak", "CPU s", "arena", "bound", "CPU s")
    table = Table(*head, title="Light models")
    for path in sorted(LIGHT.glob("light_*.onnx")):
        for pipeline in ("", "fuse"):
            network = api.load(path)
            pipelines.run_passes(network, api.Pipeline(pipeline))
            block = main_function(network.module).body.block
            p = program(block, movable(block))
            order, seconds = timed(lambda p=p: least_peak(p))
            arena, packing = timed(lambda p=p, order=order: plan(lifetimes(p, order.order)))
            proof = "" if order.optimal else f" (>= {order.lower_bound:,})"
            figures = [f"{peak(p, range(len(p.tasks))):,}", f"{order.peak:,}{proof}", f"{seconds:.3f}"]
            figures += [f"{arena.peak:,}", f"{arena.lower_bound:,}", f"{packing:.3f}"]
            table.add_row(path.stem.removeprefix("light_"), pipeline or "raw", str(len(p.tasks)), *figures)
    return table


def wired(nodes: int, seed: int) -> Program:
    """A randomly wired graph (Watts-Strogatz, 4 neighbours, rewired with 0.75), each node the sum of what it reads."""
    rng = np.random.default_rng(seed)
    edges: set[tuple[int, int]] = set()
    for i in range(nodes):
        for step in (1, 2):
            j = (i + step) % nodes
            if rng.random() < 0.75:
                j = int(rng.choice([k for k in range(nodes) if k != i and (min(i, k), max(i, k)) not in edges]))
            edges.add((min(i, j), max(i, j)))
    tasks: list[Task] = []
    for i in range(nodes):
        reads = frozenset(a + 1 for a, b in edges if b == i) or frozenset([0])
        tasks.append((reads, (i + 1,)))
    sizes = [8, *(int(s) for s in rng.integers(1, 9, nodes))]
    read = frozenset().union(*(reads for reads, _ in tasks))
    return Program(tasks, sizes, frozenset([0]), frozenset(range(nodes + 1)) - read)


def wired_graphs() -> Table:
    """Orders of randomly wired graphs."""
    table = Table("nodes", "seed", "proved", "given / least", "CPU s", title="Randomly wired graphs")
    for nodes in (16, 24, 32, 40):
        for seed in range(5):
            p = wired(nodes, seed)
            found, seconds = timed(lambda p=p: least_peak(p))
            ratio = f"{peak(p, range(nodes)) / found.peak:.2f}"
            table.add_row(str(nodes), str(seed), "yes" if found.optimal else "no", ratio, f"{seconds:.3f}")
    return table


def main() -> None:
    """Every table for which there is data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="folder of minimalloc's instances")
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore")
    console = Console()
    for table in ([packings(folder)] if folder else []) + [light_models(), wired_graphs()]:
        console.print(table)


if __name__ == "__main__":
    main()
