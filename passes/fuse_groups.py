"""What runs as one unit becomes a group: contraction, bias, requantize, activation, residual add, pool.

%1 = dnn.conv %x, %w, bias(%b)        %3 = dnn.group [%x, %w, %b] {
%2 = dnn.relu %1                ->      conv, relu, max_pool
%3 = dnn.max_pool %2                  }
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import FusedLoc, ModuleOp, NoneAttr
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import AddOp, Unary
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, RequantizeOp
from dnnc.ir.dnn.reduction import Pool
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import main_function
from dnnc.ir.rewriting import allowed
from dnnc.ir.stages import ISLAND

_HEADS = (ConvOp, ConvTransposeOp, MatmulOp)


@dataclass(frozen=True)
class FuseGroupsPass(ModulePass):
    """Group each contraction with the chain of single uses after it; every other operation is a group of its own.

    Views (reshapes) move nothing and stay outside. `max-ops` bounds the operations of a group.
    """

    name = "fuse-groups"
    max_ops: int = 8

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        grouped: set[Operation] = set()
        for inner in list(main_function(op).body.block.ops):
            if inner not in grouped and isinstance(inner, DnnOp) and computes(inner) and allowed("Group", inner):
                chain = self._chain(inner)
                grouped.update(chain)
                _replace(chain)

    def _chain(self, head: DnnOp) -> list[DnnOp]:
        chain = [head]
        pooled = added = False
        while isinstance(head, _HEADS) and len(chain) < self.max_ops:
            after = only_user(chain[-1].results[0])
            if after is None or ISLAND in after.attributes:
                break
            if isinstance(after, Pool) and not pooled:
                pooled = True
            elif isinstance(after, AddOp) and not (added or pooled) and _residual(after, chain[-1]):
                added = True
            elif not isinstance(after, (Unary, RequantizeOp)) or pooled:
                break
            chain.append(after)
        return chain


def _residual(add: AddOp, before: DnnOp) -> bool:
    """Whether an addition only adds another value to the chain, elementwise and without making it larger."""
    return add.a is not add.b and add.result.type == before.results[0].type


def computes(op: DnnOp) -> bool:
    """Whether an operation belongs in a group: not a constant, a view, the boundary or a float island."""
    free = isinstance(op, (ConstOp, GroupOp, QuantizeOp, DequantizeOp)) or ISLAND in op.attributes
    return not free and not (isinstance(op, Movement) and op.is_view())


def only_user(value: SSAValue) -> DnnOp | None:
    """The one operation that uses a value once, in the same block."""
    uses = list(value.uses)
    op = uses[0].operation if len(uses) == 1 else None
    return op if isinstance(op, DnnOp) and op.parent is value.owner.parent else None  # pyright: ignore


def _replace(chain: list[DnnOp]) -> None:
    # The last operation sees every operand of the chain already made, so the group stands there.
    locations = list(dict.fromkeys(op.location for op in chain))
    location = locations[0] if len(locations) == 1 else FusedLoc(tuple(locations), NoneAttr())
    group, replaced = GroupOp.of(chain, location)
    Rewriter.insert_op(group, InsertPoint.before(chain[-1]))
    for old, new in zip(replaced, group.results):
        old.replace_all_uses_with(new)
    for op in reversed(chain):
        Rewriter.erase_op(op)
