"""What runs as one unit becomes a group: contraction, bias, requantize, activation, residual add, pool.

%1 = dnn.conv %x, %w, bias(%b)        %3 = dnn.group [%x, %w, %b] {
%2 = dnn.relu %1                ->      conv, relu, max_pool
%3 = dnn.max_pool %2                  }
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import FusedLoc, ModuleOp, NoneAttr
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.bitwise import BitContraction, PackOp
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import AddOp, ClipOp, Unary
from dnnc.ir.dnn.integer import InterpolateOp, QAvgPoolOp, QMulOp, QReduction, QSoftmaxOp, Sum, TableOp
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, RequantizeOp
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.reduction import AvgPoolOp, LpPoolOp, MaxPoolOp
from dnnc.ir.dnn.rescale import RequantShiftOp, ThresholdOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import main_function
from dnnc.ir.rewriting import allowed
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import QuantType, bits, shape_of


def _is(*kinds: type[DnnOp]) -> Callable[[DnnOp], bool]:
    return lambda op: isinstance(op, kinds)


def _bound(op: DnnOp) -> bool:
    """A function of the value after a second operand: of quantized values only a bound."""
    return isinstance(op, Unary) and (isinstance(op, (ReluOp, ClipOp)) or not _quantized(op))


def _quantized(op: DnnOp) -> bool:
    return isinstance(op.element(), QuantType)


def _wide_softmax(op: DnnOp) -> bool:
    """A softmax whose result is requantized next."""
    return isinstance(op, QSoftmaxOp) and bits(op.target()) > 8


@dataclass(frozen=True)
class Stage:
    """A place in a unit: which operations stand there, and whether one after another may."""

    takes: Callable[[DnnOp], bool]
    repeats: bool = False


STAGES: tuple[Stage, ...] = (
    Stage(_is(ConvOp, ConvTransposeOp, MatmulOp, BitContraction)),
    Stage(lambda op: isinstance(op, (QAvgPoolOp, QReduction)) or _wide_softmax(op)),
    Stage(_is(RequantizeOp, ThresholdOp, RequantShiftOp)),
    Stage(_is(Unary, TableOp, InterpolateOp, RequantizeOp), repeats=True),
    Stage(_is(AddOp, Sum, QMulOp)),
    Stage(_bound, repeats=True),
    Stage(_is(MaxPoolOp, AvgPoolOp, LpPoolOp)),
    Stage(_is(PackOp)),
)
"""The order of a post-processing unit; a value moves forward only, and sums leave it requantized."""

SUMS, POOL_SUMS, SECOND = 0, 1, 4


@dataclass(frozen=True)
class FuseGroupsPass(ModulePass):
    """Group each contraction with the chain of single uses after it, in the order of a post-processing unit.

    Between quantized values a pool, a sum or a function begins a chain too; every other operation is a group of its own.
    Views (reshapes) move nothing and stay outside. `max-ops` bounds the operations of a group.
    """

    name = "fuse-groups"
    max_ops: int = 8

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        grouped: set[Operation] = set()
        for inner in [o for block in blocks(op) for o in block.ops]:
            if inner not in grouped and isinstance(inner, DnnOp) and computes(inner) and allowed("Group", inner):
                chain = self._chain(inner)
                grouped.update(chain)
                _replace(chain)

    def _chain(self, head: DnnOp) -> list[DnnOp]:
        chain, stage = [head], next((i for i, s in enumerate(STAGES) if s.takes(head)), None)
        while stage is not None and (stage == SUMS or len(chain) > 1 or _quantized(head)) and len(chain) < self.max_ops:
            after = only_user(chain[-1].results[0])
            stage = _next(stage, chain[-1], after) if after is not None else None
            if stage is not None and after is not None:
                chain.append(after)
        return chain


def _next(stage: int, before: DnnOp, after: DnnOp) -> int | None:
    """The stage an operation takes after one in `stage`, if there is one."""
    if ISLAND in after.attributes:
        return None
    for i, place in enumerate(STAGES[stage:], stage):
        if place.takes(after) and (i > stage or place.repeats) and i > POOL_SUMS:
            return i if i != SECOND or _residual(after, before) else None
    return None


def _residual(after: DnnOp, before: DnnOp) -> bool:
    """Whether an operation only combines another value with the chain, elementwise and without making it larger."""
    a, b = after.operands
    return a is not b and shape_of(after.results[0].type) == shape_of(before.results[0].type)


def blocks(module: ModuleOp) -> list[Block]:
    """The blocks of @main whose operations run one after another: its own, and the bodies of its loops."""
    main = main_function(module)
    return [*(op.body.block for op in main.walk() if isinstance(op, ScanOp)), main.body.block]


def computes(op: DnnOp) -> bool:
    """Whether an operation belongs in a group: not a constant, a view, the boundary or a float island."""
    free = isinstance(op, (ConstOp, GroupOp, QuantizeOp, DequantizeOp)) or ISLAND in op.attributes
    free = free or (isinstance(op, ThresholdOp) and not _quantized(op))
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
