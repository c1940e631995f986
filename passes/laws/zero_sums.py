"""What is added to a constant of zeros is quantized as it is: integers have no signed zero, and zeros no scale.

%1 = dnn.add %x, %zeros    ->    %x
"""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.rewriter import Rewriter

from dnnc.ir.dnn.elementwise import AddOp, SubOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.weights import WeightStore


def drop_zero_sums(module: ModuleOp, store: WeightStore) -> None:
    """X + 0 = x - 0 = x where the zeros make the result no larger."""
    for op in [o for o in main_function(module).walk() if isinstance(o, AddOp | SubOp)]:
        pairs = [(op.a, op.b)] if isinstance(op, SubOp) else [(op.a, op.b), (op.b, op.a)]
        for x, c in pairs:
            if x.type == op.result.type and _zeros(c, store):
                Rewriter.replace_op(op, [], [x])
                break


def _zeros(value: SSAValue, store: WeightStore) -> bool:
    return isinstance(value.owner, ConstOp) and not value.owner.array(store).any()
