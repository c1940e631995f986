"""What each layer of a program costs, by the simulator's own queues and costs, without its arithmetic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.npu.cost import CHIP_COLUMNS
from dnnc.backends.npu.isa import Engine
from dnnc.backends.npu.iss import Run, Simulator
from dnnc.backends.npu.path import critical_path
from dnnc.backends.npu.program import Program
from dnnc.ir.arch import Accelerator
from dnnc.passes.analysis.executed import Executed


def executed(program: Program, arch: Accelerator) -> tuple[Executed, ...]:
    """Replay the instructions in time only: the start of each follows from queues, tokens and `timing` alone."""
    return by_layer(program, Simulator(program, arch, timing_only=True).run())


def by_layer(program: Program, run: Run) -> tuple[Executed, ...]:
    """The counts of a run, layer by layer in the order of the program."""
    names, of_row = run.trace.layer_of_tag()
    path = critical_path(run.trace)
    lengths = np.zeros(len(names), np.int64)
    np.add.at(lengths, of_row[[step.row for step in path]], [step.end - step.begin for step in path])
    count = np.bincount(of_row, minlength=len(names))
    stack = {t.layer: t.stack for t in program.tags}
    node = {t.layer: t.node for t in reversed(program.tags)}
    amounts = {k: _summed(program, names, v) for k, v in run.by_tag.items()}
    read, write = (sum(amounts[c] for c in CHIP_COLUMNS if c.endswith(way)) for way in ("read", "write"))
    return tuple(
        Executed(
            layer=name,
            node=node.get(name, ""),
            instructions=int(count[i]),
            cycles=int(lengths[i]),
            stack=stack.get(name),
            macs=int(amounts["macs"][i]),
            dram_read=int(amounts["dram_read"][i]),
            dram_write=int(amounts["dram_write"][i]),
            chip_read=int(np.asarray(read)[i]),
            chip_write=int(np.asarray(write)[i]),
            busy=tuple((e.name.lower(), int(amounts[f"busy_{e.name.lower()}"][i])) for e in Engine),
        )
        for i, name in enumerate(names)
        if count[i]
    )


def _summed(program: Program, names: list[str], by_tag: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums by layer of sums by tag; the last tag is none."""
    number = {name: i for i, name in enumerate(names)}
    layer = np.array([*(number[t.layer] for t in program.tags), len(names) - 1])
    out = np.zeros(len(names), np.int64)
    np.add.at(out, layer, by_tag)
    return out
