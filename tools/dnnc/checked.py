"""A run of a program held against the interpreter, store by store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dnnc.backends.npu.agreement import Agreement
from dnnc.backends.npu.iss import Run
from dnnc.backends.npu.target import Executable
from dnnc.carried import carried
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.interpret import check_inputs, main_function
from dnnc.ir.weights import store_of
from dnnc.passes.pipeline import Pipeline
from dnnc.passes.tile import TilePass

if TYPE_CHECKING:
    from dnnc.backends.npu.program import Program as NpuFile
    from dnnc.ir.arch import Accelerator
    from dnnc.network import Network


class Compiled(Protocol):
    """What `compile` gives for the accelerator: the network before it was tiled, and the passes from there on."""

    @property
    def network(self) -> Network:
        """The network at its last level."""
        ...

    @property
    def graph(self) -> Network | None:
        """The network before it was tiled."""
        ...

    @property
    def lowering(self) -> Pipeline | None:
        """The passes from there on."""
        ...

    def executable(self) -> Executable:
        """The program with what the host does."""
        ...

    def carrying(self) -> NpuFile:
        """The program with the network in it."""
        ...


@dataclass(frozen=True)
class Checked:
    """A run whose stores are all the interpreter's, and how many there were."""

    outputs: list[np.ndarray]
    run: Run
    stores: int


class Comparison:
    """A program beside its network, which is tiled again to know what each buffer holds."""

    def __init__(self, program: Compiled) -> None:
        passes = program.lowering or Pipeline(())
        tile = next(iter(passes), None)
        if program.graph is None or not isinstance(tile, TilePass):
            message = "expected a network that is tiled here, not a schedule: there is nothing to compare with. Give a network."
            raise DnncError(Finding(program.network.name, message, "E0108"))
        self.file, self.graph, self.tiled = program.executable(), program.graph, program.graph.clone()
        self.holdings = tile.schedule(self.tiled.ctx, self.tiled.module)
        Pipeline(passes[1:]).run(self.tiled, in_place=True)

    def run(self, inputs: Sequence[np.ndarray], seed: int | None = None) -> Checked:
        """Run on the simulator; WrongTile at the first store that is not the interpreter's."""
        check_inputs(main_function(self.graph.module).body.block, inputs)
        watch = Agreement(self.tiled.module, self.holdings, inputs, store_of(self.tiled.ctx))
        outputs, done = self.file.run(inputs, seed, watch=watch)
        watch.host(self.file.outputs(), outputs)
        return Checked(outputs, done, watch.stores)


def check_all(
    program: Compiled, samples: Sequence[Sequence[np.ndarray]], seed: int | None = None, jobs: int = 1
) -> Iterator[Checked]:
    """Each sample's run, in order, from up to `jobs` processes; WrongTile at the first store that is wrong."""
    if jobs <= 1 or len(samples) <= 1:
        comparison = Comparison(program)
        yield from (comparison.run(sample, seed) for sample in samples)
        return
    # a fresh interpreter, as in npu.parallel; each builds its comparison once
    given = (program.carrying(), program.executable().arch)
    pool = ProcessPoolExecutor(min(jobs, len(samples)), get_context("spawn"), _receive, given)
    try:
        yield from pool.map(partial(_run_here, seed), samples)
    finally:
        pool.shutdown(cancel_futures=True)


_here: list[Comparison] = []


def _receive(program: NpuFile, arch: Accelerator | None) -> None:
    _here[:] = [Comparison(carried(Executable(program, arch), "program"))]


def _run_here(seed: int | None, sample: Sequence[np.ndarray]) -> Checked:
    return _here[0].run(sample, seed)
