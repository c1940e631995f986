"""Inputs of whole numbers, stored as floats, become integers: networks trained with integers read such inputs.

%1 = dnn.conv %x, %w                                        %q = dnn.quantize %x to = !dnn.q<ui8, 1.0, 0>
%2 = dnn.quantize %1 to = !dnn.q<i32, 1.0, 0>      ->       %d = dnn.dequantize %q
                                                            %1 = dnn.conv %d, %w

for weights %w of whole numbers: the sums then are whole numbers as well, and rounding them to scale 1 changes nothing. The
range of %x says whether the bytes have a sign; whole numbers within them keep their value.
"""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.types import F32, I8, QuantType, element_type, integer_range
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.contractions import Contraction
from dnnc.passes.analysis.integer_forms import constant
from dnnc.passes.calibrate import range_of

STORAGES = (element_type(np.uint8), I8, element_type(np.uint16), element_type(np.int16))


def quantize_whole_inputs(module: ModuleOp, store: WeightStore) -> None:
    """Give each input of whole numbers that has a range the narrowest integers that hold it, at scale 1."""
    block = main_function(module).body.block
    for value in block.args:
        type_ = _integers(range_of(value))
        if type_ is not None and value.uses and whole(value, store):
            readers = list(value.uses)
            rounded = QuantizeOp(value, to=type_)
            real = DequantizeOp(rounded)
            Rewriter.insert_op([rounded, real], InsertPoint.at_start(block))
            for use in readers:
                use.operation.operands[use.index] = real.result


def _integers(extremes: tuple[float, float] | None) -> QuantType | None:
    """The first of `STORAGES` that holds two whole numbers, at scale 1."""
    if extremes is None or not np.isfinite(extremes).all() or any(v != np.rint(v) for v in extremes):
        return None
    held = (s for s in STORAGES if integer_range(s)[0] <= extremes[0] and extremes[1] <= integer_range(s)[1])
    storage = next(held, None)
    return None if storage is None else QuantType.per_tensor(storage, 1.0)


def whole(value: SSAValue, store: WeightStore) -> bool:
    """Whether all that reads a float32 value, perhaps moved, are sums of products with whole numbers rounded to whole ones."""
    return value.type.element_type == F32 and all(_read_whole(use.operation, store) for use in value.uses)  # pyright: ignore


def reads_whole_input(op: Operation, store: WeightStore) -> bool:
    """Whether an operation sums an input of whole numbers that is still in float."""
    value = op.operands[0] if op.operands else None
    while value is not None and isinstance(value.owner, Movement):
        value = value.owner.operands[0]
    return isinstance(value, BlockArgument) and _read_whole(op, store)


def _read_whole(op: Operation, store: WeightStore) -> bool:
    if isinstance(op, Movement) and len(op.operands) == 1 and len(op.results) == 1:
        return whole(op.results[0], store)
    return isinstance(op, (ConvOp, ConvTransposeOp, MatmulOp)) and sums_whole(op, store)


def sums_whole(op: Contraction, store: WeightStore) -> bool:
    """Whether a contraction has weights and a bias of whole numbers, and its sums are only rounded to whole numbers."""
    if not op.result.uses:
        return False
    constants = [op.operands[1], *([] if op.bias is None else [op.bias])]
    return all(_whole_constant(v, store) for v in constants) and all(_rounds(u.operation) for u in op.result.uses)


def _whole_constant(value: SSAValue, store: WeightStore) -> bool:
    const = constant(value)
    if const is None:
        return False
    stored = const.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(stored, QuantType):
        return bool(np.all(stored.scale == 1))
    values = _values(const, store)
    return values is not None and bool(np.all(values == np.rint(values)))


def _values(const: ConstOp, store: WeightStore) -> np.ndarray | None:
    known = const.value is not None or (const.key is not None and const.key.data in store)
    return const.array(store) if known else None


def _rounds(op: Operation) -> bool:
    """Whether an operation rounds to whole numbers."""
    return isinstance(op, QuantizeOp) and isinstance(op.to, QuantType) and bool(np.all(op.to.scale == 1))
