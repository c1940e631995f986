"""What a compiled program is, for notebooks: its ports, its sizes, and the files it is saved as."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dnnc.backends.html import facts
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.interpret import main_function
from dnnc.ir.text import text_of, weight_keys
from dnnc.ir.types import tensor_text
from dnnc.ir.weights import store_of

if TYPE_CHECKING:
    from dnnc.api import Network, Program
    from dnnc.backends.c.program import CProgram
    from dnnc.backends.npu.program import Program as NpuFile

Fact = tuple[str, str, str]


def program_html(program: Program) -> str:
    """The facts of a program as a table."""
    network = program.network
    if program.npu is not None:
        found, what = _npu(program.npu, network.name), "program"
    elif program.c is not None:
        found, what = _c(program.c), "portable C"
    else:
        found, what = _ir(network), "IR"
    return facts(found, f"{network.name}: {what} for {program.target}")


def _npu(npu: NpuFile, name: str) -> list[Fact]:
    ports = [(f"{s.direction} {s.name}", f"{_shape(s.shape)} {s.dtype}", "") for s in npu.symbols]
    regions = [(f"DRAM for {r.name}", f"{r.bytes:,}", "B") for r in npu.regions]
    return [*ports, ("instructions", f"{len(npu.text):,}", ""), *regions, _file(f"{name}.npu", len(npu.to_bytes()))]


def _c(c: CProgram) -> list[Fact]:
    ports = [(f"input {p.name}", f"{_shape(p.shape)} {p.element}", "") for p in c.inputs]
    ports += [(f"output {p.name}", f"{_shape(p.shape)} {p.element}", "") for p in c.outputs]
    sizes = [("weights", f"{c.weight_bytes:,}", "B"), ("arena", f"{c.arena_bytes:,}", "B")]
    files = [_file(f"{c.name}.h", len(c.header.encode())), _file(f"{c.name}.c", len(c.source.encode()))]
    if c.interface.weights_in_file:
        files.append(_file(f"{c.name}.bin", c.weight_bytes))
    return [*ports, *sizes, *files]


def _ir(network: Network) -> list[Fact]:
    function, store = main_function(network.module), store_of(network.ctx)
    named: list[tuple[str, Callable[[], list[str]], list]] = [
        ("input", network.inputs, list(function.function_type.inputs.data)),
        ("output", network.outputs, list(function.function_type.outputs.data)),
    ]
    ports = [(f"{kind} {n}", tensor_text(t), "") for kind, names, types in named for n, t in zip(names(), types)]
    count = sum(isinstance(op, DnnOp) for op in network.module.walk())
    weights = sum(store[key].nbytes for key in weight_keys(network.module))
    text = len(text_of(network.module, locations=True).encode())
    files = [_file(f"{network.name}.mlir", text), _file(f"{network.name}.safetensors, values", weights)]
    return [*ports, ("operations", f"{count:,}", ""), *files]


def _file(name: str, size: int) -> Fact:
    return f"file {name}", f"{size:,}", "B"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
