"""Functions of one variable: sign, roots, exponentials, rounding, trigonometry."""

from __future__ import annotations

from xdsl.irdl import irdl_op_definition

from dnnc.ir import scalar as S
from dnnc.ir.dnn.elementwise import FloatUnary, Unary


@irdl_op_definition
class NegOp(Unary):
    """y = -x."""

    name = "dnn.neg"

    def scalar(self, x):
        return -x


@irdl_op_definition
class AbsOp(Unary):
    """y = |x|."""

    name = "dnn.abs"

    def scalar(self, x):
        return S.abs(x)


@irdl_op_definition
class SignOp(Unary):
    """y = sign(x): -1, 0 or 1."""

    name = "dnn.sign"

    def scalar(self, x):
        return S.sign(x)


@irdl_op_definition
class SqrtOp(FloatUnary):
    """y = sqrt(x)."""

    name = "dnn.sqrt"

    def scalar(self, x):
        return S.sqrt(x)


@irdl_op_definition
class ReciprocalOp(FloatUnary):
    """y = 1 / x."""

    name = "dnn.reciprocal"

    def scalar(self, x):
        return 1.0 / x


@irdl_op_definition
class ExpOp(FloatUnary):
    """y = e^x."""

    name = "dnn.exp"

    def scalar(self, x):
        return S.exp(x)


@irdl_op_definition
class LogOp(FloatUnary):
    """y = ln(x)."""

    name = "dnn.log"

    def scalar(self, x):
        return S.log(x)


@irdl_op_definition
class ErfOp(FloatUnary):
    """y = erf(x) = 2/sqrt(pi) * integral of e^(-t^2) from 0 to x."""

    name = "dnn.erf"

    def scalar(self, x):
        return S.erf(x)


@irdl_op_definition
class FloorOp(FloatUnary):
    """y = the largest integer not above x."""

    name = "dnn.floor"

    def scalar(self, x):
        return S.floor(x)


@irdl_op_definition
class CeilOp(FloatUnary):
    """y = the smallest integer not below x."""

    name = "dnn.ceil"

    def scalar(self, x):
        return S.ceil(x)


@irdl_op_definition
class RoundOp(FloatUnary):
    """y = x rounded to the nearest integer, ties to even."""

    name = "dnn.round"

    def scalar(self, x):
        return S.round(x)


@irdl_op_definition
class SinOp(FloatUnary):
    """y = sin(x), the sine."""

    name = "dnn.sin"

    def scalar(self, x):
        return S.sin(x)


@irdl_op_definition
class CosOp(FloatUnary):
    """y = cos(x), the cosine."""

    name = "dnn.cos"

    def scalar(self, x):
        return S.cos(x)


@irdl_op_definition
class TanOp(FloatUnary):
    """y = tan(x), the tangent."""

    name = "dnn.tan"

    def scalar(self, x):
        return S.tan(x)


@irdl_op_definition
class AsinOp(FloatUnary):
    """y = asin(x), the inverse sine."""

    name = "dnn.asin"

    def scalar(self, x):
        return S.asin(x)


@irdl_op_definition
class AcosOp(FloatUnary):
    """y = acos(x), the inverse cosine."""

    name = "dnn.acos"

    def scalar(self, x):
        return S.acos(x)


@irdl_op_definition
class AtanOp(FloatUnary):
    """y = atan(x), the inverse tangent."""

    name = "dnn.atan"

    def scalar(self, x):
        return S.atan(x)


@irdl_op_definition
class SinhOp(FloatUnary):
    """y = sinh(x), the hyperbolic sine."""

    name = "dnn.sinh"

    def scalar(self, x):
        return S.sinh(x)


@irdl_op_definition
class CoshOp(FloatUnary):
    """y = cosh(x), the hyperbolic cosine."""

    name = "dnn.cosh"

    def scalar(self, x):
        return S.cosh(x)


@irdl_op_definition
class AsinhOp(FloatUnary):
    """y = asinh(x), the inverse hyperbolic sine."""

    name = "dnn.asinh"

    def scalar(self, x):
        return S.asinh(x)


@irdl_op_definition
class AcoshOp(FloatUnary):
    """y = acosh(x), the inverse hyperbolic cosine."""

    name = "dnn.acosh"

    def scalar(self, x):
        return S.acosh(x)


@irdl_op_definition
class AtanhOp(FloatUnary):
    """y = atanh(x), the inverse hyperbolic tangent."""

    name = "dnn.atanh"

    def scalar(self, x):
        return S.atanh(x)
