"""Which integers a quantized value can hold, where they are few."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from xdsl.ir import SSAValue

from dnnc.ir.dnn.elementwise import Unary
from dnnc.ir.dnn.integer import TableOp
from dnnc.ir.dnn.movement import Movement, PadOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import QuantType
from dnnc.ir.weights import WeightStore

FEW = 3
"""More than these are of no interest."""

BINARY, TERNARY = frozenset((-1, 1)), frozenset((-1, 0, 1))


def levels_of(value: SSAValue, store: WeightStore) -> frozenset[int] | None:
    """The stored integers a value may hold, None when there may be more than a few."""
    match value.owner:
        case ConstOp() as op:
            return _few(np.unique(op.array(store)))
        case ThresholdOp() as op:
            return _few(op.first.data + op.step.data * k for k in range(op.shape(1)[1] + 1))
        case TableOp() as op if isinstance(op.table.owner, ConstOp):
            return _few(np.unique(op.table.owner.array(store)))
        case Unary() as op if isinstance(op.element(), QuantType):
            return _few(np.unique(op.table()))
        case PadOp() as op:
            inside = levels_of(op.x, store)
            return None if inside is None else _few(inside | {int(op.fill())})
        case Movement() | MaxPoolOp() as op if len(op.operands) == 1:
            return levels_of(op.operands[0], store)
    return None


def _few(values: Iterable[int]) -> frozenset[int] | None:
    found = frozenset(map(int, values)) if not isinstance(values, np.ndarray) or values.size <= FEW else None
    return found if found is not None and len(found) <= FEW else None


def kind_of(*values: frozenset[int] | None) -> str | None:
    """`binary` or `ternary` when all values have one of these forms, else None."""
    found = [v for v in values if v is not None]
    if len(found) < len(values):
        return None
    if all(v <= BINARY for v in found):
        return "binary"
    return "ternary" if all(v <= TERNARY for v in found) else None
