"""Where each value lives: caller's buffer, weights, or the arena; values that share memory; the arena planned by liveness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xdsl.ir import SSAValue

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.text import bytes_of, numpy_type
from dnnc.backends.c.units import Enter, Graph, Leave, Unit
from dnnc.ir.dnn.movement import ConcatOp, Movement
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.allocate import plan
from dnnc.passes.analysis.allocation import Buffer, MemPlan
from dnnc.passes.analysis.strides import contiguous


@dataclass(frozen=True)
class Place:
    """Bytes of a value: `offset` from the start of the memory of `root`, and for each loop it is a slice of a step further.

    A step is the variable of the loop and the bytes of a slice.
    """

    root: SSAValue
    offset: int
    steps: tuple[tuple[str, int], ...] = ()


@dataclass
class Sharing:
    """Which values lie inside the memory of others."""

    graph: Graph
    inside: dict[SSAValue, tuple[SSAValue, int]] = field(default_factory=dict)
    views: set[int] = field(default_factory=set)  # numbers of units that need no code
    stepped: dict[SSAValue, tuple[str, int]] = field(default_factory=dict)  # slices of a loop: variable, bytes of one
    slabs: dict[int, frozenset[int]] = field(default_factory=dict)  # concat unit -> parts already in place

    def place(self, value: SSAValue) -> Place:
        """Root and offset of a value."""
        offset, steps = 0, []
        value = self.graph.resolve(value)
        while value in self.inside:
            steps += [self.stepped[value]] if value in self.stepped else []
            value, more = self.inside[value]
            value, offset = self.graph.resolve(value), offset + more
        return Place(value, offset, tuple(steps))


def share(graph: Graph) -> Sharing:
    """Views take the memory of their operand; the parts of a concat that are contiguous in it are made in place."""
    s = Sharing(graph)
    for number, unit in enumerate(graph.units):
        view = _view(unit)
        if view is not None:
            s.inside[unit.outputs[0]] = (graph.resolve(unit.head.operands[0]), view * _itemsize(unit.outputs[0]))
            s.views.add(number)
        if isinstance(unit, Enter) and not isinstance(unit, Leave):
            _share_slices(s, unit, number)
    made = {v for u in graph.units for v in u.outputs}
    for number, unit in enumerate(graph.units):
        if isinstance(unit.head, ConcatOp) and number not in s.views:
            s.slabs[number] = frozenset(_slabs(s, unit.head, unit.outputs[0], made))
    return s


def variable(number: int) -> str:
    """The variable of the loop whose head is a unit of this number."""
    return f"step{number}"


def _share_slices(s: Sharing, unit: Enter, number: int) -> None:
    """A step's slice of a sequence lies inside the sequence."""
    loop = unit.loop
    for outer, arg in zip(loop.sequences, loop.body.block.args[len(loop.states) :]):
        s.inside[arg] = (s.graph.resolve(outer), 0)
        s.stepped[arg] = (variable(number), bytes_of(arg))


def _itemsize(value: SSAValue) -> int:
    return numpy_type(value).itemsize


def _view(unit: Unit) -> int | None:
    """Offset in elements at which the result lies inside the first operand, None when it is no contiguous part of it."""
    op = unit.head
    if len(unit.ops) > 1 or not isinstance(op, Movement) or op.fill() is not None:
        return None
    parts = op.parts()
    if len(parts) != 1 or not contiguous(parts[0].read) or not contiguous(parts[0].write):
        return None
    return parts[0].read.offset


def _slabs(s: Sharing, op: ConcatOp, result: SSAValue, made: set[SSAValue]) -> Iterable[int]:
    """Parts of a concat whose operand can be written straight into the result."""
    for number, part in enumerate(op.parts()):
        value = s.graph.resolve(op.operands[part.operand])
        free = value in made and value not in s.inside and value not in s.graph.outputs
        if free and value is not result and contiguous(part.write):
            s.inside[value] = (result, part.write.offset * _itemsize(result))
            yield number


@dataclass(frozen=True)
class Memory:
    """The finished assignment: for each value its place, for each root where it is, and the arena's plan."""

    sharing: Sharing
    outputs: dict[SSAValue, int]
    plan: MemPlan
    buffers: tuple[Buffer, ...]

    def arena_offset(self, root: object) -> int:
        """Byte offset in the arena of a root value or of (unit number, scratch name)."""
        return self.plan.offsets[root]  # pyright: ignore[reportArgumentType]


def assign(graph: Graph, sharing: Sharing, kernels: dict[int, Kernel], align: int) -> Memory:
    """Outputs are written in the caller's buffers where possible; everything else is placed in the arena."""
    outputs = output_roots(graph, sharing)
    fixed = outside(graph, outputs)
    uses = _Uses(graph, sharing, kernels)
    for number, unit in enumerate(graph.units):
        if number in kernels:
            _reuse_operand(sharing, uses, unit, number, fixed)
    buffers = [
        Buffer(root, bytes_of(root), start, end + 1, align)
        for root, (start, end) in uses.spans().items()
        if root not in fixed
    ]
    for number, kernel in kernels.items():
        buffers += [Buffer((number, t.name), t.nbytes, number, number + 1, align) for t in kernel.scratches]
    return Memory(sharing, outputs, plan(buffers), tuple(buffers))


def outside(graph: Graph, outputs: Iterable[SSAValue]) -> set[SSAValue]:
    """The roots that do not lie in the arena, given those of outputs."""
    return {*graph.inputs, *graph.constants, *outputs}


def output_roots(graph: Graph, sharing: Sharing) -> dict[SSAValue, int]:
    """Roots that are a caller's output buffer: made by a unit and returned whole. Other outputs are copied at the end."""
    made = {v for u in graph.units for v in u.outputs}
    out: dict[SSAValue, int] = {}
    for i, value in enumerate(graph.outputs):
        root = sharing.place(value).root
        if root in made and root not in out and bytes_of(root) == bytes_of(value):
            out[root] = i
    return out


class _Uses:
    """First and last step at which the memory of each root is in use."""

    def __init__(self, graph: Graph, sharing: Sharing, kernels: dict[int, Kernel]):
        self.sharing = sharing
        self.first: dict[SSAValue, int] = {}
        self.last: dict[SSAValue, int] = {}
        end = len(graph.units)
        for number, unit in enumerate(graph.units):
            values: Sequence[SSAValue] = kernels[number].reads if number in kernels else ()
            for v in (*values, *(unit.outputs if number in kernels else ())):
                self._touch(sharing.place(v).root, number)
        for v in graph.outputs:
            self._touch(sharing.place(v).root, end)

    def _touch(self, root: SSAValue, step: int) -> None:
        self.first[root] = min(step, self.first.get(root, step))
        self.last[root] = max(step, self.last.get(root, step))

    def merge(self, value: SSAValue, root: SSAValue) -> None:
        """The memory of `value` becomes that of `root`."""
        self.first[root] = min(self.first[root], self.first.pop(value))
        self.last[root] = max(self.last[root], self.last.pop(value))

    def spans(self) -> dict[SSAValue, tuple[int, int]]:
        """(first, last) of each root, by first use."""
        return {r: (self.first[r], self.last[r]) for r in self.first}


def _reuse_operand(sharing: Sharing, uses: _Uses, unit: Unit, number: int, fixed: set[SSAValue]) -> None:
    """Let an elementwise unit write over an operand that nobody needs afterwards."""
    for root in overwritable(sharing, unit, fixed):
        if uses.last[root] == number:
            result = unit.outputs[0]
            sharing.inside[result] = (root, 0)
            uses.merge(result, root)
            return


def overwritable(sharing: Sharing, unit: Unit, fixed: set[SSAValue]) -> list[SSAValue]:
    """The roots of the arena an elementwise unit may write its result over once nobody needs them: read at the same place."""
    result = unit.outputs[0]
    if not unit.elementwise or result in sharing.inside or result in fixed or not bytes_of(result):
        return []
    found = []
    for value in unit.inputs:
        place = sharing.place(value)
        whole = place.offset == 0 and bytes_of(place.root) == bytes_of(result)
        alone = all(_same_walk(v, result) for v in unit.inputs if sharing.place(v).root is place.root)
        if place.root not in fixed and whole and alone:
            found.append(place.root)
    return found


def _same_walk(value: SSAValue, result: SSAValue) -> bool:
    """Whether the element read for result element i is the element at the same byte offset."""
    squeezed = tuple(d for d in shape_of(value.type) if d != 1) == tuple(d for d in shape_of(result.type) if d != 1)
    return squeezed and _itemsize(value) == _itemsize(result) and numpy_type(value) == numpy_type(result)
