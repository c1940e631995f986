"""Equal operations on equal operands are computed once.

%1 = dnn.relu %x
%2 = dnn.relu %x        ->    %1 used in place of %2
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.transforms.common_subexpression_elimination import CSEDriver

from dnnc.ir.rewriting import allowed


@dataclass(frozen=True)
class CsePass(ModulePass):
    """Remove operations that repeat an earlier one; constants are equal when their keys or values are."""

    name = "cse"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        _Driver().simplify(op)


class _Driver(CSEDriver):
    def _replace_and_delete(self, op: Operation, existing: Operation):
        if allowed("EqualOperations", op):
            super()._replace_and_delete(op, existing)
