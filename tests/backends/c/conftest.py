from __future__ import annotations

import subprocess

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue

from dnnc.backends.c.load import compile_and_load
from dnnc.backends.c.target import Options, emit, write
from dnnc.ir.context import make_context
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.types import tensor, tensor_of
from dnnc.ir.weights import store_of

SANITIZE = ("-g", "-march=native", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wvla", "-Werror")


class Net:
    """A module under construction: many small networks in one program, so that one compiler run tests them all."""

    def __init__(self, directory, sanitized=False):
        self.directory, self.sanitized = directory, sanitized
        self.ctx = make_context()
        self.block = Block()
        self.inputs: list[np.ndarray] = []
        self.outputs: list[tuple[str, SSAValue]] = []
        self.built: ModuleOp | None = None

    @property
    def store(self):
        return store_of(self.ctx)

    def input(self, array, element=None):
        """An input of an array's type, or of `element` stored as the array's."""
        array = np.asarray(array)
        self.inputs.append(array)
        type_ = tensor_of(array) if element is None else tensor(element, array.shape)
        return self.block.insert_arg(type_, len(self.block.args))

    def const(self, array, element=None):
        array = np.asarray(array)
        return self.add(ConstOp.of(array, self.store, "w", None if element is None else tensor(element, array.shape)))

    def add(self, op: Operation):
        self.block.add_op(op)
        return op.results[0]

    def group(self, *ops: Operation):
        """Add operations as one group; the group's result."""
        for op in ops:
            self.block.add_op(op)
        end = ops[-1].results[0]
        self.block.add_op(ReturnOp(end))  # a use outside, which makes it the group's result
        group, _ = GroupOp.of(ops)
        self.block.erase_op(self.block.last_op)
        for op in reversed(ops):
            self.block.erase_op(op)
        return self.add(group)

    def output(self, name, value):
        self.outputs.append((name, value))

    def module(self) -> ModuleOp:
        if self.built is None:
            values = [v for _, v in self.outputs]
            self.block.add_op(ReturnOp(*values))
            function = FuncOp("main", (list(self.block.arg_types), [v.type for v in values]), Region(self.block))
            self.built = ModuleOp([function])
            self.built.verify()
        return self.built

    def emit(self, name="net", options: Options | None = None):
        return emit(self.module(), self.ctx, name, options)

    def check(self, rtol=1e-5, atol=1e-6, options: Options | None = None):
        """Compile without a warning, run, and compare every output with the reference interpreter."""
        program = self.emit(options=options)
        if self.sanitized:
            got = run_as_process(program, self.inputs, (*SANITIZE, *STRICT), self.directory)
        else:
            got = compile_and_load(program, flags=("-O1", *STRICT))(*self.inputs)
        want = evaluate(self.module(), self.inputs, self.store)
        wrong = []
        for (name, _), g, w in zip(self.outputs, got, want):
            if g.shape != w.shape or g.dtype != w.dtype:
                wrong.append(f"{name}: {g.shape} {g.dtype}, not {w.shape} {w.dtype}")
                continue
            floats = np.issubdtype(g.dtype, np.floating)
            bad = ~np.isclose(g, w, rtol, atol, equal_nan=True) if floats else g != w
            if bad.any():
                wrong.append(f"{name}: {bad.sum()} of {bad.size}: {g[bad][:4]}, not {w[bad][:4]}")
        assert not wrong, "\n".join(wrong)
        return program


def run_as_process(program, inputs, flags, directory):
    """Outputs of a program run by a main of its own, whose buffers have exactly the bytes the header states."""
    source = next(p for p in write(program, directory) if p.suffix == ".c")
    (directory / "main.c").write_text(main_source(program))
    binary = directory / "main"
    subprocess.run(["cc", *flags, "-o", binary, source, directory / "main.c", "-lm"], check=True)
    (directory / "inputs").write_bytes(b"".join(np.ascontiguousarray(x).tobytes() for x in inputs))
    subprocess.run([binary], cwd=directory, check=True, capture_output=True, text=True)
    data, outputs, at = (directory / "outputs").read_bytes(), [], 0
    for port in program.outputs:
        outputs.append(np.frombuffer(data[at : at + port.nbytes], port.dtype).reshape(port.shape))
        at += port.nbytes
    return outputs


def main_source(program):
    """A main that reads the inputs from a file and writes the outputs to one."""
    macro = program.name.upper()
    ports = [
        (p, f"{macro}_{kind}{i}_BYTES")
        for kind, ps in (("INPUT", program.inputs), ("OUTPUT", program.outputs))
        for i, p in enumerate(ps)
    ]
    buffers = [f"    {p.c_type} *{p.parameter} = malloc({size});" for p, size in ports]
    reads = [f"    ok = fread({p.parameter}, 1, {p.nbytes}, in) == {p.nbytes} && ok;" for p in program.inputs]
    writes = [f"    ok = fwrite({p.parameter}, 1, {p.nbytes}, out) == {p.nbytes} && ok;" for p in program.outputs]
    frees = [f"    free({p.parameter});" for p, _ in ports]
    arguments = ", ".join(p.parameter for p, _ in ports)
    return "\n".join([
        "#include <stdio.h>", "#include <stdlib.h>", f'#include "{program.name}.h"', "int main(void) {",
        f"    unsigned char *memory = malloc({macro}_ARENA_BYTES + {macro}_ARENA_ALIGN);",
        "    unsigned char *arena = memory + (64 - (size_t)memory % 64) % 64;",
        "    FILE *in = fopen(\"inputs\", \"rb\"), *out = fopen(\"outputs\", \"wb\");", "    int ok = in != NULL && out != NULL;",
        *buffers, *reads, f"    ok = {program.name}_run(arena, {macro}_ARENA_BYTES, {arguments}) == {macro}_OK && ok;", *writes,
        *frees, "    free(memory);", "    fclose(in);", "    fclose(out);", "    return ok ? 0 : 1;", "}", "",
    ])  # fmt: skip


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.full)], ids=["", "sanitized"])
def net(request, tmp_path):
    return Net(tmp_path, request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def as_process(tmp_path):
    """Runs a program under the sanitizers, in a process whose buffers have exactly the bytes the header states."""
    return lambda program, *inputs: run_as_process(program, inputs, (*SANITIZE, *STRICT), tmp_path)
