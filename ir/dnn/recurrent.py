"""Recurrence: a body that runs once a step on states and slices; `dnnc.ir.dnn.cells` writes LSTM, GRU and RNN as such."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import UNKNOWN_LOC, LocationAttr, TensorType, UnitAttr
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, Pure

from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Int
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.structure import Types, YieldOp
from dnnc.ir.types import dtype, shape_of, tensor, tensor_text

RunBody = Callable[[list[np.ndarray]], Sequence[np.ndarray]]


@irdl_op_definition
class ScanOp(DnnOp):
    """states, y[t] = body(states, sequences[t], fixed) for t = 0 .. steps - 1, from the last step to the first under `reverse`.

    Results are the states after the last step taken, then each further value the body yields, stacked along a new first
    dimension. The body is closed from above; constants may stand in it.
    """

    name = "dnn.scan"
    states = var_operand_def(TensorType)
    sequences = var_operand_def(TensorType)
    fixed = var_operand_def(TensorType)
    steps = prop_def(Int)
    reverse = opt_prop_def(UnitAttr)
    body = region_def("single_block")
    outputs = var_result_def(TensorType)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(Pure(), IsolatedFromAbove())

    @staticmethod
    def of(
        block: Block,
        states: Sequence[SSAValue],
        sequences: Sequence[SSAValue],
        fixed: Sequence[SSAValue],
        steps: int,
        reverse: bool = False,
        location: LocationAttr | None = None,
    ) -> ScanOp:
        """A scan with a finished body, which ends in a yield."""
        last, n = block.last_op, len(states)
        assert last is not None
        results = [v.type for v in last.operands[:n]] + [_stacked(v.type, steps) for v in last.operands[n:]]
        properties: dict[str, Attribute] = {"steps": Int(steps)}
        if reverse:
            properties["reverse"] = UnitAttr()
        groups = [list(states), list(sequences), list(fixed)]
        op = ScanOp.build(operands=groups, result_types=[results], properties=properties, regions=[Region(block)])
        op.location = location or UNKNOWN_LOC
        return op

    def yielded(self) -> Sequence[SSAValue]:
        """What the body gives: the next states, then what is stacked."""
        last = self.body.block.last_op
        assert last is not None
        return last.operands

    def order(self) -> Sequence[int]:
        """The steps in the order they are taken."""
        steps = range(self.steps.data)
        return steps[::-1] if self.reverse is not None else steps

    def infer(self) -> Sequence[Attribute]:
        steps, last = self.steps.data, self.body.block.last_op
        expect(steps >= 1, "at least one step", str(steps), code="E0433")
        for v in self.sequences:
            fits = shape_of(v.type)[:1] == (steps,)
            expect(fits, f"sequences of {steps} steps along dimension 0", tensor_text(v.type), code="E0438")
        wanted = [
            *(v.type for v in self.states),
            *(slice_type(v.type) for v in self.sequences),
            *(v.type for v in self.fixed),
        ]
        args = [a.type for a in self.body.block.args]
        expect(args == wanted, lambda: f"arguments of the types {Types(wanted)}", Types(args), code="E0412")
        ends = isinstance(last, YieldOp)
        expect(ends, "a body that ends in dnn.yield", last.name if last else "an empty one", code="E0412")
        given, n = [v.type for v in self.yielded()], len(self.states)
        same = given[:n] == args[:n]
        expect(same, lambda: f"next states of the types {Types(args[:n])}", Types(given[:n]), code="E0412")
        return [*given[:n], *(_stacked(t, steps) for t in given[n:])]

    def loop(self, operands: Sequence[np.ndarray], run_body: RunBody) -> list[np.ndarray]:
        """Results from operand arrays, the body evaluated by `run_body`."""
        states, sequences, fixed = self.grouped(operands)
        n = len(states)
        stacked: list[np.ndarray] = [
            np.empty(shape_of(r.type), dtype(r.type.element_type))  # pyright: ignore[reportAttributeAccessIssue]
            for r in self.results[n:]
        ]
        for t in self.order():
            results = run_body([*states, *(x[t] for x in sequences), *fixed])
            states = list(results[:n])
            for y, value in zip(stacked, results[n:]):
                y[t] = value
        return [*states, *stacked]

    def work(self) -> Work:
        ops = [op for op in self.body.block.ops if isinstance(op, DnnOp)]
        once = sum((op.work() for op in ops), Work())
        n = self.steps.data
        return Work(once.macs * n, once.ops * n, once.elements * n)

    def print_regions(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_region(self.body)

    @classmethod
    def parse_regions(cls, parser: Parser) -> list[Any]:
        return [parser.parse_region()]


def slice_type(type_: Attribute) -> TensorType:
    """The type of one step of a sequence."""
    assert isinstance(type_, TensorType)
    return tensor(type_.element_type, shape_of(type_)[1:])


def _stacked(type_: Attribute, steps: int) -> TensorType:
    assert isinstance(type_, TensorType)
    return tensor(type_.element_type, (steps, *shape_of(type_)))
