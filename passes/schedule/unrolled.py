"""A loop over states as its steps one after another, for machines that do not hold a whole step on chip.

%h, %y = dnn.scan [%h0], [%z], [] steps = 2 { ^bb0(%s, %t): %n = step(%s, %t) ; yield %n, %n }    ->
%h1 = step(%h0, %z[0])    %h2 = step(%h1, %z[1])    %y = reshape(concat(%h1, %h2))
"""

from __future__ import annotations

from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.movement import ConcatOp, ReshapeOp, SliceOp
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp, YieldOp
from dnnc.ir.types import shape_of
from dnnc.passes.schedule.units import into_group


def scan_of(group: GroupOp) -> ScanOp | None:
    """The loop that a group is."""
    first = group.body_ops()[0]
    return first if isinstance(first, ScanOp) else None


def unroll(group: GroupOp, scan: ScanOp) -> None:
    """Replace a group that is a loop by the groups of all its steps, in the order they are taken."""
    _Unrolled(group, scan).emit()


class _Unrolled:
    """The steps of one loop, put before its group."""

    def __init__(self, group: GroupOp, scan: ScanOp) -> None:
        self.group, self.scan = group, scan
        self.states, self.sequences, self.fixed = (
            [group.inputs[v.index] for v in values]  # pyright: ignore[reportAttributeAccessIssue]
            for values in (scan.states, scan.sequences, scan.fixed)
        )
        self.constants: dict[SSAValue, SSAValue] = {}
        self.moves: list[DnnOp] = []

    def emit(self) -> None:
        """All steps, and what they stack along the new dimension."""
        states, stacked = list(self.states), dict[int, list[SSAValue]]()
        for t in self.scan.order():
            results = self._step(t, states)
            states, stacked[t] = results[: len(states)], results[len(states) :]
        parts = zip(*(stacked[t] for t in sorted(stacked)))
        results = [*states, *(self._stack(list(values)) for values in parts)]
        for move in self.moves:
            if isinstance(move, SliceOp | ConcatOp) and not move.is_view():
                into_group([move])
        Rewriter.replace_op(self.group, [], self._returned(results))

    def _returned(self, results: list[SSAValue]) -> list[SSAValue]:
        """The results of the scan that its group gives."""
        return [results[list(self.scan.results).index(v)] for v in self.group.yielded()]  # pyright: ignore

    def _step(self, t: int, states: list[SSAValue]) -> list[SSAValue]:
        slices = [self._slice(v, t) for v in self.sequences]
        mapping = dict(self.constants)
        mapping |= dict(zip(self.scan.body.block.args, (*states, *slices, *self.fixed)))
        for op in self.scan.body.block.ops:
            if isinstance(op, YieldOp) or op.results[0] in self.constants:
                continue
            self._insert(_clone(op, mapping))
            if isinstance(op, ConstOp):
                self.constants[op.results[0]] = mapping[op.results[0]]
        return [mapping[v] for v in self.scan.yielded()]

    def _slice(self, value: SSAValue, t: int) -> SSAValue:
        shape = shape_of(value.type)
        start, size = (t, *(0 for _ in shape[1:])), (1, *shape[1:])
        part = self._move(SliceOp(value, start=start, size=size))
        return self._move(ReshapeOp(part, shape=shape[1:]))

    def _stack(self, values: list[SSAValue]) -> SSAValue:
        shape = shape_of(values[0].type)
        lines = [v if shape else self._move(ReshapeOp(v, shape=(1,))) for v in values]
        whole = lines[0] if len(lines) == 1 else self._move(ConcatOp(lines, axis=0))
        return self._move(ReshapeOp(whole, shape=(len(values), *shape)))

    def _move(self, op: DnnOp) -> SSAValue:
        op.location = self.group.location
        self.moves.append(op)
        return self._insert(op)

    def _insert(self, op: Operation) -> SSAValue:
        Rewriter.insert_op(op, InsertPoint.before(self.group))
        return op.results[0]


def _clone(op: Operation, mapping: dict[SSAValue, SSAValue]) -> Operation:
    """A copy of an operation that comes from the same places, inside too."""
    clone = op.clone(mapping)
    for old, new in zip(op.walk(), clone.walk()):
        new.location = old.location
    return clone
