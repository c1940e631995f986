"""Quantized values behind dequantize, as the laws of `quantize-lower` look for them."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from dnnc.ir.dnn.integer import WIDEST
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.types import QuantType, bits


def source(value: SSAValue) -> SSAValue | None:
    """The uniformly quantized value behind a dequantize, else None."""
    made = value.owner
    return made.x if isinstance(made, DequantizeOp) and isinstance(made.element(), QuantType) else None


def type_of(value: SSAValue) -> QuantType:
    """The quantized element type of a value."""
    element = value.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(element, QuantType)
    return element


def narrow(value: SSAValue, widest: int = WIDEST) -> SSAValue | None:
    """The quantized value behind a dequantize when an integer form reads it: one scale, few bits."""
    q = source(value)
    fits = q is not None and type_of(q).axis is None and bits(type_of(q)) <= widest
    return q if fits else None


def all_narrow(values: Sequence[SSAValue], widest: int = WIDEST) -> list[SSAValue] | None:
    """The quantized values behind all of them, or None."""
    found = [narrow(v, widest) for v in values]
    return None if None in found or not found else found  # pyright: ignore[reportReturnType]
