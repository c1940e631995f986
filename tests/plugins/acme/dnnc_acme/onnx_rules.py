"""Which operations the operators of com.acme become."""

from dnnc.frontend.onnx.table import op
from dnnc.ir.dnn.elementwise import MulOp
from dnnc.ir.dnn.function import ErfOp
from dnnc_acme.operations import RotateHalfOp, SnakeOp


def erf_gate(site):
    """ErfGate(x) = x * erf(beta * x), of operations dnnc has."""
    x = site.operand(0)
    return site.emit(MulOp, x, site.emit(ErfOp, site.emit(MulOp, x, site.like(site.float("beta", 1.0)))))


RULES = {"ErfGate": erf_gate, "RotateHalf": op(RotateHalfOp), "Snake": op(SnakeOp, alpha=1.0)}
