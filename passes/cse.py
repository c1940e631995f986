"""Equal operations on equal operands are computed once.

%1 = dnn.relu %x
%2 = dnn.relu %x        ->    %1 used in place of %2
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.transforms.common_subexpression_elimination import cse


@dataclass(frozen=True)
class CsePass(ModulePass):
    """Remove operations that repeat an earlier one; constants are equal when their keys or values are."""

    name = "cse"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        cse(op)
