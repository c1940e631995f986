"""Laws of `dnn.storage_cast`: integers read as quantized values are quantized values from where they come.

%1 = dnn.storage_cast %x to = !q        %1 = dnn.storage_cast %x to = !q
%2 = dnn.storage_cast %1 to = i8   ->   (%2 is %x, when %x is i8)
%2 = dnn.transpose %x : i8              %2 = dnn.storage_cast %x to = !q
%3 = dnn.storage_cast %2 to = !q   ->   %3 = dnn.transpose %2 : !q

An input or output of the network that is only read or made so becomes quantized itself: `tensor<1x3xi8>` with the scale that the
network gives it.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.movement import Movement, StorageCastOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import QuantType, tensor
from dnnc.ir.weights import WeightStore


def laws(store: WeightStore) -> list[RewritePattern]:
    """Every law, in the order they are tried."""
    return [CastOfCast(), CastOfConstant(store), CastOfMove(), CastOfInput(), OutputOfCast()]


class CastOfCast(RewritePattern):
    """storage_cast(storage_cast(x)) = x, when the type is that of x again."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: StorageCastOp, rewriter: PatternRewriter, /):
        if isinstance(inner := op.x.owner, StorageCastOp) and inner.x.type == op.result.type:
            rewriter.replace(op, [], [inner.x])


@dataclass
class CastOfConstant(RewritePattern):
    """storage_cast(c) = c, the same entry of the store."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: StorageCastOp, rewriter: PatternRewriter, /):
        if isinstance(op.x.owner, ConstOp):
            rewriter.replace(op, op.x.owner.read_as(op.result.type, self.store))  # pyright: ignore[reportArgumentType]


class CastOfMove(RewritePattern):
    """storage_cast(move(x)) = move(storage_cast(x)), for one scale and a movement that adds no values of its own."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: StorageCastOp, rewriter: PatternRewriter, /):
        move, to = op.x.owner, op.to
        if not isinstance(move, DnnOp) or not isinstance(to, QuantType) or to.axis is not None or not moves(move):
            return
        own = op.element()
        casts: dict[SSAValue, StorageCastOp] = {
            v: StorageCastOp(v, to=to)
            for v in move.operands
            if v.type.element_type == own  # pyright: ignore[reportAttributeAccessIssue]
        }
        rewriter.replace(op, [*casts.values(), _on(move, casts)])


def moves(op: DnnOp) -> bool:
    """Whether an operation with one result only chooses among the elements of its operands."""
    filled = isinstance(op, Movement) and op.fill() is not None
    return op.keeps_type() and len(op.results) == 1 and bool(op.operands) and not filled


def _on(move: DnnOp, casts: dict[SSAValue, StorageCastOp]) -> Operation:
    element = next(iter(casts.values())).to
    shape = move.results[0].type.get_shape()  # pyright: ignore[reportAttributeAccessIssue]
    operands = [casts[v].result if v in casts else v for v in move.operands]
    return type(move).create(
        operands=operands,
        result_types=[tensor(element, shape)],
        properties=move.properties,
        location=move.location,
    )


class CastOfInput(RewritePattern):
    """An input that is only read as one quantized type has it."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: StorageCastOp, rewriter: PatternRewriter, /):
        x, function = op.x, op.parent_op()
        if not isinstance(x, BlockArgument) or not isinstance(function, FuncOp):
            return
        casts = [use.operation for use in x.uses]
        if all(isinstance(c, StorageCastOp) and c.to == op.to for c in casts):
            x = rewriter.replace_value_with_new_type(x, op.result.type)
            for cast in casts:
                rewriter.replace(cast, [], [x])
            function.update_function_type()


class OutputOfCast(RewritePattern):
    """An output that is the integers of a quantized value is that value."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReturnOp, rewriter: PatternRewriter, /):
        function = op.parent_op()
        if not isinstance(function, FuncOp) or not any(_integers(v) for v in op.operands):
            return
        op.operands = [v.owner.x if isinstance(v.owner, StorageCastOp) and _integers(v) else v for v in op.operands]
        function.update_function_type()
        rewriter.notify_op_modified(op)


def _integers(value: SSAValue) -> bool:
    """Whether a value is the integers of a quantized one."""
    return isinstance(value.owner, StorageCastOp) and not isinstance(value.owner.to, QuantType)
