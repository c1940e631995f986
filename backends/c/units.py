"""What becomes one C function: an operation, or inside a group a contraction with the elementwise operations after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from dnnc.ir.dnn.attributes import normal_axis
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.bitwise import BitContraction, BitConvOp
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import Elementwise
from dnnc.ir.dnn.integer import InterpolateOp, QMulOp, Sum, TableOp
from dnnc.ir.dnn.movement import Movement, ShapeOp
from dnnc.ir.dnn.quantize import Conversion, RequantizeOp
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.rescale import RequantShiftOp, ThresholdOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp, YieldOp
from dnnc.ir.interpret import main_function
from dnnc.ir.packed import PackedType
from dnnc.ir.types import F32, QuantType, bits, dtype, shape_of

MOST_THRESHOLDS = 64
_TAKES_TAIL = (ConvOp, ConvTransposeOp, MatmulOp, BitContraction)


@dataclass
class Unit:
    """Operations that run in one loop nest: a head, then elementwise operations each on the result before it."""

    ops: list[DnnOp]
    inputs: list[SSAValue]

    @property
    def head(self) -> DnnOp:
        """The first operation."""
        return self.ops[0]

    @property
    def tail(self) -> list[Elementwise]:
        """What is applied to each element of the head's result."""
        return [op for op in self.ops[1:] if isinstance(op, Elementwise)]

    @property
    def outputs(self) -> Sequence[SSAValue]:
        """What the last operation gives."""
        return self.ops[-1].results

    @property
    def elementwise(self) -> bool:
        """Whether every operation works element by element."""
        return all(pointwise(op) for op in self.ops)


@dataclass
class Enter(Unit):
    """The head of a loop: its states come to life here, and what it stacks."""

    @property
    def loop(self) -> ScanOp:
        """The scan the loop stands for."""
        op = self.head
        assert isinstance(op, ScanOp)
        return op

    @property
    def states(self) -> Sequence[SSAValue]:
        """The states as the body reads them; the loop's last states are found there too."""
        return self.loop.body.block.args[: len(self.loop.states)]

    @property
    def stacked(self) -> Sequence[SSAValue]:
        """Results that get an element of every step."""
        return self.loop.results[len(self.loop.states) :]

    @property
    def outputs(self) -> Sequence[SSAValue]:
        return [*self.states, *self.stacked]


class Leave(Enter):
    """The end of a loop's body: the next states are taken over, stacked values put in place."""

    @property
    def handed_on(self) -> list[SSAValue]:
        """Next states that are a state as it was, or a part of one: saved before any state is written."""
        nexts = self.loop.yielded()[: len(self.loop.states)]
        return [v for v in nexts if isinstance(v.owner, (Block, Movement))]


def pointwise(op: DnnOp) -> bool:
    """Whether an element of the result depends on one element of each operand, tables and constants aside."""
    if isinstance(op, ThresholdOp):  # written out one by one, so few
        return op.shape(1)[1] <= MOST_THRESHOLDS
    return isinstance(op, (Elementwise, Conversion, Sum, QMulOp, TableOp, InterpolateOp, RequantShiftOp))


@dataclass
class Graph:
    """A module flattened: inputs, constants, units in order, outputs. Groups are opened; values are those inside."""

    inputs: list[SSAValue]
    outputs: list[SSAValue] = field(default_factory=list)
    constants: dict[SSAValue, ConstOp | ShapeOp] = field(default_factory=dict)
    units: list[Unit] = field(default_factory=list)
    alias: dict[SSAValue, SSAValue] = field(default_factory=dict)

    def resolve(self, value: SSAValue) -> SSAValue:
        """The value that stands for another one outside its group."""
        while value in self.alias:
            value = self.alias[value]
        return value

    def resolved(self, values: Iterable[SSAValue]) -> list[SSAValue]:
        """`resolve` for each value."""
        return [self.resolve(v) for v in values]


def graph_of(module: ModuleOp) -> Graph:
    """The units of a module's @main."""
    block = main_function(module).body.block
    graph = Graph(list(block.args))
    for op in block.ops:
        if isinstance(op, ReturnOp):
            graph.outputs = graph.resolved(op.operands)
        else:
            _add(graph, op)
    return graph


def _add(graph: Graph, op: Operation, group: dict[SSAValue, Unit] | None = None) -> None:
    if isinstance(op, (ConstOp, ShapeOp)):
        graph.constants[op.result] = op
    elif isinstance(op, GroupOp):
        _add_group(graph, op)
    elif isinstance(op, ScanOp):
        _add_loop(graph, op)
    elif isinstance(op, DnnOp):
        unit = _host(graph, op, group) if group else None
        if unit is None:
            unit = Unit([op], _distinct(graph.resolved(op.operands)))
            graph.units.append(unit)
        else:
            result = unit.outputs[0]
            unit.ops.append(op)
            unit.inputs = _distinct([*unit.inputs, *(v for v in graph.resolved(op.operands) if v is not result)])
        if group is not None:
            group.update((r, unit) for r in op.results)


def _add_group(graph: Graph, op: GroupOp) -> None:
    body: Block = op.body.block
    graph.alias.update(zip(body.args, op.inputs))
    made: dict[SSAValue, Unit] = {}
    for inner in body.ops:
        if isinstance(inner, YieldOp):
            graph.alias.update(zip(op.outputs, inner.operands))
        else:
            _add(graph, inner, made)


def _add_loop(graph: Graph, op: ScanOp) -> None:
    body: Block = op.body.block
    outside, n = graph.resolved(op.operands), len(op.states) + len(op.sequences)
    graph.alias.update(zip(body.args[n:], outside[n:]))
    graph.alias.update(zip(op.results, body.args[: len(op.states)]))
    entered = Enter([op], _distinct(outside))
    graph.units.append(entered)
    for inner in body.ops:
        if not isinstance(inner, YieldOp):
            _add(graph, inner)
    # Read at the end of every step, so that no memory of the loop goes to what lives for less.
    alive = [*outside, *entered.outputs, *op.yielded()]
    graph.units.append(Leave([op], _distinct(graph.resolved(alive))))


def _host(graph: Graph, op: DnnOp, group: dict[SSAValue, Unit]) -> Unit | None:
    """The unit of the group that can take `op` as its next step: it made one operand, which nobody else reads."""
    if not pointwise(op) and not isinstance(op, ThresholdOp):
        return None
    for value in op.operands:
        unit = group.get(value)
        if unit is not None and _takes(graph, unit, value, op):
            return unit
    return None


def _takes(graph: Graph, unit: Unit, value: SSAValue, op: DnnOp) -> bool:
    fused = (unit.elementwise and pointwise(op)) or (isinstance(unit.head, _TAKES_TAIL) and _follows(unit, op))
    alone = value is unit.outputs[0] and len({u.operation for u in value.uses}) == 1
    same = shape_of(value.type) == shape_of(op.results[0].type)
    if not (fused and alone and same):
        return False
    later = {r for other in graph.units[graph.units.index(unit) + 1 :] for r in other.outputs}
    return not any(v in later for v in graph.resolved(op.operands))


def _follows(unit: Unit, op: DnnOp) -> bool:
    """Whether a contraction's unit goes on with `op`: of floats any, of integers a requantize, then values of one width."""
    if not isinstance(unit.head.element(), QuantType | PackedType):
        return unit.head.element() == F32 and isinstance(op, Elementwise)
    if len(unit.ops) == 1:
        return isinstance(op, RequantizeOp) or _counted(unit.head, op)
    return _kind(op.results[0]) == _kind(unit.outputs[0])


def _counted(head: DnnOp, op: DnnOp) -> bool:
    """Whether thresholds of the channels make bytes of the sums of a contraction."""
    if not isinstance(op, ThresholdOp) or isinstance(head, ConvTransposeOp):
        return False
    rank = len(op.shape())
    channels = 1 if isinstance(head, ConvOp | BitConvOp) else rank - 1
    return bits(op.to) == 8 and normal_axis(op.axis.data, rank) == channels and op.shape(1)[1] > 0


def _kind(value: SSAValue) -> np.dtype:
    return dtype(value.type.element_type)  # pyright: ignore[reportAttributeAccessIssue]


def _distinct(values: Iterable[SSAValue]) -> list[SSAValue]:
    return list(dict.fromkeys(values))
