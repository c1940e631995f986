"""Operations on constants become constants.

%2 = dnn.transpose %const perm = [1, 0]      ->      %2 = dnn.const key = "w.folded"
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Block, Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.movement import ShapeOp
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.rewriting import allowed
from dnnc.ir.types import nbytes, shape_of
from dnnc.ir.weights import WeightStore, store_of

_EAGER = 4096  # elements; larger results are computed when they are first read


@dataclass(frozen=True)
class FoldConstantsPass(ModulePass):
    """Evaluate operations whose operands are all constants; exact, since the reference semantics computes them.

    A result may not outgrow its operands more than `growth` times (and one MiB): a broadcast constant stays an operation.
    """

    name = "fold-constants"
    growth: int = 2

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        for inner in list(op.walk()):
            if isinstance(inner, DnnOp) and self._folds(inner) and allowed("ConstantOperands", inner):
                fold(inner, store)

    def _folds(self, op: DnnOp) -> bool:
        if isinstance(op, ShapeOp):
            return True
        if isinstance(op, (ConstOp, GroupOp)) or not op.operands or op.parent is None:
            return False
        if isinstance(op, DequantizeOp):  # its operand's type is what `quantize-lower` reads
            return False
        if not all(isinstance(v.owner, ConstOp) for v in op.operands):
            return False
        before = sum(nbytes(v.type) for v in op.operands)
        return sum(nbytes(r.type) for r in op.results) <= max(1 << 20, self.growth * before)


def fold(op: DnnOp, store: WeightStore) -> None:
    """Replace an operation by the constants it computes; large ones are computed when first read."""
    if isinstance(op, ShapeOp):
        values = [np.array(op.dims(), np.int64)]
        new: list[Operation] = [ConstOp.of(values[0], store, location=op.location)]
    elif sum(prod(shape_of(r.type)) for r in op.results) <= _EAGER:
        values = op.run([v.owner.array(store) for v in op.operands])  # pyright: ignore[reportAttributeAccessIssue]
        new = [  # pyright: ignore[reportAssignmentType]
            ConstOp.of(v, store, hint_of(op), r.type, op.location)  # pyright: ignore[reportArgumentType]
            for v, r in zip(values, op.results)
        ]
    else:
        new = [_lazy(op, i, store) for i in range(len(op.results))]
    Rewriter.insert_op(new, InsertPoint.before(op))
    Rewriter.replace_op(op, [], [c.results[0] for c in new])


def _lazy(op: DnnOp, index: int, store: WeightStore) -> ConstOp:
    sources = [v.owner for v in op.operands]
    # A detached copy keeps parameters and operand types without using the constants, which may then be removed.
    frozen = op.clone(dict(zip(op.operands, Block(arg_types=[v.type for v in op.operands]).args)))
    type_ = op.results[index].type
    assert isinstance(type_, TensorType)
    key = store.add(hint_of(op), lambda: frozen.run([c.array(store) for c in sources])[index])  # pyright: ignore
    return ConstOp.keyed(key, type_, op.location)


def hint_of(op: DnnOp) -> str:
    """A store key that tells where a folded constant came from."""
    keys = [v.owner.key.data for v in op.operands if isinstance(v.owner, ConstOp) and v.owner.key is not None]
    return f"{keys[0]}.folded" if keys else "folded"
