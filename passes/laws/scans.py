"""Laws of loops: what never changes belongs to the body, what nobody reads is not stacked."""

from __future__ import annotations

from xdsl.ir import Block
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.structure import ConstOp


def laws() -> list[RewritePattern]:
    """The laws of loops, in the order they are tried."""
    return [ConstantEntersScan(), UnreadIsNotStacked()]


def detached(op: ScanOp) -> Block:
    """The body of a scan that is about to be replaced."""
    return op.detach_region(op.body).detach_block(0)


class ConstantEntersScan(RewritePattern):
    """scan(.., fixed = c) = scan(..) with the constant c in its body."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ScanOp, rewriter: PatternRewriter, /):
        first = len(op.states) + len(op.sequences)
        known = [i for i, v in enumerate(op.fixed) if isinstance(v.owner, ConstOp)]
        if not known:
            return
        states, sequences, kept = (
            list(op.states),
            list(op.sequences),
            [v for v in op.fixed if not isinstance(v.owner, ConstOp)],
        )
        constants = [op.fixed[i].owner.clone() for i in known]  # pyright: ignore[reportAttributeAccessIssue]
        block = detached(op)
        for i, constant in reversed(list(zip(known, constants))):
            arg = block.args[first + i]
            constant.location = op.location
            block.insert_op_before(constant, block.first_op)  # pyright: ignore[reportArgumentType]
            arg.replace_all_uses_with(constant.results[0])
            block.erase_arg(arg)
        rewriter.replace(
            op, ScanOp.of(block, states, sequences, kept, op.steps.data, op.reverse is not None, op.location)
        )


class UnreadIsNotStacked(RewritePattern):
    """A stacked result that nobody reads is not made."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ScanOp, rewriter: PatternRewriter, /):
        n = len(op.states)
        read = [r for i, r in enumerate(op.results) if i < n or r.uses]
        if len(read) == len(op.results):
            return
        values = [op.yielded()[r.index] for r in read]
        states, sequences, fixed = list(op.states), list(op.sequences), list(op.fixed)
        block = detached(op)
        last = block.last_op
        assert last is not None
        last.operands = values
        new = ScanOp.of(block, states, sequences, fixed, op.steps.data, op.reverse is not None, op.location)
        results = iter(new.results)
        rewriter.replace(op, [new], [next(results) if r in read else None for r in op.results])
