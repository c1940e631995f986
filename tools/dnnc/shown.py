"""What a compiled program is, for notebooks: its ports, its sizes, and the files it is saved as."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.c.program import CProgram
from dnnc.backends.html import facts
from dnnc.backends.npu.program import Program as NpuFile
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.interpret import input_names, main_function, output_names
from dnnc.ir.text import text_of, weight_keys
from dnnc.ir.types import tensor_text
from dnnc.ir.weights import store_of

Fact = tuple[str, str, str]


def npu_html(npu: NpuFile, name: str) -> str:
    """An .npu program: its ports, instructions, memory and file."""
    ports = [(f"{s.direction} {s.name}", f"{_shape(s.shape)} {s.dtype}", "") for s in npu.symbols]
    regions = [(f"DRAM for {r.name}", f"{r.bytes:,}", "B") for r in npu.regions]
    found = [*ports, ("instructions", f"{len(npu.text):,}", ""), *regions, _file(f"{name}.npu", len(npu.to_bytes()))]
    return facts(found, f"{name}: program for {npu.target}")


def c_html(c: CProgram) -> str:
    """Portable C: its ports, memory and files."""
    ports = [(f"input {p.name}", f"{_shape(p.shape)} {p.element}", "") for p in c.inputs]
    ports += [(f"output {p.name}", f"{_shape(p.shape)} {p.element}", "") for p in c.outputs]
    sizes = [("weights", f"{c.weight_bytes:,}", "B"), ("arena", f"{c.arena_bytes:,}", "B")]
    files = [_file(f"{c.name}.h", len(c.header.encode())), _file(f"{c.name}.c", len(c.source.encode()))]
    if c.interface.weights_in_file:
        files.append(_file(f"{c.name}.bin", c.weight_bytes))
    return facts([*ports, *sizes, *files], f"{c.name}: portable C")


def ir_html(module: ModuleOp, ctx: Context, name: str) -> str:
    """IR: its ports, operations and files."""
    function, store = main_function(module), store_of(ctx)
    inputs = zip(input_names(function), function.function_type.inputs.data)
    outputs = zip(output_names(function), function.function_type.outputs.data)
    ports = [(f"input {n}", tensor_text(t), "") for n, t in inputs]
    ports += [(f"output {n}", tensor_text(t), "") for n, t in outputs]
    count = sum(isinstance(op, DnnOp) for op in module.walk())
    weights = sum(store[key].nbytes for key in weight_keys(module))
    text = len(text_of(module, locations=True).encode())
    files = [_file(f"{name}.mlir", text), _file(f"{name}.safetensors, values", weights)]
    return facts([*ports, ("operations", f"{count:,}", ""), *files], f"{name}: IR")


def _file(name: str, size: int) -> Fact:
    return f"file {name}", f"{size:,}", "B"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
