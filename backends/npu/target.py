"""The npu target: a scheduled module assembled into a program, and run with the host's share before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from xdsl.context import Context
from xdsl.dialects.builtin import MemRefType, ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute
from xdsl.parser import Parser

from dnnc.backends.npu.catalog import target_of
from dnnc.backends.npu.encoding import Words, encode
from dnnc.backends.npu.flow import KEY, flow_of
from dnnc.backends.npu.iss import Run, Simulator
from dnnc.backends.npu.loaded import Loaded
from dnnc.backends.npu.program import REGIONS, Program, Region, Symbol
from dnnc.backends.npu.queues import Event
from dnnc.backends.npu.select import select
from dnnc.backends.npu.tokens import Row, synchronise
from dnnc.backends.npu.verify import check
from dnnc.ir.arch import Accelerator, of_module
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import Collector, DnncError, Finding, where
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import input_names, output_names, run_block
from dnnc.ir.sched import BufferOp
from dnnc.ir.types import dtype, tensor
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.footprint import buffer_bytes, tile_bytes

HOST = ("prologue", "epilogue")


def assemble(module: ModuleOp, ctx: Context) -> Program:
    """The verified program of a module after `plan-memory`; constants come from the context's weight store."""
    arch, store = of_module(module), store_of(ctx)
    selection = select(module, arch)
    synchronise(selection.rows, arch.queues.token_depth)
    buffers = [op for op in module.walk() if isinstance(op, BufferOp) and not op.on_chip]
    sizes = [_region_bytes(buffers, name) for name in REGIONS]
    host = {name: _host_text(f) for name in HOST if (f := _function(module, name)) is not None}
    program = Program(
        arch.name,
        arch.digest,
        encode_rows(selection.rows),
        _image(buffers, "weights", sizes[0], store),
        _image(buffers, "parameters", sizes[1], store),
        tuple(Region(name, size) for name, size in zip(REGIONS, sizes) if size or name != "spill"),
        tuple(symbol(b) for b in buffers if b.space.data in ("inputs", "outputs")),
        selection.tags,
        {**host, KEY: flow_of(module).to_dict()},
    )
    check(program, arch)
    return program


def _function(module: ModuleOp, name: str) -> FuncOp | None:
    return next((op for op in module.body.block.ops if isinstance(op, FuncOp) and op.sym_name.data == name), None)


def _host_text(function: FuncOp) -> str:
    """The text of a host function, which the program file carries; constants outside the text have no place there."""
    problems = Collector()
    for op in function.walk():
        if isinstance(op, ConstOp) and op.key is not None:
            uses = ", ".join(dict.fromkeys(where(u.operation.location, u.operation.name) for u in op.result.uses))
            text = f"a float island without weights was expected, not one with '{op.key.data}'"
            problems.refuse(uses, f"{text}. Quantize it or use the c target.", "E0809")
    problems.raise_if_any()
    return str(function)


def encode_rows(rows: Sequence[Row]) -> Words:
    """The words of the rows, each kind of instruction encoded at once."""
    words = np.zeros((len(rows), 4), np.uint32)
    kinds: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        kinds.setdefault(row.instruction.name, []).append(i)
    for places in kinds.values():
        chosen = [rows[i] for i in places]
        header = {name: [getattr(r, name) for r in chosen] for name in ("engine", "wait", "signal", "tag")}
        instruction = chosen[0].instruction
        fields = {f.name: [r.fields.get(f.name, f.default) for r in chosen] for f in instruction.fields}
        words[places] = encode(instruction, **header, **fields)
    return words


def _region_bytes(buffers: Sequence[BufferOp], space: str) -> int:
    return max((_offset(b) + buffer_bytes(b) for b in buffers if b.space.data == space), default=0)


def _offset(buffer: BufferOp) -> int:
    if buffer.offset is None:
        where = f"buffer {buffer.label.data!r}"
        raise DnncError(
            Finding(where, "an offset was expected, there is none. Run plan-memory before assembling.", "E0810")
        )
    return buffer.offset.data


def _image(buffers: Sequence[BufferOp], space: str, size: int, store: WeightStore) -> bytes:
    """The bytes of a constant region."""
    image = np.zeros(size, np.uint8)
    for b in buffers:
        if b.space.data == space and b.constant is not None:
            data = np.ascontiguousarray(store[b.constant.data]).reshape(-1).view(np.uint8)
            image[_offset(b) : _offset(b) + tile_bytes(b)] = data
    return image.tobytes()


def symbol(buffer: BufferOp) -> Symbol:
    """Where a placed DRAM buffer lies, and what it holds."""
    type_ = buffer.result.type
    assert isinstance(type_, MemRefType)
    shape, element = type_.get_shape(), type_.element_type
    direction = {"inputs": "input", "outputs": "output"}.get(buffer.space.data, buffer.space.data)
    number = REGIONS.index(buffer.space.data)
    return Symbol(
        buffer.label.data, direction, number, _offset(buffer), shape, dtype(element).name, str(tensor(element, shape))
    )


class Executable:
    """A program with its host functions: takes and gives the network's own arrays."""

    def __init__(self, program: Program, arch: Accelerator | None = None) -> None:
        self.program, self.arch = program, arch
        self.store = WeightStore()
        self.host = {name: self._parse(name) for name in HOST if name in program.metadata}

    @cached_property
    def _loaded(self) -> Loaded:
        return Loaded.of(self.program, self.arch or target_of(self.program))

    def inputs(self) -> list[str]:
        """Names of what `run` takes."""
        return input_names(self.host["prologue"]) if "prologue" in self.host else self._symbols("input")

    def outputs(self) -> list[str]:
        """Names of what `run` gives."""
        return output_names(self.host["epilogue"]) if "epilogue" in self.host else self._symbols("output")

    def _symbols(self, direction: str) -> list[str]:
        return [s.name for s in self.program.symbols if s.direction == direction]

    def input_types(self) -> tuple[Attribute, ...]:
        """Tensor types of what `run` takes: the prologue's arguments, or the program's own inputs."""
        if "prologue" in self.host:
            return self.host["prologue"].function_type.inputs.data
        types = (s.type for s in self.program.symbols if s.direction == "input")
        return tuple(Parser(make_context(), t, "symbol").parse_type() for t in types)

    def _parse(self, name: str) -> FuncOp:
        text = self.program.metadata[name]
        module = Parser(make_context(self.store), text, f"@{name}").parse_module()
        return next(op for op in module.body.block.ops if isinstance(op, FuncOp))

    def _call(self, name: str, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        function = self.host.get(name)
        if function is None:
            return list(arrays)
        with threadpool_limits(1, "blas"):  # the bits of the interpreter
            return run_block(function.body.block, arrays, self.store)

    def run(
        self,
        inputs: Sequence[NDArray[Any]],
        seed: int | None = None,
        timing_only: bool = False,
        watch: Callable[[Simulator, Event], None] | None = None,
    ) -> tuple[list[NDArray[Any]], Run]:
        """(the network's outputs, the run) on the simulator; `watch` sees it after each instruction."""
        return self.finish(self.start(inputs, seed, timing_only), watch)

    def start(
        self, inputs: Sequence[NDArray[Any]] = (), seed: int | None = None, timing_only: bool = False
    ) -> Simulator:
        """The simulator at the first instruction, with what the host makes of the inputs in its memory."""
        simulator = Simulator(self._loaded, seed=seed, timing_only=timing_only)
        names = [s.name for s in self.program.symbols if s.direction == "input"]
        made = [] if timing_only else self._call("prologue", inputs)
        simulator.start(dict(zip(names, made)))
        simulator.kept = made[len(names) :]
        return simulator

    def finish(
        self, simulator: Simulator, watch: Callable[[Simulator, Event], None] | None = None
    ) -> tuple[list[NDArray[Any]], Run]:
        """(the network's outputs, the run) once what is left of the program is executed."""
        run = simulator.finish(watch)
        if simulator.timing_only:
            return [], run
        return self._call("epilogue", [*run.outputs.values(), *simulator.kept]), run
