"""One C function while it is written: its parameters, constants, scratch memory and body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.ir import SSAValue

from dnnc.backends.c.text import C_TYPES, Code, c_type
from dnnc.backends.c.units import Graph, Unit


@dataclass(frozen=True)
class Scratch:
    """Arena memory that lives during one function."""

    name: str
    element: str
    nbytes: int


@dataclass
class Kernel:
    """The function of a unit. Operands are read through `x`, results written through `y`."""

    unit: Unit
    graph: Graph
    array: Callable[[SSAValue], np.ndarray | None]
    code: Code = field(default_factory=Code)
    reads: list[SSAValue] = field(default_factory=list)
    constants: list[np.ndarray] = field(default_factory=list)
    scratches: list[Scratch] = field(default_factory=list)

    def x(self, value: SSAValue) -> str:
        """The parameter that points to an operand."""
        value = self.graph.resolve(value)
        if value not in self.reads:
            self.reads.append(value)
        return f"x{self.reads.index(value)}"

    def y(self, i: int = 0) -> str:
        """The parameter that points to a result."""
        return f"y{i}"

    def constant(self, array: np.ndarray) -> str:
        """A parameter that points to data made at compile time, kept with the weights."""
        self.constants.append(np.ascontiguousarray(array))
        return f"k{len(self.constants) - 1}"

    def scratch(self, elements: int, dt: np.dtype | type = np.float32) -> str:
        """A parameter that points to memory of the arena, uninitialised."""
        dt = np.dtype(dt)
        name = f"t{len(self.scratches)}"
        self.scratches.append(Scratch(name, C_TYPES[dt.name], elements * dt.itemsize))
        return name

    def value(self, operand: SSAValue) -> np.ndarray | None:
        """The elements of an operand that is constant, else None."""
        return self.array(self.graph.resolve(operand))

    def parameters(self, shared: Sequence[SSAValue]) -> list[str]:
        """Declarations, results first; operands that share the memory of a result are not among them."""
        out = [f"{c_type(v)} *{'' if shared else 'restrict '}y{i}" for i, v in enumerate(self.unit.outputs)]
        out += [
            f"const {c_type(v)} *{'' if shared else 'restrict '}x{i}"
            for i, v in enumerate(self.reads)
            if v not in shared
        ]
        out += [f"const {C_TYPES[a.dtype.name]} *k{i}" for i, a in enumerate(self.constants)]
        return out + [f"{s.element} *{s.name}" for s in self.scratches]
