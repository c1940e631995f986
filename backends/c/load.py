"""Compile a generated program with the system's compiler and call it on numpy arrays."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from xdsl.ir import SSAValue

from dnnc.backends.c.api import Port
from dnnc.backends.c.program import CProgram, write
from dnnc.backends.c.text import bytes_of, numpy_type
from dnnc.ir.diagnostics import DnncError, Finding, InternalError
from dnnc.ir.types import shape_of

FLAGS = ("-O3", "-march=native")
_MESSAGE = 4000  # characters of a compiler's text that are shown
_PROBE = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p)

Watch = Callable[[SSAValue, np.ndarray], None]


class Compiled:
    """A program loaded from a shared object: call it with the inputs as arrays to get the outputs as arrays."""

    def __init__(self, program: CProgram, library: Path, weights: np.ndarray | None):
        self.program = program
        self._library = ctypes.CDLL(str(library))
        self._run = self._library[f"{program.name}_run"]
        self._weights = weights
        align = program.interface.align
        memory = np.empty(program.arena_bytes + align, np.uint8)
        skip = -memory.ctypes.data % align
        self._arena = memory[skip : skip + program.arena_bytes]

    def __call__(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """Outputs of one run. Not re-entrant: the arena belongs to this object."""
        arrays = [_checked(i, p, x) for i, (p, x) in enumerate(_paired(self.program.inputs, inputs))]
        outputs = [np.empty(p.shape, p.dtype) for p in self.program.outputs]
        data = [self._weights] if self._weights is not None else []
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*data, *arrays, *outputs)]
        arena = ctypes.c_void_p(self._arena.ctypes.data)
        status = self._run(arena, ctypes.c_size_t(self._arena.nbytes), *pointers)
        if status:
            raise InternalError(Finding(f"{self.program.name}_run", f"expected status 0, not {status}.", "E0999"))
        return outputs

    def watched(self, watch: Watch, *inputs: np.ndarray) -> list[np.ndarray]:
        """Outputs of one run of a debug build (`Options.probe`); `watch` sees what each layer writes, as it is written."""

        def probe(number: int, address: int | None) -> None:
            value = self.program.probes[number]
            data = ctypes.string_at(address, bytes_of(value)) if address else b""
            watch(value, np.frombuffer(data, numpy_type(value)).reshape(shape_of(value.type)))

        pointer = ctypes.c_void_p.in_dll(self._library, f"{self.program.name}_probe")
        function = _PROBE(probe)
        pointer.value = ctypes.cast(function, ctypes.c_void_p).value
        try:
            return self(*inputs)
        finally:
            pointer.value = None


def compile_and_load(program: CProgram, cc: str = "cc", flags: Sequence[str] = FLAGS) -> Compiled:
    """Compile into a shared object in a temporary directory and load it; the directory is gone afterwards.

    A missing compiler is the user's error; text that does not compile is ours.
    """
    compiler = shutil.which(cc)
    if compiler is None:
        todo = "Install gcc or clang, or name a compiler with cc=."
        raise DnncError(
            Finding(f"C compiler '{cc}'", f"expected a program of that name on the PATH, found none. {todo}", "E0904")
        )
    with tempfile.TemporaryDirectory(prefix="dnnc-") as directory:
        source = next(p for p in write(program, directory) if p.suffix == ".c")
        library = source.with_suffix(".so")
        command = [compiler, *flags, "-shared", "-fPIC", "-o", str(library), str(source), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            text = f"expected the generated C to compile. {Path(compiler).name} says:\n{done.stderr[:_MESSAGE]}"
            raise InternalError(Finding(source.name, text, "E0999"))
        return Compiled(program, library, _weights(program))


def _weights(program: CProgram) -> np.ndarray | None:
    """The weights as the program wants them, at an aligned address; None when they are in the source."""
    if not program.interface.weights_in_file:
        return None
    memory = np.empty(program.weight_bytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    weights = memory[start : start + program.weight_bytes]
    at = 0
    for piece in program.weights.pieces():
        weights[at : at + len(piece)] = piece
        at += len(piece)
    return weights


def _paired(ports: Sequence[Port], inputs: Sequence[np.ndarray]):
    if len(ports) != len(inputs):
        raise DnncError(Finding("inputs", f"expected {len(ports)} arrays, not {len(inputs)}.", "E0121"))
    return zip(ports, inputs)


def _checked(i: int, port: Port, x: np.ndarray) -> np.ndarray:
    x = np.asarray(x)
    if x.shape != port.shape or x.dtype.name != port.dtype:
        want = f"{'x'.join(map(str, port.shape)) or 'scalar'} {port.dtype}"
        got = f"{'x'.join(map(str, x.shape)) or 'scalar'} {x.dtype}"
        raise DnncError(Finding(f"input {i} '{port.name}'", f"expected {want}, not {got}.", "E0121"))
    return np.ascontiguousarray(x)
