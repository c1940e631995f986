"""`python -m tools.bench.simulator`: what compiling and simulating int8 networks takes, each in a process of its own.

Wall and CPU seconds of the compiler (the quantized network to a verified program), CPU seconds of its searches for stacks,
values kept on chip and tiles; seconds of the simulator (function, timing and trace) and of reading the trace again for its
summary; GMAC a second of the simulator, and the peak memory of the process.
With `--models`, the MLPerf Tiny networks there on `u55-128`, against Vela's estimates.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

import dnnc
from dnnc import given
from dnnc.backends.npu import trace as traces
from dnnc.ir.interpret import main_function
from dnnc.ir.types import shape_of
from dnnc.zoo import ZOO
from tools.bench.__main__ import table

NETWORKS = ("lenet5", "toyadmos_autoencoder", "resnet8", "ds_cnn", "mobilenet_v1_025", "alexnet", "resnet50", "vgg16")
VELA = {
    "mlperf_kws_dscnn_int8": 89_900,
    "mlperf_ic_resnet8_int8": 201_747,
    "mlperf_vww_mobilenet_int8": 220_870,
    "mlperf_ad_autoencoder_int8": 201_184,
}
"""Cycles Vela 5.2.0 estimates for ethos-u55-128 (Ethos_U55_High_End_Embedded, Shared_Sram) on MLPerf Tiny's int8 TFLite files.

Vela reads TFLite alone, so it is not run here; the ONNX files are those networks converted, with the same weights.
"""
SEARCHES = ("fuse-layers", "fit-layers", "keep-on-chip", "tile")
COLUMNS = (
    "network",
    "compile s",
    "CPU s",
    "search s",
    "run s",
    "CPU s",
    "GMAC/s",
    "cycles",
    "instructions",
    "summary s",
    "peak MB",
)


def timed(do: Callable[[], Any]) -> tuple[Any, float, float]:
    """(result, wall seconds, CPU seconds)."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = do()
    return result, time.perf_counter() - wall, time.process_time() - cpu


class Searches:
    """CPU seconds of the passes that search, each with the checks after it."""

    def __init__(self) -> None:
        self.cpu, self.last = 0.0, time.process_time()

    def note(self, one: ModulePass, module: ModuleOp) -> None:
        """Count the time since the pass before if this one searches."""
        now = time.process_time()
        self.cpu += (now - self.last) * (one.name in SEARCHES)
        self.last = now


def measured(name: str, target: str) -> dict[str, float]:
    """The figures of one network."""
    network = dnnc.load(ZOO[name](0))
    shape = shape_of(main_function(network.module).body.block.args[0].type)
    x = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    graph = dnnc.compile(network, emit="ir", pipeline="int8", calibrate=[x]).network
    search = Searches()
    compiled, wall, cpu = timed(lambda: dnnc.compile(graph, target=target, after=search.note))
    assert compiled.npu is not None and len(compiled.npu.text)
    _, run_wall, run_cpu = timed(lambda: compiled.run(x))
    trace = compiled.trace()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.trace"
        trace.save(path)
        _, summary, _ = timed(lambda: traces.load(path).summary())
    return {
        "compile": wall,
        "compile_cpu": cpu,
        "search": search.cpu,
        "run": run_wall,
        "run_cpu": run_cpu,
        "macs": float(trace["macs"].sum()),
        "cycles": trace.cycles,
        "instructions": len(trace),
        "summary": summary,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def row(name: str, m: dict[str, float]) -> list[str]:
    """A line of the table."""
    rate = m["macs"] / m["run"] / 1e9
    seconds = [f"{m[k]:.2f}" for k in ("compile", "compile_cpu", "search", "run", "run_cpu")]
    counts = [f"{int(m[k]):,}" for k in ("cycles", "instructions")]
    return [name, *seconds, f"{rate:.2f}", *counts, f"{m['summary']:.2f}", f"{m['peak']:,.0f}"]


def embedded(folder: Path, name: str) -> int:
    """Cycles of a network of a folder on `u55-128`."""
    path, x = str(folder / name / "model.onnx"), np.load(folder / name / "input_0.npy")
    compiled = dnnc.compile(dnnc.load(path, given.sizes(path, {"input_0": x}, {})), target="u55-128")
    compiled.run(x)
    return compiled.trace().cycles


def main() -> None:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m tools.bench.simulator", description=__doc__)
    p.add_argument("networks", nargs="*", default=NETWORKS)
    p.add_argument("-t", "--target", default="edge")
    p.add_argument("--models", type=Path, metavar="FOLDER", help="folders with model.onnx and input_0.npy")
    p.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.one:
        print(json.dumps(measured(args.networks[0], args.target)))
        return
    console = Console(width=None if sys.stdout.isatty() else 140)
    t = table(f"int8 on {args.target}", *COLUMNS)
    for name in args.networks:
        line = [sys.executable, "-m", "tools.bench.simulator", "--one", "-t", args.target, name]
        t.add_row(*row(name, json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)))
    console.print(t)
    if args.models:
        t = table("on u55-128 against Vela's estimate for ethos-u55-128", "network", "cycles", "Vela cycles", "ratio")
        for name, peer in VELA.items():
            cycles = embedded(args.models, name)
            t.add_row(name, f"{cycles:,}", f"{peer:,}", f"{cycles / peer:.2f}")
        console.print(t)


if __name__ == "__main__":
    main()
