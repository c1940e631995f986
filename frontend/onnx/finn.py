"""Operators of FINN: activations as thresholds (https://github.com/Xilinx/finn)."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dnnc.frontend.onnx.site import Mistake, Refused, Site
from dnnc.ir.dnn.elementwise import AddOp, MulOp
from dnnc.ir.dnn.quantize import DequantizeOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.types import QuantType, element_names, integer_range


def multi_threshold(site: Site) -> SSAValue:
    """MultiThreshold: out_scale * (number of thresholds not above x) + out_bias, thresholds for each channel."""
    site.ignore("out_dtype")
    scale, bias = site.float("out_scale", 1.0), site.float("out_bias", 0.0)
    layout = site.word("data_layout", "NCHW", "NHWC")
    rank, thresholds = site.rank(), site.shape(1)
    if len(thresholds) != 2:
        raise Mistake(f"expected thresholds of rank 2, not {list(thresholds)}.", "E0418")
    axis = 1 if layout == "NCHW" and rank in (2, 4) else rank - 1
    first, step = _integers(scale, bias)
    type_ = _type(scale / step if first is not None else 1.0, first or 0, (first or 0) + step * thresholds[1])
    params = {"to": type_, "axis": axis, "first": first or 0, "step": step}
    y = site.emit(DequantizeOp, site.emit(ThresholdOp, site.operand(0), site.operand(1), **params))
    return y if first is not None else site.emit(AddOp, site.emit(MulOp, y, site.like(scale)), site.like(bias))


def _integers(scale: float, bias: float) -> tuple[int | None, int]:
    """(first, step) with bias = first * u and scale = step * u for a unit u; no first when bias is no multiple of scale / 2."""
    for step in (1, 2):
        first = bias * step / scale if scale > 0 else 0.5
        if first == int(first):
            return int(first), step
    return None, 1


def _type(scale: float, first: int, last: int) -> QuantType:
    """The type of the counts: the smallest storage that holds them."""
    names = element_names()
    for name in ("i8", "ui8", "i16", "ui16", "i32"):
        low, high = integer_range(names[name])
        if low <= min(first, last) and max(first, last) <= high:
            return QuantType.per_tensor(names[name], scale)
    raise Refused(f"expected results of at most 32 bits, not {first} to {last}.", "E0213")


RULES = {"MultiThreshold": multi_threshold}
