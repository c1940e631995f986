"""The public Python API: a network in, a program out, for each of the three backends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from xdsl.dialects.builtin import StringAttr

from dnnc.ir import text
from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr, of_module
from dnnc.ir.blocked import Blocked, blocked_of
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, Finding, nearest
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp
from dnnc.ir.stages import CALIBRATED
from dnnc.ir.types import tensor_text
from dnnc.network import Network
from dnnc.passes import PIPELINES
from dnnc.passes.analysis import section_order
from dnnc.passes.analysis.ordering import least_peak, peak
from dnnc.passes.order import OrderPass
from dnnc.passes.pipeline import Hook, Pipeline
from dnnc.passes.tile import TilePass
from dnnc.pipelines import DEFAULT_PIPELINE, Calibration, DataFreeWarning, Samples, default_of, run_passes
from dnnc.progress import phase

if TYPE_CHECKING:
    import onnx

    from dnnc.backends.c.target import CProgram
    from dnnc.backends.npu.iss import Simulator
    from dnnc.backends.npu.program import Program as NpuFile
    from dnnc.backends.npu.target import Executable
    from dnnc.backends.npu.trace import Trace
    from dnnc.backends.report import Report, ScheduleReport
    from dnnc.backends.view.memory import MemoryMap
    from dnnc.ir.arch import Accelerator


DEFAULT_TARGET = "edge"
MODELS = (".onnx", ".dnn", ".mlir")
EXPORT = {
    **dict.fromkeys((".pt", ".pth"), " Export it with torch.onnx.export(model, inputs, 'net.onnx')."),
    **dict.fromkeys((".pb", ".h5", ".keras", ".tflite"), " Convert it with tf2onnx."),
    ".npu": " A program is run: dnnc run.",
}


def _meant(path: Path) -> str:
    """What to do about a model that is not there: the model of the same folder with the nearest name."""
    beside = [p.name for p in path.parent.iterdir() if p.suffix in MODELS] if path.parent.is_dir() else []
    return nearest(path.name, beside).strip() or "Check the path."


def load(source: str | Path | onnx.ModelProto, dims: Mapping[str, int] | None = None, weights: bool = True) -> Network:
    """Read a network: an .onnx file or ModelProto, a .dnn text, or IR text (.mlir with its .safetensors beside it).

    `dims` binds symbolic dimensions; without `weights`, files of external data may be absent, enough for a report. Raises
    DnncError or UnsupportedError listing every problem of the model.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
        if not path.exists():
            raise DnncError(Finding(str(path), f"expected a model file, found nothing there. {_meant(path)}", "E0101"))
        if path.suffix == ".mlir":
            return Network(*text.load(path), path.stem)
        if path.suffix == ".dnn":
            from dnnc.frontend.dsl import read_dnn

            ctx = make_context()
            module, name = read_dnn(path, ctx)
            return Network(module, ctx, name)
        if path.suffix != ".onnx":
            ending = f"'{path.suffix}'" if path.suffix else "a name without an ending"
            message = f"expected a model as .onnx, .dnn or .mlir, not {ending}.{EXPORT.get(path.suffix, '')}"
            raise DnncError(Finding(str(path), message, "E0102"))
    from dnnc.frontend.onnx.importer import import_onnx

    ctx = make_context()
    name = Path(source).stem if isinstance(source, (str, Path)) else source.graph.name or "network"
    with phase(f"import {name}"):
        return Network(import_onnx(source, ctx, dims, weights), ctx, name)


def load_target(name: str | Path) -> Accelerator:
    """A bundled accelerator by name, or one from a TOML file."""
    from dnnc.backends.npu.catalog import load_target as find

    return find(str(name))


@dataclass
class Program:
    """What `compile` gives: the network at its last level of IR, and the backend's output when one was asked for."""

    network: Network
    emit: str
    target: str = DEFAULT_TARGET
    graph: Network | None = None  # the network before it was tiled, for the report
    c: CProgram | None = None
    npu: NpuFile | None = None
    lowering: Pipeline | None = None  # the passes from tile on
    _trace: Trace | None = field(default=None, repr=False)
    _call: Callable[..., list[np.ndarray]] | None = field(default=None, repr=False)
    _file: Executable | None = field(default=None, repr=False)

    def run(self, *inputs: np.ndarray, check: bool = False, seed: int | None = None) -> list[np.ndarray]:
        """Outputs: of the reference interpreter (ir), of compiled C (c), or of the simulator (npu), which leaves a trace.

        On the simulator, `check` compares every store with the interpreter and raises WrongTile at the first wrong one;
        `seed` picks another order of the instructions, among those that the queues leave open.
        """
        if self.npu is None and (check or seed is not None):
            raise DnncError(
                Finding("run", f"expected a program for check and seed, not '{self.emit}'. Emit npu.", "E0108")
            )
        if self.c is not None:
            if self._call is None:
                from dnnc.backends.c.target import compile_and_load

                with phase("C compiler"):
                    self._call = compile_and_load(self.c)
            return list(self._call(*inputs))
        if self.npu is not None:
            return self._simulated(inputs, check, seed)
        return self.network.run(*inputs)

    def _simulated(self, inputs: Sequence[np.ndarray], check: bool, seed: int | None) -> list[np.ndarray]:
        if check:
            from dnnc.checked import Comparison

            found = Comparison(self).run(inputs, seed)
            outputs, run = found.outputs, found.run
        else:
            outputs, run = self.executable().run(inputs, seed)
        self._trace = run.trace
        return outputs

    def executable(self) -> Executable:
        """The npu program with the host's share: `start(inputs)` gives the simulator at its first instruction."""
        from dnnc.backends.npu.target import Executable

        if self.npu is None:
            raise DnncError(Finding("run", f"expected a program, not '{self.emit}'. Emit npu.", "E0108"))
        if self._file is None or self._file.program is not self.npu:
            self._file = Executable(self.npu, of_module(self.network.module))
        return self._file

    def carrying(self) -> NpuFile:
        """The npu program with the network it was made of."""
        from dnnc.carried import carry

        if self.npu is None or self.graph is None or self.lowering is None:
            message = f"expected an npu program of a network, not '{self.emit}' of a schedule. Compile a network with emit npu."
            raise DnncError(Finding(self.network.name, message, "E0108"))
        return carry(self.npu, self.graph, self.lowering, self.network.module)

    def simulator(self, *inputs: np.ndarray, seed: int | None = None, timing_only: bool = False) -> Simulator:
        """The simulator at the first instruction: `step`, `advance` to a layer, `memory`, `dump`, `finish`.

        Without arithmetic (`timing_only`) it needs no inputs and has no memory.
        """
        return self.executable().start(inputs, seed, timing_only)

    @property
    def calibrated(self) -> str | None:
        """By which method and which samples ranges were set, if they were."""
        told = self.network.module.attributes.get(CALIBRATED)
        return told.data if isinstance(told, StringAttr) else None

    @property
    def blocked(self) -> Blocked | None:
        """What independent blocks do to the outputs, if any layer runs in them."""
        return blocked_of(self.network.module)

    def report(self) -> Report:
        """The analytical cost report on the target."""
        return (self.graph or self.network).report(self.target)

    def schedule_report(self) -> ScheduleReport:
        """What each layer of an npu program moves, computes and takes, as the simulator counts, against the least it could."""
        from dnnc.scheduled import of_program

        if self.npu is None:
            raise DnncError(
                Finding("report", f"expected a program, not '{self.emit}'. Compile with emit npu.", "E0108")
            )
        return of_program(self.npu, self.network.module, self.network.name)

    def memory(self) -> MemoryMap:
        """Who lies where and when in every memory space of an npu program, or in the arena of C; and what would lower it."""
        from dnnc.backends.view.memory import memory_map
        from dnnc.passes.analysis.savings import Orders
        from dnnc.passes.analysis.spaces import spaces_of

        if self.npu is None and self.c is None:
            raise DnncError(
                Finding("memory", f"expected a program or C, not '{self.emit}'. Compile with emit npu or c.", "E0108")
            )
        if self.c is not None:
            return memory_map(f"{self.network.name}: memory of C", [self.c.arena], self.c.orders)
        layers = section_order.program(self.network.module)
        order = Orders(peak(layers, range(len(layers.tasks))), least_peak(layers, OrderPass.states))
        return memory_map(f"{self.network.name}: memory of {self.target}", spaces_of(self.network.module), order)

    def trace(self) -> Trace:
        """The trace of the last simulator run."""
        if self._trace is None:
            raise DnncError(
                Finding(
                    self.network.name, "expected a simulator run, none was made. Call run() of an npu program.", "E0118"
                )
            )
        return self._trace

    def save(self, path: str | Path, with_network: bool = False) -> list[Path]:
        """Write the output: .npu, .c and .h, or .mlir with weights; the files written.

        `with_network` keeps the network in a program, so that its runs can be checked with the file alone.
        """
        path = Path(path)
        if self.npu is not None:
            (self.carrying() if with_network else self.npu).save(path)
            return [path]
        if self.c is not None:
            from dnnc.backends.c.target import write

            return list(write(self.c, path.parent))
        self.network.save(path)
        weights = text.weights_path(path)
        return [path, weights] if weights.exists() else [path]

    def save_self_test(self, path: str | Path, cases: int = 3) -> Path:
        """Write NAME_test.c beside C files: random inputs and the outputs they must give, by the reference semantics."""
        from dnnc.backends.c.self_test import Case, write_self_test
        from dnnc.stimuli import draw_inputs

        if self.c is None:
            raise DnncError(Finding("self-test", f"expected C, not '{self.emit}'. Add --emit c.", "E0108"))
        if cases < 1:
            raise DnncError(Finding("self-test", f"expected at least 1 case, not {cases}.", "E0109"))
        inputs = [draw_inputs(self.network.module, seed) for seed in range(cases)]
        return write_self_test(self.c, [Case(x, self.network.run(*x)) for x in inputs], Path(path).parent)

    def _repr_html_(self) -> str:
        from dnnc import shown

        if self.npu is not None:
            return shown.npu_html(self.npu, self.network.name)
        if self.c is not None:
            return shown.c_html(self.c)
        return shown.ir_html(self.network.module, self.network.ctx, self.network.name)


def compile(
    model: Network | str | Path | onnx.ModelProto,
    target: str = DEFAULT_TARGET,
    emit: str = "npu",
    pipeline: str | Pipeline | None = None,
    calibrate: Samples | None = None,
    dims: Mapping[str, int] | None = None,
    after: Hook | None = None,
) -> Program:
    """Compile a network for a target.

    `emit` is npu (a binary program), c, ir or report; `pipeline` replaces the default passes, as text or as an object;
    `calibrate` gives unlabelled samples for quantization (a path to .npz or a folder, or arrays [N, ...], one for each input,
    or a `Calibration`): with them, and for a network that comes quantized, C is that of the int8 network. `after` is called
    after each pass.
    """
    if emit not in DEFAULT_PIPELINE:
        raise DnncError(Finding("emit", f"expected one of {', '.join(DEFAULT_PIPELINE)}, not '{emit}'.", "E0109"))
    network = (model if isinstance(model, Network) else load(model, dims)).clone()
    network.module.attributes[MODULE_ATTRIBUTE] = AcceleratorAttr(load_target(target))
    default = default_of(network, emit, calibrate)
    passes = Pipeline(default if pipeline is None or pipeline == "" else pipeline)
    cut = next((i for i, p in enumerate(passes) if isinstance(p, TilePass)), len(passes))
    run_passes(network, passes[:cut], calibrate, after)
    graph = network.clone()
    run_passes(network, passes[cut:], after=after)
    program = Program(network, emit, target, graph, lowering=passes[cut:])
    if emit == "c":
        from dnnc.backends.c.target import emit as emit_c

        with phase("C text"):
            program.c = emit_c(network.module, network.ctx, c_name(network.name))
    elif emit == "npu":
        from dnnc.backends.npu.target import assemble

        if not any(isinstance(op, BufferOp) for op in network.module.walk()):
            todo = "End the passes with tile,plan-memory, or write it with --emit ir."
            raise DnncError(
                Finding("main", f"expected a schedule to make a program of, not a network. {todo}", "E0448")
            )
        with phase("assemble"):
            program.npu = assemble(network.module, network.ctx)
    return program


def c_name(name: str) -> str:
    """A network's name as a C identifier."""
    word = "".join(c if c.isalnum() and c.isascii() else "_" for c in name) or "network"
    return f"_{word}" if word[0].isdigit() else word


def describe(network: Network) -> str:
    """Inputs and outputs in one line each."""
    function = main_function(network.module)
    rows = [f"input  {n}: {tensor_text(t)}" for n, t in zip(network.inputs(), function.function_type.inputs.data)]
    rows += [f"output {n}: {tensor_text(t)}" for n, t in zip(network.outputs(), function.function_type.outputs.data)]
    return "\n".join(rows)


__all__ = [
    "PIPELINES",
    "Calibration",
    "DataFreeWarning",
    "Network",
    "Program",
    "Samples",
    "compile",
    "load",
    "load_target",
]
