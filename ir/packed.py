"""Bytes that hold several binary or ternary values each, and what products of them are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from dnnc.ir.codes import Scales
from dnnc.ir.diagnostics import expect
from dnnc.ir.types import I8, UNSIGNED, Quantized, QuantType

BYTE = IntegerType(8, UNSIGNED)

IN_A_BYTE = {"binary": 8, "ternary": 4}
"""Values a byte holds. binary: bit i is 1 for +1, 0 for -1. ternary: bit i is 0 for 0, bit 4 + i is 1 for -1."""


@dataclass(frozen=True)
class Packed:
    """Real = s[c] * v, v one of -1 and +1, or of -1, 0 and +1."""

    levels: str
    scales: Scales


@irdl_attr_definition
class PackedType(Quantized):
    """Neighbouring channels in one byte: `!dnn.bits<binary, 1.0>` has 8 of -1 or +1, `!dnn.bits<ternary, 1.0>` 4 of -1, 0 or +1.

    Weights may have a scale for each output channel: `!dnn.bits<binary, axis 0, [0.5, 0.25]>`.
    """

    name = "dnn.bits"
    data: Packed

    @staticmethod
    def of(levels: str, element: QuantType) -> PackedType:
        """The type of values that are 1, 0 or -1 times the scales of a uniform type."""
        return PackedType(Packed(levels, Scales(element.data.scales, element.axis)))

    @property
    def storage(self) -> TypeAttribute:
        """Bytes."""
        return BYTE

    @property
    def levels(self) -> str:
        """`binary` or `ternary`."""
        return self.data.levels

    @property
    def count(self) -> int:
        """Values in a byte."""
        return IN_A_BYTE[self.levels]

    def uniform(self, storage: TypeAttribute = I8) -> QuantType:
        """The uniform type of the same scales."""
        return self.data.scales.uniform(storage)

    def verify(self) -> None:
        expect(self.levels in IN_A_BYTE, f"one of {', '.join(IN_A_BYTE)}", self.levels, code="E0409")
        self.data.scales.verify()

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Packed:
        with parser.in_angle_brackets():
            levels = parser.parse_identifier()
            parser.parse_punctuation(",")
            return Packed(levels, Scales.parse(parser))

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.levels}, {self.data.scales.text()}")


def pack(v: np.ndarray, levels: str, axis: int) -> np.ndarray:
    """The bytes of values -1, 0 and +1 along an axis, as many neighbours in each as it holds."""
    n = IN_A_BYTE[levels]
    v = np.moveaxis(v, axis, -1)
    v = v.reshape(*v.shape[:-1], v.shape[-1] // n, n)
    bits = v > 0 if levels == "binary" else np.concatenate([v != 0, v < 0], -1)
    return np.ascontiguousarray(np.moveaxis(np.packbits(bits, -1, "little")[..., 0], -1, axis))


def unpack(b: np.ndarray, levels: str, axis: int) -> np.ndarray:
    """The values of bytes, int8: the inverse of `pack`."""
    bits = np.unpackbits(np.moveaxis(b, axis, -1)[..., None], axis=-1, bitorder="little").astype(np.int8)
    v = 2 * bits - 1 if levels == "binary" else bits[..., :4] * (1 - 2 * bits[..., 4:])
    return np.moveaxis(v.reshape(*v.shape[:-2], -1), -1, axis)
