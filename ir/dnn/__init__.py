"""The graph dialect: tensors, value semantics, one operation per layer."""

from xdsl.ir import Attribute
from xdsl.irdl import IRDLOperation

from dnnc.ir import blocks, codes, packed
from dnnc.ir.dnn import (
    activation,
    attributes,
    bitwise,
    composite,
    contraction,
    elementwise,
    function,
    indexing,
    integer,
    logic,
    movement,
    quantize,
    recurrent,
    reduction,
    resampling,
    rescale,
    structure,
)
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.types import QuantType

FAMILIES = (
    elementwise,
    function,
    logic,
    activation,
    contraction,
    bitwise,
    reduction,
    movement,
    indexing,
    resampling,
    composite,
    quantize,
    integer,
    rescale,
    structure,
    recurrent,
)


def _concrete(module: object) -> list[type[IRDLOperation]]:
    """The operations a module defines, in order of their text."""
    return [
        v for v in vars(module).values() if isinstance(v, type) and issubclass(v, IRDLOperation) and _defined(v, module)
    ]


def _defined(cls: type, module: object) -> bool:
    return cls.__module__ == module.__name__ and isinstance(vars(cls).get("name"), str)  # pyright: ignore


OPS: list[type[IRDLOperation]] = [op for family in FAMILIES for op in _concrete(family)]
ATTRIBUTES: list[type[Attribute]] = [
    QuantType,
    blocks.BlockType,
    codes.Pow2Type,
    codes.CodebookType,
    codes.ScaledType,
    codes.FixedType,
    packed.PackedType,
    attributes.Int,
    attributes.Ints,
    attributes.Real,
    attributes.Reals,
    attributes.Word,
    attributes.Key,
    attributes.WindowAttr,
]

__all__ = ["ATTRIBUTES", "FAMILIES", "OPS", "DnnOp"]
