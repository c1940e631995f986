"""The dialect `acme`, and the operators of the ONNX domain com.acme that become it."""

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, result_def

from dnnc.ir import scalar as S
from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Real
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.domains import Domain
from dnnc.ir.dnn.elementwise import FloatUnary


@irdl_op_definition
class SnakeOp(FloatUnary):
    """y = x + sin(alpha * x)^2 / alpha."""

    name = "acme.snake"
    alpha = opt_prop_def(Real, default_value=Real(1.0))

    def scalar(self, x):
        s = S.sin(self.alpha.data * x)
        return x + s * s / self.alpha.data


@irdl_op_definition
class RotateHalfOp(DnnOp):
    """y = [-b, a] for x = [a, b], halves of the last dimension."""

    name = "acme.rotate_half"
    x = operand_def(TensorType)
    result = result_def(TensorType)

    def infer(self):
        expect(
            self.shape()[-1:] and self.shape()[-1] % 2 == 0, "an even last dimension", list(self.shape()), code="E0439"
        )
        return self.x.type

    def evaluate(self, x):
        a, b = np.split(x, 2, axis=-1)
        return np.concatenate([-b, a], axis=-1)


def onnx_rules():
    """Rules of com.acme; imported when a model has one of its operators."""
    from dnnc_acme.onnx_rules import RULES

    return RULES


DOMAIN = Domain((SnakeOp, RotateHalfOp), "com.acme", onnx_rules)
