"""What the machine reads and writes: arguments of a group's body, whatever views lie between, and their types."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import BlockArgument, Operation, SSAValue

from dnnc.ir.dnn.movement import Movement
from dnnc.ir.packed import PackedType
from dnnc.ir.types import I8, I16, I32, QuantType, element_type, integer_range, tensor_text, type_name
from dnnc.passes.analysis.shapes import Refusal

UI8 = element_type(np.uint8)
VALUES = (I8, UI8, I16, element_type(np.uint16))
"""Storage of the values the machine computes with."""


def argument(value: SSAValue) -> int:
    """Which argument of the body a value is."""
    if not isinstance(value, BlockArgument):
        raise Refusal(f"an operand made by '{value.owner.name if isinstance(value.owner, Operation) else value}'")
    return value.index


def behind_views(value: SSAValue) -> SSAValue:
    """The value that a chain of views shows."""
    while isinstance(value.owner, Movement) and value.owner.is_view():
        value = value.owner.operands[0]
    return value


def check_weights(value: SSAValue) -> QuantType:
    """The type of weights the machine takes: bytes with one zero point."""
    element = value.type.element_type if isinstance(value.type, TensorType) else None
    if isinstance(element, PackedType):
        return element.uniform(UI8)
    if not isinstance(element, QuantType) or element.storage not in (I8, UI8) or np.unique(element.zero).size != 1:
        raise Refusal(f"weights of {tensor_text(value.type)} in place of bytes with one zero point")
    return element


def quantized(value: SSAValue, wide: bool = False) -> QuantType:
    """The type of values the machine computes with: 8 or 16 bits and one scale, packed, or 32-bit sums when `wide`."""
    element = value.type.element_type if isinstance(value.type, TensorType) else None
    if isinstance(element, PackedType):
        return element.uniform(UI8)
    if wide and isinstance(element, QuantType) and element.storage == I32:
        return element
    if not isinstance(element, QuantType) or element.storage not in VALUES or element.axis is not None:
        raise Refusal(
            f"a value of type {type_name(element) if element else value.type} in place of a quantized one of 8 or 16 bits"
        )
    return element


def span(element: QuantType) -> tuple[int, int]:
    """(lowest, highest + 1) of the integers a type stores."""
    low, high = integer_range(element.storage)
    return low, high + 1
