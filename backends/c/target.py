"""The C backend: a dnn module in, a C99 source file, its header and its weights out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import SSAValue

from dnnc.backends.c import api
from dnnc.backends.c.arena import arena_of
from dnnc.backends.c.data import Blob, weights_source
from dnnc.backends.c.kernel import Kernel, Scratch
from dnnc.backends.c.load import Compiled, compile_and_load
from dnnc.backends.c.order import least, reordered
from dnnc.backends.c.program import CProgram, write
from dnnc.backends.c.runtime import runtime_for
from dnnc.backends.c.select import check_supported, kernels_of
from dnnc.backends.c.storage import Memory, Place, Sharing, assign, share, variable
from dnnc.backends.c.text import bytes_of, c_type, identifier, size_of
from dnnc.backends.c.units import Enter, Graph, Leave, Unit, graph_of
from dnnc.ir.diagnostics import where
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.types import QuantType, is_float, tensor_text
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.savings import Orders

__all__ = ["CProgram", "Compiled", "Options", "compile_and_load", "emit", "write"]

_INLINE = 16 << 20  # bytes of weights a compiler reads in about a second


@dataclass(frozen=True)
class Options:
    """`weights`: in the source file, in a binary file, or (auto) in a file above 16 MB; `align`: of buffers, in bytes.

    `probe` makes a debug build: after each layer it hands what the layer wrote to the function `NAME_probe` points to.
    """

    weights: Literal["auto", "inline", "file"] = "auto"
    align: int = 64
    probe: bool = False


def emit(module: ModuleOp, ctx: Context, name: str, options: Options | None = None) -> CProgram:
    """The C program of a module's @main; raises UnsupportedError naming all that has no C form.

    `name` becomes the prefix of files and symbols, as a C identifier.
    """
    options = options or Options()
    graph = graph_of(module)
    check_supported(graph)
    writer = _Writer(graph, store_of(ctx), identifier(name), options)
    return writer.program(module)


class _Writer:
    """Puts the parts of one program together."""

    def __init__(self, graph: Graph, store: WeightStore, name: str, options: Options):
        self.graph, self.store, self.name, self.options = graph, store, name, options
        self.blob = Blob()
        self.stored: dict[SSAValue, int] = {}
        self.sharing, self.kernels, self.memory = self._laid_out(graph)
        self.best = least(graph, self.kernels)
        if self.best is not None and self.best.order != tuple(range(len(graph.units))):
            self._reorder(reordered(graph, self.best.order))

    def _reorder(self, graph: Graph) -> None:
        """Take another order when its arena is smaller."""
        found = self._laid_out(graph)
        if found[2].plan.peak < self.memory.plan.peak:
            self.graph = graph
            self.sharing, self.kernels, self.memory = found

    def _laid_out(self, graph: Graph) -> tuple[Sharing, dict[int, Kernel], Memory]:
        """What lies in what, the functions, and the arena."""
        sharing = share(graph)
        kernels = kernels_of(graph, sharing.views, sharing.slabs, self.array)
        return sharing, kernels, assign(graph, sharing, kernels, self.options.align)

    def array(self, value: SSAValue) -> np.ndarray | None:
        """The elements of a constant."""
        op = self.graph.constants.get(value)
        if op is None:
            return None
        return op.array(self.store) if isinstance(op, ConstOp) else op.run([np.empty(0)])[0]

    def program(self, module: ModuleOp) -> CProgram:
        """The finished program."""
        functions, calls, loops = [], [], Loops()
        probes: list[SSAValue] = []
        for number, kernel in self.kernels.items():
            unit = kernel.unit
            if isinstance(unit, Enter):
                calls += self._loop(number, kernel, unit, loops)
                if self.options.probe and isinstance(unit, Leave) and not loops.open:
                    calls += self._probes(unit.stacked, probes)
            elif kernel.code.lines:
                function = f"{self.name}_{number}_{identifier(kernel.unit.head.name.removeprefix('dnn.'))}"
                functions += ["", *_comments(kernel.unit), *self._function(kernel, function)]
                calls.append(loops.indent(self._call(number, kernel, function)))
                if self.options.probe and not loops.open:
                    calls += self._probes(unit.outputs, probes)
        calls += self._output_copies()
        ports = self._ports(main_function(module))
        macs = sum(op.work().macs for op in main_function(module).body.block.ops if isinstance(op, DnnOp))
        size = self.blob.nbytes
        in_file = self.options.weights == "file" or (self.options.weights == "auto" and size > _INLINE)
        exact = all(_exact(op) for unit in self.graph.units for op in unit.ops)
        memory = self.memory.plan.peak, self.options.align
        interface = api.Interface(self.name, *ports, *memory, size, in_file, macs, exact)
        source = self._source(interface, functions, calls)
        arena, plan = arena_of(self.graph, self.memory), self.memory.plan
        orders = Orders(plan.lower_bound, self.best) if self.best else None
        return CProgram(interface, api.header(interface), source, self.blob, plan, arena, orders, tuple(probes))

    def _source(self, interface: api.Interface, functions: list[str], calls: list[str]) -> str:
        data = (
            []
            if interface.weights_in_file or not self.blob.nbytes
            else [
                "",
                *weights_source(self.blob, f"{interface.macro}_WEIGHT_ATTRIBUTE"),
            ]
        )
        body = "\n".join([*functions, "", *api.run_source(interface, calls)])
        top = [
            f"/* {self.name}.c - generated by dnnc. See {self.name}.h. */",
            f'#include "{self.name}.h"',
            "#include <math.h>",
            "#include <string.h>",
            *([f"void (*{self.name}_probe)(int, const void *);"] if self.options.probe else []),
        ]
        return "\n".join([*top, *data]) + "\n" + runtime_for(body) + body + "\n"

    def _function(self, kernel: Kernel, name: str) -> list[str]:
        shared = self._shared(kernel)
        aliases = [f"    const {c_type(v)} *x{i} = y0;" for i, v in enumerate(kernel.reads) if v in shared]
        parameters = ", ".join(kernel.parameters(shared))
        wide = "DNNC_WIDE " if _narrow(kernel.unit) else ""
        return [f"{wide}static void {name}({parameters})", "{", *aliases, *kernel.code.lines, "}"]

    def _shared(self, kernel: Kernel) -> list[SSAValue]:
        """Operands that lie exactly where the result is written."""
        place = self.sharing.place
        return [v for v in kernel.reads if any(place(v) == place(y) for y in kernel.unit.outputs)]

    def _call(self, number: int, kernel: Kernel, function: str) -> str:
        shared = self._shared(kernel)
        arguments = [self._pointer(v, "") for v in kernel.unit.outputs]
        arguments += [self._pointer(v, "const ") for v in kernel.reads if v not in shared]
        arguments += [self._weights(self.blob.add(a), api.C_TYPES[a.dtype.name]) for a in kernel.constants]
        arguments += [self._scratch(number, scratch) for scratch in kernel.scratches]
        return f"    {function}({', '.join(arguments)});"

    def _loop(self, number: int, kernel: Kernel, unit: Enter, loops: Loops) -> list[str]:
        """The head or the end of a loop, with the copies of its states and of what it stacks."""
        loop, n = unit.loop, len(unit.states)
        if not isinstance(unit, Leave):
            lines = [loops.indent(f"    {api.title(_described(loop))}")]
            lines += [loops.indent(self._copy(arg, init)) for arg, init in zip(unit.states, loop.states)]
            loops.open.append(number)
            i, steps = variable(number), loop.steps.data
            up, down = f"{i} = 0; {i} < {steps}; ++{i}", f"{i} = {steps - 1}; {i} >= 0; --{i}"
            return [*lines, loops.indent(f"for (int32_t {down if loop.reverse is not None else up}) {{")]
        lines = self._stacking(unit, variable(loops.open[-1]), loop.yielded()[n:])
        saved = {v: s for v, s in zip(unit.handed_on, kernel.scratches)}
        for v, scratch in saved.items():
            lines.append(
                f"    memcpy({self._scratch(number, scratch)}, {self._pointer(v, 'const ')}, {scratch.nbytes}u);"
            )
        for arg, value in zip(unit.states, loop.yielded()):
            lines.append(self._copy(arg, value, self._scratch(number, saved[value]) if value in saved else ""))
        lines = [loops.indent(line) for line in lines if line]
        loops.open.pop()
        return [*lines, loops.indent("    }")]

    def _stacking(self, unit: Enter, step: str, values: Sequence[SSAValue]) -> list[str]:
        pairs = [(y, v) for y, v in zip(unit.stacked, values) if bytes_of(v)]
        return [
            f"    memcpy({self._pointer(y, '')} + (size_t){step} * {size_of(v.type)}u, "
            f"{self._pointer(v, 'const ')}, {bytes_of(v)}u);"
            for y, v in pairs
        ]

    def _copy(self, to: SSAValue, value: SSAValue, source: str = "") -> str:
        """A copy between values of one type, or from where the value was saved."""
        source = source or self._pointer(value, "const ")
        return f"    memcpy({self._pointer(to, '')}, {source}, {bytes_of(to)}u);" if bytes_of(to) else ""

    def _probes(self, values: Sequence[SSAValue], probes: list[SSAValue]) -> list[str]:
        """Calls that hand out what has just been written, numbered on."""
        lines = []
        for value in values:
            probe = f"{self.name}_probe"
            lines.append(f"    if ({probe} != NULL) {{ {probe}({len(probes)}, {self._pointer(value, 'const ')}); }}")
            probes.append(value)
        return lines

    def _scratch(self, number: int, scratch: Scratch) -> str:
        return f"({scratch.element} *)(void *)(a + {self.memory.arena_offset((number, scratch.name))})"

    def _pointer(self, value: SSAValue, const: str) -> str:
        if not bytes_of(value):
            return "NULL"
        place = self.sharing.place(value)
        root, element = place.root, c_type(value)
        if root in self.graph.constants:
            return self._weights(f"{self._constant(root) + place.offset}{_steps(place, 1)}", element)
        if root in self.graph.inputs or root in self.memory.outputs:
            direct = (
                f"in{self.graph.inputs.index(root)}" if root in self.graph.inputs else f"out{self.memory.outputs[root]}"
            )
            same = c_type(root) == element
            size = np.dtype(api.numpy_type(root)).itemsize
            step = f"{place.offset // size}{_steps(place, size)}"
            text = direct if step == "0" else f"{direct} + {step}"
            return text if same else f"({const}{element} *)(const void *)({text})"
        return f"({const}{element} *)(void *)(a + {self.memory.arena_offset(root) + place.offset}{_steps(place, 1)})"

    def _constant(self, root: SSAValue) -> int:
        if root not in self.stored:
            array = self.array(root)
            assert array is not None
            self.stored[root] = self.blob.add(array)
        return self.stored[root]

    def _weights(self, offset: int | str, element: str) -> str:
        return f"(const {element} *)(const void *)(w + {offset})"

    def _output_copies(self) -> list[str]:
        """Copies into the outputs that are not written in place."""
        lines = []
        for i, value in enumerate(self.graph.outputs):
            size = bytes_of(value)
            if self.memory.outputs.get(self.sharing.place(value).root) != i and size:
                lines.append(f"    memcpy(out{i}, {self._pointer(value, 'const ')}, {size}u);")
        return lines

    def _ports(self, function: FuncOp) -> tuple[tuple[api.Port, ...], tuple[api.Port, ...]]:
        ins, outs = function.body.block.args, self.graph.outputs
        names = _names(function.arg_attrs, "input", len(ins)), _names(function.res_attrs, "output", len(outs))
        return (
            tuple(api.Port.of(v, f"in{i}", name) for i, (v, name) in enumerate(zip(ins, names[0]))),
            tuple(api.Port.of(v, f"out{i}", name) for i, (v, name) in enumerate(zip(outs, names[1]))),
        )


@dataclass
class Loops:
    """The loops a call stands in, by the numbers of their heads, outermost first."""

    open: list[int] = field(default_factory=list)

    def indent(self, line: str) -> str:
        """A line at the depth of what it stands in."""
        return "    " * len(self.open) + line


def _steps(place: Place, unit: int) -> str:
    """What the steps of loops add to an offset, in units of so many bytes."""
    return "".join(f" + (size_t){v} * {size // unit}u" for v, size in place.steps)


def _names(attributes: ArrayAttr[DictionaryAttr] | None, kind: str, count: int) -> list[str]:
    """The names a model gives its inputs or outputs, `input0` and so on where it gives none."""
    given = [a.data.get("dnn.name") for a in attributes] if attributes is not None else [None] * count
    return [n.data if isinstance(n, StringAttr) else f"{kind}{i}" for i, n in enumerate(given)]


def _narrow(unit: Unit) -> bool:
    """Whether a unit is one loop over quantized elements, which is left to the compiler to vectorise."""
    return unit.elementwise and isinstance(unit.outputs[0].type.element_type, QuantType)  # pyright: ignore


def _exact(op: DnnOp) -> bool:
    """Whether an operation has one result on every machine: of integers, or one rounding of floats, or none."""
    real = any(is_float(v.type.element_type) for v in op.results)  # pyright: ignore[reportAttributeAccessIssue]
    return not real or isinstance(op, (DequantizeOp, Movement))


def _comments(unit: Unit) -> list[str]:
    return [api.title(_described(op)) for op in unit.ops]


def _described(op: DnnOp) -> str:
    operands: Sequence[str] = [tensor_text(v.type) for v in op.operands]
    results = ", ".join(tensor_text(v.type) for v in op.results)
    place = where(op.location)
    return (
        f"{place}: {op.name} ({', '.join(operands)}) -> {results}"
        if place
        else (f"{op.name} ({', '.join(operands)}) -> {results}")
    )
