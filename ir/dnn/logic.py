"""Truth and bits: comparisons, boolean and bitwise operations."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.irdl import irdl_op_definition, opt_prop_def

from dnnc.ir import scalar as S
from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.elementwise import Binary, FloatUnary, Unary
from dnnc.ir.types import I1, type_name


class Comparison(Binary):
    """y = a ? b as i1."""

    COMPARES: ClassVar[bool] = True


class Logical(Binary):
    """y = f(a, b) on booleans."""

    def infer(self) -> TensorType:
        expect(
            self.element() == I1 and self.element(1) == I1, "boolean operands", type_name(self.element()), code="E0428"
        )
        return super().infer()


class Bitwise(Binary):
    """y = f(a, b) on the bits of integers."""

    FLOATS: ClassVar[bool] = False


@irdl_op_definition
class LessOp(Comparison):
    """y = a < b."""

    name = "dnn.less"

    def scalar(self, a, b):
        return a < b


@irdl_op_definition
class LessEqualOp(Comparison):
    """y = a <= b."""

    name = "dnn.less_equal"

    def scalar(self, a, b):
        return a <= b


@irdl_op_definition
class GreaterOp(Comparison):
    """y = a > b."""

    name = "dnn.greater"

    def scalar(self, a, b):
        return a > b


@irdl_op_definition
class GreaterEqualOp(Comparison):
    """y = a >= b."""

    name = "dnn.greater_equal"

    def scalar(self, a, b):
        return a >= b


@irdl_op_definition
class EqualOp(Comparison):
    """y = (a == b)."""

    name = "dnn.equal"

    def scalar(self, a, b):
        return S.eq(a, b)


@irdl_op_definition
class AndOp(Logical):
    """y = a and b."""

    name = "dnn.and"

    def scalar(self, a, b):
        return S.logical_and(a, b)


@irdl_op_definition
class OrOp(Logical):
    """y = a or b."""

    name = "dnn.or"

    def scalar(self, a, b):
        return S.logical_or(a, b)


@irdl_op_definition
class XorOp(Logical):
    """y = a xor b."""

    name = "dnn.xor"

    def scalar(self, a, b):
        return S.logical_xor(a, b)


@irdl_op_definition
class BitAndOp(Bitwise):
    """y = a & b, bit by bit."""

    name = "dnn.bit_and"

    def scalar(self, a, b):
        return S.bit_and(a, b)


@irdl_op_definition
class BitOrOp(Bitwise):
    """y = a | b, bit by bit."""

    name = "dnn.bit_or"

    def scalar(self, a, b):
        return S.bit_or(a, b)


@irdl_op_definition
class BitXorOp(Bitwise):
    """y = a ^ b, bit by bit."""

    name = "dnn.bit_xor"

    def scalar(self, a, b):
        return S.bit_xor(a, b)


@irdl_op_definition
class ShiftLeftOp(Bitwise):
    """y = a * 2^b, bits beyond the width lost."""

    name = "dnn.shift_left"

    def scalar(self, a, b):
        return S.shift_left(a, b)


@irdl_op_definition
class ShiftRightOp(Bitwise):
    """y = floor(a / 2^b)."""

    name = "dnn.shift_right"

    def scalar(self, a, b):
        return S.shift_right(a, b)


@irdl_op_definition
class NotOp(Unary):
    """y = not x, on booleans."""

    name = "dnn.not"

    def scalar(self, x):
        return S.logical_not(x)

    def infer(self) -> TensorType:
        expect(self.element() == I1, "a boolean operand", type_name(self.element()), code="E0428")
        return super().infer()


@irdl_op_definition
class BitNotOp(Unary):
    """y = ~x, every bit inverted."""

    name = "dnn.bit_not"
    FLOATS: ClassVar[bool] = False

    def scalar(self, x):
        return S.bit_not(x)


@irdl_op_definition
class IsNaNOp(FloatUnary):
    """y = whether x is not a number."""

    name = "dnn.is_nan"
    COMPARES: ClassVar[bool] = True

    def scalar(self, x):
        return S.isnan(x)


@irdl_op_definition
class IsInfOp(FloatUnary):
    """y = whether x is +infinity (unless `no_positive`) or -infinity (unless `no_negative`)."""

    name = "dnn.is_inf"
    COMPARES: ClassVar[bool] = True
    no_positive = opt_prop_def(UnitAttr)
    no_negative = opt_prop_def(UnitAttr)

    def scalar(self, x):
        if self.no_positive and self.no_negative:
            return S.logical_and(S.isnan(x), S.logical_not(S.isnan(x)))
        if self.no_positive:
            return S.isneginf(x)
        if self.no_negative:
            return S.isposinf(x)
        return S.logical_or(S.isposinf(x), S.isneginf(x))
