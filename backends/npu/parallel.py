"""Runs of the simulator in processes of their own: the same bits and traces as one after another, in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from numpy.typing import NDArray

from dnnc.backends.npu.iss import Run
from dnnc.backends.npu.target import Executable

Outcome = tuple[list[NDArray[Any]], Run]


@dataclass(frozen=True)
class Task:
    """A run that is wanted: which of the programs, its inputs, and how."""

    program: int
    inputs: Sequence[NDArray[Any]] = ()
    seed: int | None = None
    timing_only: bool = False


def run_all(files: Sequence[Executable], tasks: Sequence[Task], jobs: int = 1) -> Iterator[Outcome]:
    """The outcome of each task, in order, from up to `jobs` processes; each process gets the programs once."""
    if jobs <= 1 or len(tasks) <= 1:
        yield from (_run(files, task) for task in tasks)
        return
    # a fresh interpreter: a fork of a process with threads may hang
    context, given = get_context("spawn"), [(f.program, f.arch) for f in files]
    with ProcessPoolExecutor(min(jobs, len(tasks)), context, _receive, (given,)) as pool:
        yield from pool.map(_run_here, tasks)


_here: list[Executable] = []


def _receive(given: Sequence[tuple[Any, Any]]) -> None:
    _here[:] = [Executable(program, arch) for program, arch in given]


def _run_here(task: Task) -> Outcome:
    return _run(_here, task)


def _run(files: Sequence[Executable], task: Task) -> Outcome:
    return files[task.program].run(task.inputs, task.seed, task.timing_only)
