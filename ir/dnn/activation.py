"""Activations: elementwise functions with a name of their own in the field."""

from __future__ import annotations

import math

from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, opt_prop_def

from dnnc.ir import scalar as S
from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Real, Word
from dnnc.ir.dnn.elementwise import FloatUnary, Unary


@irdl_op_definition
class ReluOp(Unary):
    """y = max(x, 0)."""

    name = "dnn.relu"

    def scalar(self, x):
        return S.maximum(x, 0)


@irdl_op_definition
class LeakyReluOp(FloatUnary):
    """y = x for x >= 0, else alpha * x."""

    name = "dnn.leaky_relu"
    alpha = opt_prop_def(Real, default_value=Real(0.01))

    def scalar(self, x):
        return S.where(x < 0, self.alpha.data * x, x)


@irdl_op_definition
class EluOp(FloatUnary):
    """y = x for x >= 0, else alpha * (e^x - 1)."""

    name = "dnn.elu"
    alpha = opt_prop_def(Real, default_value=Real(1.0))

    def scalar(self, x):
        return S.where(x < 0, self.alpha.data * S.expm1(x), x)


@irdl_op_definition
class SeluOp(FloatUnary):
    """y = gamma * x for x > 0, else gamma * alpha * (e^x - 1)."""

    name = "dnn.selu"
    alpha = opt_prop_def(Real, default_value=Real(1.6732632423543772848170429916717))
    gamma = opt_prop_def(Real, default_value=Real(1.0507009873554804934193349852946))

    def scalar(self, x):
        return self.gamma.data * S.where(x > 0, x, self.alpha.data * S.expm1(x))


@irdl_op_definition
class CeluOp(FloatUnary):
    """y = max(0, x) + min(0, alpha * (e^(x / alpha) - 1))."""

    name = "dnn.celu"
    alpha = opt_prop_def(Real, default_value=Real(1.0))

    def scalar(self, x):
        return S.maximum(x, 0) + S.minimum(self.alpha.data * S.expm1(x / self.alpha.data), 0)


@irdl_op_definition
class SigmoidOp(FloatUnary):
    """y = 1 / (1 + e^-x)."""

    name = "dnn.sigmoid"

    def scalar(self, x):
        return 1.0 / (1.0 + S.exp(-x))


@irdl_op_definition
class HardSigmoidOp(FloatUnary):
    """y = max(0, min(1, alpha * x + beta))."""

    name = "dnn.hard_sigmoid"
    alpha = opt_prop_def(Real, default_value=Real(0.2))
    beta = opt_prop_def(Real, default_value=Real(0.5))

    def scalar(self, x):
        return S.maximum(S.minimum(self.alpha.data * x + self.beta.data, 1), 0)


@irdl_op_definition
class HardSwishOp(FloatUnary):
    """y = x * max(0, min(1, x / 6 + 1/2))."""

    name = "dnn.hard_swish"

    def scalar(self, x):
        return x * S.maximum(S.minimum(x * (1.0 / 6.0) + 0.5, 1), 0)


@irdl_op_definition
class TanhOp(FloatUnary):
    """y = tanh(x)."""

    name = "dnn.tanh"

    def scalar(self, x):
        return S.tanh(x)


@irdl_op_definition
class SoftplusOp(FloatUnary):
    """y = ln(1 + e^x), computed without overflow."""

    name = "dnn.softplus"

    def scalar(self, x):
        return S.maximum(x, 0) + S.log1p(S.exp(-S.abs(x)))


@irdl_op_definition
class SoftsignOp(FloatUnary):
    """y = x / (1 + |x|)."""

    name = "dnn.softsign"

    def scalar(self, x):
        return x / (1.0 + S.abs(x))


@irdl_op_definition
class ThresholdedReluOp(FloatUnary):
    """y = x for x > alpha, else 0."""

    name = "dnn.thresholded_relu"
    alpha = opt_prop_def(Real, default_value=Real(1.0))

    def scalar(self, x):
        return S.where(x > self.alpha.data, x, x * 0)


@irdl_op_definition
class MishOp(FloatUnary):
    """y = x * tanh(ln(1 + e^x))."""

    name = "dnn.mish"

    def scalar(self, x):
        return x * S.tanh(S.maximum(x, 0) + S.log1p(S.exp(-S.abs(x))))


@irdl_op_definition
class SwishOp(FloatUnary):
    """y = x / (1 + e^(-alpha * x))."""

    name = "dnn.swish"
    alpha = opt_prop_def(Real, default_value=Real(1.0))

    def scalar(self, x):
        return x / (1.0 + S.exp(-self.alpha.data * x))


@irdl_op_definition
class ShrinkOp(Unary):
    """y = x + bias for x < -lambd, x - bias for x > lambd, else 0."""

    name = "dnn.shrink"
    lambd = opt_prop_def(Real, default_value=Real(0.5))
    bias = opt_prop_def(Real, default_value=Real(0.0))

    def scalar(self, x):
        return S.where(
            x < -self.lambd.data, x + self.bias.data, S.where(x > self.lambd.data, x - self.bias.data, x * 0)
        )


@irdl_op_definition
class GeluOp(FloatUnary):
    """y = x/2 * (1 + erf(x / sqrt(2))); with approximate = tanh, x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))."""

    name = "dnn.gelu"
    approximate = opt_prop_def(Word, default_value=Word("none"))

    def infer(self) -> TensorType:
        expect(
            self.approximate.data in ("none", "tanh"), "approximate none or tanh", self.approximate.data, code="E0432"
        )
        return super().infer()

    def scalar(self, x):
        if self.approximate.data == "tanh":
            return 0.5 * x * (1.0 + S.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
        return 0.5 * x * (1.0 + S.erf(x * math.sqrt(0.5)))
