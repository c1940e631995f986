"""Element types of tensors: which xDSL type stands for which numpy dtype, and the quantized types of our own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from math import inf
from typing import Any

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import (
    BFloat16Type,
    Float4E2M1FNType,
    Float8E4M3FNType,
    Float8E4M3FNUZType,
    Float8E5M2FNUZType,
    Float8E5M2Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    Signedness,
    TensorType,
)
from xdsl.ir import Attribute, Data, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from dnnc.ir.diagnostics import BrokenRule

UNSIGNED = Signedness.UNSIGNED

# One row per element type: the xDSL type, the numpy dtype that holds it, the short name used in text and messages.
_ELEMENTS: tuple[tuple[TypeAttribute, np.dtype, str], ...] = (
    (Float32Type(), np.dtype(np.float32), "f32"),
    (Float64Type(), np.dtype(np.float64), "f64"),
    (Float16Type(), np.dtype(np.float16), "f16"),
    (BFloat16Type(), np.dtype(ml_dtypes.bfloat16), "bf16"),
    (Float8E4M3FNType(), np.dtype(ml_dtypes.float8_e4m3fn), "f8E4M3FN"),
    (Float8E5M2Type(), np.dtype(ml_dtypes.float8_e5m2), "f8E5M2"),
    (Float8E4M3FNUZType(), np.dtype(ml_dtypes.float8_e4m3fnuz), "f8E4M3FNUZ"),
    (Float8E5M2FNUZType(), np.dtype(ml_dtypes.float8_e5m2fnuz), "f8E5M2FNUZ"),
    (Float4E2M1FNType(), np.dtype(ml_dtypes.float4_e2m1fn), "f4E2M1FN"),
    (IntegerType(1), np.dtype(np.bool_), "i1"),
    (IntegerType(8), np.dtype(np.int8), "i8"),
    (IntegerType(16), np.dtype(np.int16), "i16"),
    (IntegerType(32), np.dtype(np.int32), "i32"),
    (IntegerType(64), np.dtype(np.int64), "i64"),
    (IntegerType(8, UNSIGNED), np.dtype(np.uint8), "ui8"),
    (IntegerType(16, UNSIGNED), np.dtype(np.uint16), "ui16"),
    (IntegerType(32, UNSIGNED), np.dtype(np.uint32), "ui32"),
    (IntegerType(64, UNSIGNED), np.dtype(np.uint64), "ui64"),
    (IntegerType(4), np.dtype(ml_dtypes.int4), "i4"),
    (IntegerType(4, UNSIGNED), np.dtype(ml_dtypes.uint4), "ui4"),
    (IntegerType(2), np.dtype(ml_dtypes.int2), "i2"),
    (IntegerType(2, UNSIGNED), np.dtype(ml_dtypes.uint2), "ui2"),
)
_DTYPE = {t: d for t, d, _ in _ELEMENTS}
_TYPE = {d: t for t, d, _ in _ELEMENTS}
_NAME = {t: n for t, _, n in _ELEMENTS}
_BY_NAME = {n: t for t, _, n in _ELEMENTS}

F32 = _BY_NAME["f32"]
I1 = _BY_NAME["i1"]
I8 = _BY_NAME["i8"]
I16 = _BY_NAME["i16"]
I32 = _BY_NAME["i32"]
I64 = _BY_NAME["i64"]


class Quantized(Data[Any], TypeAttribute):
    """An element that is a stored code for a real number."""

    @property
    def storage(self) -> TypeAttribute:
        """The type the codes are kept in."""
        return self.data.storage

    @property
    def table_bytes(self) -> int:
        """Bytes of what codes refer to, in float32, besides scales for the whole tensor or its channels."""
        return 0


@dataclass(frozen=True)
class Uniform:
    """real = scale[c] * (q - zero[c]), c the index along `axis` (one scale for all when `axis` is None)."""

    storage: TypeAttribute
    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    axis: int | None = None


@irdl_attr_definition
class QuantType(Quantized):
    """Uniformly quantized element: `!dnn.q<i8, 0.1, 3>` or, per channel, `!dnn.q<i8, axis 0, [0.1, 0.2], [0, 0]>`.

    Scales are float32 values printed with enough digits to give the same bits back.
    """

    name = "dnn.q"
    data: Uniform

    @staticmethod
    def per_tensor(storage: TypeAttribute, scale: float, zero: int = 0) -> QuantType:
        """One scale and zero point for the whole tensor."""
        return QuantType(Uniform(storage, (float(np.float32(scale)),), (int(zero),)))

    @staticmethod
    def per_channel(
        storage: TypeAttribute, scales: Sequence[float] | np.ndarray, axis: int, zeros: Sequence[int] | None = None
    ) -> QuantType:
        """One scale (and zero point, 0 unless given) per index of `axis`."""
        exact = tuple(np.asarray(scales, np.float32).astype(float).tolist())
        return QuantType(Uniform(storage, exact, tuple(zeros) if zeros is not None else (0,) * len(exact), axis))

    @property
    def axis(self) -> int | None:
        """The channel axis, None when per tensor."""
        return self.data.axis

    @cached_property
    def scale(self) -> np.ndarray:
        """Scales as float32, shape [] per tensor or [channels]; read-only."""
        return self._each(self.data.scales, np.float32)

    @cached_property
    def zero(self) -> np.ndarray:
        """Zero points as int64, shape [] per tensor or [channels]; read-only."""
        return self._each(self.data.zeros, np.int64)

    def _each(self, values: Sequence[float], kind: type[np.generic]) -> np.ndarray:
        array = np.asarray(values, kind)
        array.flags.writeable = False
        return array[0] if self.data.axis is None else array

    def verify(self) -> None:
        q = self.data
        if not isinstance(q.storage, IntegerType):
            raise BrokenRule(f"expected an integer storage type, not {q.storage}.", "E0409")
        if len(q.scales) != len(q.zeros) or (q.axis is None and len(q.scales) != 1):
            raise BrokenRule(
                f"expected as many zero points as scales, not {len(q.zeros)} and {len(q.scales)}.", "E0409"
            )
        if not all(0 < s < inf for s in q.scales):
            raise BrokenRule(f"expected positive finite scales, not {list(q.scales[:4])}.", "E0409")
        low, high = integer_range(q.storage)
        if not all(low <= z <= high for z in q.zeros):
            raise BrokenRule(f"expected zero points in [{low}, {high}], not {list(q.zeros[:4])}.", "E0409")

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Uniform:
        with parser.in_angle_brackets():
            storage = parser.parse_type()
            parser.parse_punctuation(",")
            if parser.parse_optional_keyword("axis") is None:
                scale = parser.parse_number()
                parser.parse_punctuation(",")
                return Uniform(storage, (float(np.float32(scale)),), (parser.parse_integer(),))
            axis = parser.parse_integer()
            parser.parse_punctuation(",")
            scales = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_number)
            zeros = [0] * len(scales)
            if parser.parse_optional_punctuation(","):
                zeros = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)
            return Uniform(storage, tuple(float(np.float32(s)) for s in scales), tuple(zeros), axis)

    def print_parameter(self, printer: Printer) -> None:
        q = self.data
        with printer.in_angle_brackets():
            printer.print_attribute(q.storage)
            if q.axis is None:
                printer.print_string(f", {scale_text(q.scales[0])}, {q.zeros[0]}")
                return
            printer.print_string(f", axis {q.axis}, [{', '.join(map(scale_text, q.scales))}]")
            if any(q.zeros):
                printer.print_string(f", [{', '.join(map(str, q.zeros))}]")


def along(values: np.ndarray, axis: int | None, rank: int) -> np.ndarray:
    """Per-channel values shaped to broadcast along their axis of a tensor of `rank` dimensions."""
    return values if axis is None else values.reshape(*(-1 if i == axis else 1 for i in range(rank)))


def scale_text(x: float) -> str:
    """Shortest decimal text of a float32 that parses back to the same bits."""
    return real_text(np.float32(x))


def real_text(x: float | np.floating) -> str:
    """Shortest decimal text of a float that parses back to the same bits, in the syntax MLIR's lexer reads."""
    text = str(x)
    if "e" in text and "." not in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}.0e{exponent}"
    return text


def storage_type(element: Attribute) -> Attribute:
    """The type whose bits hold an element: that of the codes of a quantized type, else the type itself."""
    return element.storage if isinstance(element, Quantized) else element


def dtype(element: Attribute) -> np.dtype:
    """The numpy dtype that holds an element type (its storage when quantized)."""
    stored = storage_type(element)
    return _held(stored) if _between(stored) else _DTYPE[stored]  # pyright: ignore[reportArgumentType]


def _between(stored: Attribute) -> bool:
    """Whether an integer type has a width that numpy has no dtype of, below 16 bits."""
    return isinstance(stored, IntegerType) and stored not in _DTYPE and 1 < stored.width.data < 16


def _held(stored: IntegerType) -> np.dtype:
    """The dtype of 8 or 16 bits that holds integers of fewer."""
    kind = "u" if stored.signedness.data is UNSIGNED else "i"
    return np.dtype(f"{kind}{1 if stored.width.data <= 8 else 2}")


def element_type(dt: np.dtype | type) -> TypeAttribute:
    """The element type of a numpy dtype; KeyError for strings, objects and complex numbers."""
    return _TYPE[np.dtype(dt)]


def element_names() -> dict[str, TypeAttribute]:
    """The element types by their short names: `f32`, `i8`, `ui8` ..."""
    return dict(_BY_NAME)


def supported(dt: np.dtype) -> bool:
    """Whether a numpy dtype has an element type."""
    return np.dtype(dt) in _TYPE


def storable(element: Attribute) -> bool:
    """Whether numpy has a dtype that holds an element type."""
    stored = storage_type(element)
    return stored in _DTYPE or _between(stored)


@lru_cache(4096)  # verifiers name types in messages they seldom raise
def type_name(element: Attribute) -> str:
    """Short name for messages: f32, i8, ui8, or q<i8>."""
    if isinstance(element, Quantized):
        return f"{element.name.removeprefix('dnn.')}<{type_name(element.storage)}>"
    return _NAME[element] if element in _NAME else str(element)  # pyright: ignore[reportArgumentType]


def is_float(element: Attribute) -> bool:
    """Whether the element type is a floating-point type."""
    return not isinstance(storage_type(element), IntegerType)


def bits(element: Attribute) -> int:
    """Storage bits of one element."""
    stored = storage_type(element)
    return stored.width.data if isinstance(stored, IntegerType) else ml_dtypes.finfo(_DTYPE[stored]).bits  # pyright: ignore


def integer_range(element: Attribute) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    assert isinstance(element, IntegerType)
    width = element.width.data
    if element.signedness.data is UNSIGNED or width == 1:
        return 0, 2**width - 1
    return -(2 ** (width - 1)), 2 ** (width - 1) - 1


def float_range(element: Attribute) -> tuple[float, float]:
    """Smallest and largest finite value of a floating-point type."""
    info = ml_dtypes.finfo(dtype(element))
    return float(info.min), float(info.max)


def saturated(x: np.ndarray, element: Attribute) -> np.ndarray:
    """Floats in a narrower type, what lies beyond its range at the end of it; NaN stays."""
    low, high = float_range(element)
    return np.clip(x.astype(np.float32), low, high).astype(dtype(element))


@cache
def tensor(element: Attribute, shape: tuple[int, ...]) -> TensorType:
    """A ranked tensor type with static shape (cached: the same object for the same arguments)."""
    return TensorType(element, shape)


def tensor_of(array: np.ndarray) -> TensorType:
    """The tensor type of a numpy array."""
    return tensor(element_type(array.dtype), array.shape)


def shape_of(type_: Attribute) -> tuple[int, ...]:
    """Static shape of a tensor type."""
    assert isinstance(type_, TensorType)
    return type_.get_shape()


def nbytes(type_: Attribute) -> int:
    """Bytes of a tensor: ceil(elements * bits / 8), and those of the values its codes refer to."""
    assert isinstance(type_, TensorType)
    n = 1
    for d in type_.get_shape():
        n *= d
    element = type_.element_type
    return -(-n * bits(element) // 8) + (element.table_bytes if isinstance(element, Quantized) else 0)


@lru_cache(4096)
def tensor_text(type_: Attribute) -> str:
    """Short text of a tensor type for messages and tables: `1x64x56x56 f32`, `scalar f32`."""
    assert isinstance(type_, TensorType)
    dims = "x".join(map(str, type_.get_shape())) or "scalar"
    return f"{dims} {type_name(type_.element_type)}"
