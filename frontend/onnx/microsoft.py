"""Operators of ONNX Runtime's own domain, `com.microsoft`: the integer ones of its quantizer."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dnnc.frontend.onnx import quantized as q
from dnnc.frontend.onnx.site import Refused, Site
from dnnc.ir.dnn.movement import TransposeOp


def _pool(operator: str):
    """A pool of integers, channels first or, under `channels_last`, last."""

    def rule(site: Site) -> SSAValue:
        last, rank = site.flag("channels_last"), site.rank()
        x = q.real_input(site, 0)
        if last:
            x = site.emit(TransposeOp, x, perm=(0, rank - 1, *range(1, rank - 1)))
        y = site.apply(operator, [x], drop=("channels_last",))
        if last:
            y = site.emit(TransposeOp, y, perm=(0, *range(2, rank), 1))
        return q.quantized(site, y, q.output_scale(site, 3), q.RUNTIME)

    rule.__doc__ = f"`{operator}` between dequantize and quantize; `channels_last` by transposes."
    return rule


def _softmax(site: Site) -> SSAValue:
    """QLinearSoftmax: for a model of an opset below 13 over the last axis only."""
    if site.int("opset") < 13 and site.int("axis", -1) not in (-1, site.rank() - 1):
        raise Refused("expected the last axis for an opset below 13. Use a newer opset.", "E0207")
    return q.qlinear("Softmax", 0, result=3, drop=("opset",))(site)


def _dynamic_quantize_matmul(site: Site) -> SSAValue:
    """DynamicQuantizeMatMul: the first operand quantized to uint8 by its own range, then the real product."""
    a = site.operand(0)
    codes = site.importer.apply("DynamicQuantizeLinear", site.node, [a], {}, results=3)
    (real,) = site.importer.apply("DequantizeLinear", site.node, codes, {})
    b = q.dequantized(site, 1, q.Scaled(site, 2, 3, site.element(1), site.rank(1) - 1))
    y = site.apply("MatMul", [real, b])
    return q.added(site, y, 4)


RULES = {
    "DequantizeLinear": q.dequantize_linear,
    "DynamicQuantizeMatMul": _dynamic_quantize_matmul,
    "MatMulIntegerToFloat": q.matmul_integer_to_float,
    "QGemm": q.qgemm,
    "QLinearAdd": q.qlinear("Add", 0, 3, result=6),
    "QLinearAveragePool": _pool("AveragePool"),
    "QLinearConcat": q.qlinear_concat,
    "QLinearConv": q.qlinear_conv,
    "QLinearGlobalAveragePool": _pool("GlobalAveragePool"),
    "QLinearLeakyRelu": q.qlinear("LeakyRelu", 0, result=3),
    "QLinearMul": q.qlinear("Mul", 0, 3, result=6),
    "QLinearSigmoid": q.qlinear("Sigmoid", 0, result=3),
    "QLinearSoftmax": _softmax,
    "QLinearWhere": q.qlinear("Where", 1, 4, result=7, plain=(0,)),
    "QuantizeLinear": q.quantize_linear,
}
