"""The simulator from the command line: runs in parallel, timing alone, a stop at a place with what is in memory there."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dnnc.backends.npu.asm import disassemble
from dnnc.backends.npu.executed import by_layer
from dnnc.backends.npu.iss import Run, Simulator
from dnnc.backends.npu.levels import layer_named
from dnnc.backends.npu.parallel import Task, run_all
from dnnc.backends.npu.target import Executable
from dnnc.backends.npu.trace import Trace
from dnnc.backends.report.column import elided
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.progress import each

HEADS = ("layer", "cycles", "instructions", "MACs", "DRAM read", "DRAM write", "on-chip read", "on-chip write")


def outcomes(
    file: Executable, samples: Sequence[Sequence[np.ndarray]], seed: int | None, jobs: int
) -> Iterator[tuple[list[np.ndarray], Run]]:
    """(outputs, run) of each sample, in order."""
    tasks = [Task(0, sample, seed) for sample in samples]
    return each(run_all([file], tasks, jobs), "samples on npu", len(tasks))


def timing(file: Executable, args: Namespace) -> dict[str, Any]:
    """Cycles and bytes, layer by layer, without arithmetic."""
    _, run = file.run((), args.seed, timing_only=True)
    layers = by_layer(file.program, run)
    result: dict[str, Any] = {"on": "npu", "samples": 0, "outputs": [], "cycles": run.cycles}
    result["layers"] = [asdict(layer) | {"busy": dict(layer.busy)} for layer in layers]
    return result | traced([run.trace], args)


def table(layers: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[object]]]:
    """Heads and rows of `timing`, a layer each and their sum."""
    keys = ("cycles", "instructions", "macs", "dram_read", "dram_write", "chip_read", "chip_write")
    rows: list[list[object]] = [[elided(layer["layer"]), *(layer[k] for k in keys)] for layer in layers]
    rows.append(["total", *(sum(layer[k] for layer in layers) for k in keys)])
    stacks = [*(layer["stack"] for layer in layers), None]
    if any(stacks):
        return ["stack", *HEADS], [[stack, *row] for stack, row in zip(stacks, rows)]
    return list(HEADS), rows


def traced(traces: Sequence[Trace], args: Namespace) -> dict[str, Any]:
    """Write the traces asked for: of the last sample, of all samples to a folder."""
    written: dict[str, Any] = {}
    if args.trace:
        traces[-1].save(args.trace)
        written["trace"] = args.trace
    if args.traces:
        folder, digits = Path(args.traces), len(str(len(traces) - 1))
        folder.mkdir(parents=True, exist_ok=True)
        for i, trace in enumerate(traces):
            trace.save(folder / f"{i:0{digits}}.trace")
        written["traces"] = args.traces
    return written


def stopped(file: Executable, sample: Sequence[np.ndarray], args: Namespace) -> tuple[dict[str, Any], list[np.ndarray]]:
    """(what happened, the outputs if it came to the end) of one sample run until a place; its memories are written."""
    simulator, outputs = file.start(sample, args.seed), []
    facts: dict[str, Any] = {"on": "npu", "samples": 1}
    if args.until:
        facts["stopped"] = _advance(simulator, *args.until)
    else:
        outputs, _ = file.finish(simulator)
    facts["dumps"] = [_dump(simulator, name, path) for name, path in args.dump]
    return facts | traced([simulator.trace()], args), outputs


def _advance(simulator: Simulator, by: str, value: str) -> dict[str, Any]:
    """Run until a layer, an instruction or a cycle; where it stands then."""
    program, where = simulator.program, f"--until {by}={value}"
    if by == "layer":
        value = layer_named(value, list(dict.fromkeys(t.layer for t in program.tags)), where, "E0835")
    event = simulator.advance(**{by: value if by == "layer" else int(value)})  # pyright: ignore[reportArgumentType]
    if event is None:
        ended = f"the program ended at cycle {simulator.trace().cycles:,} with instruction {len(program.text) - 1:,}"
        raise DnncError(Finding(where, f"expected a place the run comes to, not one after it: {ended}.", "E0835"))
    index = int(simulator.origin[event.index])
    tag = program.tag(int(simulator.tag[event.index]))
    text = disassemble(program.text[index : index + 1])[0]
    place = {"instruction": index, "start": event.start, "end": event.end}
    return {**place, "layer": tag.layer, "node": tag.node, "tile": tag.tile, "text": text}


def _dump(simulator: Simulator, name: str, path: str) -> dict[str, Any]:
    simulator.dump(name, path)
    return {"memory": name, "file": path, "bytes": simulator.memory(name).size}


def story(result: dict[str, Any]) -> list[str]:
    """Where a run stopped and what was written, for people."""
    lines = []
    if at := result.get("stopped"):
        lines.append(f"stopped after instruction {at['instruction']:,}, cycles {at['start']:,} to {at['end']:,}")
        node = f", {at['node']}" if at["node"] else ""
        lines.append(f"{at['layer']}{' tile ' + at['tile'] if at['tile'] else ''}{node}: {at['text']}")
    lines += [f"{d['memory']}: {d['bytes']:,} bytes in {d['file']}" for d in result.get("dumps", ())]
    return lines
