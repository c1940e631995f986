"""Values in float16 and bfloat16 become float32, so that a network of them is quantized like any other.

%1 = dnn.conv %x, %w : f16        ->    %0 = dnn.cast %x to = f32
                                        %1 = dnn.conv %0, %w : f32, the weights the same numbers
                                        %2 = dnn.cast %1 to = f16, for what the network returns

Nothing rounds to 16 bits inside any more. Inputs and outputs keep their types.
"""

from __future__ import annotations

from xdsl.dialects.builtin import BFloat16Type, Float16Type, ModuleOp, TensorType
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.attributes import Reals
from dnnc.ir.dnn.elementwise import CastOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.types import F32, dtype, shape_of, tensor
from dnnc.ir.weights import WeightStore
from dnnc.passes.calibrate import RANGE, range_of

HALF = (Float16Type, BFloat16Type)


def widen_half_floats(module: ModuleOp, store: WeightStore) -> None:
    """Every value of @main in float32 where it was in half; casts at the inputs and outputs that are."""
    block = main_function(module).body.block
    inputs = [a for a in block.args if _half(a.type)]
    end = block.last_op
    assert isinstance(end, ReturnOp)
    returned = [v.type for v in end.operands]
    for op in list(block.walk()):
        _widen(op, store)
    for value in inputs:
        _cast_input(value, block)
    for i, (value, type_) in enumerate(zip(end.operands, returned)):
        if value.type != type_:
            cast = CastOp(value, to=_element(type_), location=_place(value, end))
            Rewriter.insert_op(cast, InsertPoint.before(end))
            end.operands[i] = cast.result


def _half(type_: Attribute) -> bool:
    return isinstance(type_, TensorType) and isinstance(type_.element_type, HALF)


def _element(type_: Attribute) -> Attribute:
    assert isinstance(type_, TensorType)
    return type_.element_type


def _place(value: SSAValue, other: Operation):
    return value.owner.location if isinstance(value.owner, Operation) else other.location


def _widen(op: Operation, store: WeightStore) -> None:
    """The results of an operation, and what its blocks are given, in float32."""
    for region in op.regions:
        for value in (a for block in region.blocks for a in block.args if _half(a.type)):
            Rewriter.replace_value_with_new_type(value, tensor(F32, shape_of(value.type)))
    if isinstance(op, ConstOp) and _half(op.result.type):
        hint = op.key.data if op.key is not None else "constant"
        values = op.array(store).astype(dtype(F32))
        Rewriter.replace_op(op, ConstOp.of(values, store, hint, tensor(F32, values.shape)))
        return
    if isinstance(op, CastOp) and isinstance(op.to, HALF):
        op.properties["to"] = F32
    for value in list(op.results):
        if _half(value.type):
            Rewriter.replace_value_with_new_type(value, tensor(F32, shape_of(value.type)))


def _cast_input(value: SSAValue, block: Block) -> None:
    """What reads an input reads it in float32, in the range it was calibrated to."""
    readers = [use for use in value.uses if not isinstance(use.operation, ReturnOp)]
    if not readers:
        return
    cast = CastOp(value, to=F32, location=readers[0].operation.location)
    if (extremes := range_of(value)) is not None:
        cast.attributes[RANGE] = Reals(extremes)
    Rewriter.insert_op(cast, InsertPoint.at_start(block))
    for use in readers:
        use.operation.operands[use.index] = cast.result
