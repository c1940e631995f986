"""Operations run in the order that keeps the fewest bytes alive at once.

%1 = A(%x); %2 = B(%x); %3 = C(%1); %4 = add(%3, %2)   ->   A, C, B, add when the result of C is smaller than that of A
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.types import nbytes
from dnnc.passes.analysis.ordering import Ordering, Program, least_peak


@dataclass(frozen=True)
class OrderPass(ModulePass):
    """Put the operations of @main in an order of least peak memory; the order stays when none is better.

    `states` bounds the search of each part of the network; past it the best order known is taken and its gap told.
    """

    name = "order"
    states: int = 50_000

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        block = main_function(op).body.block
        operations = movable(block)
        found = least_peak(program(block, operations), self.states)
        if found.order != tuple(range(len(operations))):
            _reorder(block, [operations[i] for i in found.order])
        if not found.optimal:
            warnings.warn(gap(found), stacklevel=2)


def gap(found: Ordering) -> str:
    """How far an order may be from the least peak."""
    over = 100 * (found.peak / found.lower_bound - 1)
    return f"order: {found.peak} bytes at the peak, at most {over:.1f}% above the least (proved: {found.lower_bound})"


def movable(block: Block) -> list[Operation]:
    """The operations of a block but its constants and its end."""
    return [o for o in block.ops if not isinstance(o, ConstOp | ReturnOp)]


def program(block: Block, operations: list[Operation]) -> Program:
    """What each operation reads and makes, in bytes; constants take no part."""
    values = [*block.args, *(r for o in operations for r in o.results)]
    number = {value: i for i, value in enumerate(values)}
    end = block.last_op
    return Program(
        [(_numbers(_read(o), number), tuple(number[r] for r in o.results)) for o in operations],
        [nbytes(v.type) for v in values],
        frozenset(range(len(block.args))),
        _numbers(set(end.operands) if end else set(), number),
    )


def _numbers(values: set[SSAValue], number: dict[SSAValue, int]) -> frozenset[int]:
    return frozenset(number[v] for v in values if v in number)


def _read(op: Operation) -> set[SSAValue]:
    """Operands, and what the regions of an operation take from around it."""
    return {v for inner in op.walk() for v in inner.operands}


def _reorder(block: Block, order: list[Operation]) -> None:
    """Put operations in an order before the end of the block; constants go first, so that they stand before every use."""
    end = block.last_op
    for op in order if end else ():
        op.detach()
        block.insert_op_before(op, end)  # pyright: ignore[reportArgumentType]
