"""A generated program: its text, what a caller provides, and its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xdsl.ir import SSAValue

from dnnc.backends.c.api import Interface, Port
from dnnc.backends.c.data import Blob
from dnnc.ir.weights import atomic_file
from dnnc.passes.analysis.allocation import MemPlan
from dnnc.passes.analysis.savings import Orders
from dnnc.passes.analysis.spaces import Space


@dataclass(frozen=True)
class CProgram:
    """Generated text and what a caller must provide; `weights` is the content of the .bin file, if there is one.

    `arena` is what lies where in its one memory, `orders` what other orders would need; `probes` are the values a debug
    build hands out, by number.
    """

    interface: Interface
    header: str
    source: str
    weights: Blob
    plan: MemPlan
    arena: Space
    orders: Orders | None = None
    probes: tuple[SSAValue, ...] = ()

    @property
    def name(self) -> str:
        """Prefix of files and symbols."""
        return self.interface.name

    @property
    def arena_bytes(self) -> int:
        """Bytes of the arena, exactly."""
        return self.interface.arena_bytes

    @property
    def weight_bytes(self) -> int:
        """Bytes of constant data."""
        return self.interface.weight_bytes

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs in order."""
        return self.interface.inputs

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs in order."""
        return self.interface.outputs


def write(program: CProgram, directory: str | Path) -> list[Path]:
    """Write NAME.h, NAME.c and, when the weights are apart, NAME.bin; each complete or not at all."""
    directory = Path(directory)
    files = {".h": [program.header.encode()], ".c": [program.source.encode()]}
    if program.interface.weights_in_file:
        files[".bin"] = program.weights.pieces()  # pyright: ignore[reportArgumentType]
    paths = []
    for suffix, pieces in files.items():
        path = directory / f"{program.name}{suffix}"
        with atomic_file(path) as f:
            for piece in pieces:
                f.write(piece)
        paths.append(path)
    return paths
