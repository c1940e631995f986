"""Operators of QONNX: quantization to any number of bits, as values stay real (https://github.com/fastmachinelearning/qonnx)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xdsl.ir import SSAValue

from dnnc.frontend.onnx.site import Mistake, Refused, Site
from dnnc.ir.dnn.elementwise import AddOp, ClipOp, DivOp, MaxOp, MinOp, MulOp, SubOp, WhereOp
from dnnc.ir.dnn.function import AbsOp, CeilOp, FloorOp, RoundOp, SignOp
from dnnc.ir.dnn.logic import GreaterEqualOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.types import QuantType, along, element_type, integer_range

Rounding = Callable[[Site, SSAValue], SSAValue]


def _to_zero(site: Site, x: SSAValue) -> SSAValue:
    return site.emit(MulOp, site.emit(SignOp, x), site.emit(FloorOp, site.emit(AbsOp, x)))


ROUNDINGS: dict[str, Rounding] = {
    "ROUND": lambda site, x: site.emit(RoundOp, x),
    "CEIL": lambda site, x: site.emit(CeilOp, x),
    "FLOOR": lambda site, x: site.emit(FloorOp, x),
    "ROUND_TO_ZERO": _to_zero,
}


def _rounding(site: Site, default: str) -> str:
    name = site.string("rounding_mode", default).upper()
    if name not in ROUNDINGS:
        raise Refused(f"expected a rounding_mode of {', '.join(ROUNDINGS)}, not '{name}'.", "E0207")
    return name


def integers(site: Site, bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """Smallest and largest integer of a number of bits; `narrow` leaves out one, so that signed ones are symmetric."""
    width = site.scalar(bits)
    if width < 1 or width != int(width) or width > 32:
        raise Refused(f"expected a whole number of bits from 1 to 32, not {width}.", "E0213")
    n = int(width)
    return (-(2 ** (n - 1)) + narrow, 2 ** (n - 1) - 1) if signed else (0, 2**n - 1 - narrow)


def quant(site: Site) -> SSAValue:
    """Quant: s * (round(clip(x / s + z)) - z), as quantize and dequantize where a type holds the integers."""
    signed, narrow = site.flag("signed", True), site.flag("narrow", True)
    low, high = integers(site, 3, signed, narrow)
    rounding = _rounding(site, "ROUND")
    if site.scalar(3) == 1 and signed:
        return bipolar(site)
    type_ = _type(site, site.known(1), site.known(2), low, high) if rounding == "ROUND" else None
    return _by_arithmetic(site, low, high, rounding) if type_ is None else _by_type(site, type_, low, high)


def _type(site: Site, scale: np.ndarray | None, zero: np.ndarray | None, low: int, high: int) -> QuantType | None:
    """The quantized type with this scale and zero point: the smallest storage of 8 or 16 bits that holds all integers."""
    storages = (element_type(k) for k in (np.int8, np.uint8, np.int16, np.uint16))
    fitting = [s for s in storages if integer_range(s)[0] <= low and high <= integer_range(s)[1]]
    whole = zero is not None and np.all(zero == np.rint(zero)) and np.all((low <= zero) & (zero <= high))
    if scale is None or zero is None or not fitting or not whole or not np.all(np.isfinite(scale) & (scale > 0)):
        return None
    if scale.size == 1 == zero.size:
        return QuantType.per_tensor(fitting[0], scale.item(), int(zero.item()))
    axis = _axis(site, scale, zero)
    if axis is None:
        return None
    scales, zeros = (np.broadcast_to(v.reshape(-1), (site.shape()[axis],)) for v in (scale, zero))
    return QuantType.per_channel(fitting[0], scales, axis, zeros.astype(int).tolist())


def _axis(site: Site, scale: np.ndarray, zero: np.ndarray) -> int | None:
    """The one dimension along which scale or zero point vary; None when there are several."""
    rank = site.rank()
    shapes = [(1,) * (rank - v.ndim) + v.shape for v in (scale, zero)]
    if any(len(s) != rank for s in shapes):
        return None
    varying = {i for s in shapes for i, d in enumerate(s) if d != 1}
    return varying.pop() if len(varying) == 1 else None


def _by_type(site: Site, type_: QuantType, low: int, high: int) -> SSAValue:
    """Quantize and dequantize; what the storage holds beyond the integers is bounded first."""
    x = site.operand(0)
    if (low, high) != integer_range(type_.storage):
        bounds = [along(type_.scale * (b - type_.zero), type_.axis, site.rank()) for b in (low, high)]
        if type_.axis is None:
            x = site.emit(ClipOp, x, low=float(bounds[0]), high=float(bounds[1]))
        else:
            x = site.emit(MaxOp, x, site.const(bounds[0].astype(np.float32)))
            x = site.emit(MinOp, x, site.const(bounds[1].astype(np.float32)))
    return site.emit(DequantizeOp, site.emit(QuantizeOp, x, to=type_))


def _by_arithmetic(site: Site, low: int, high: int, rounding: str) -> SSAValue:
    """The formula, operation by operation."""
    x, scale, zero = (site.operand(i) for i in range(3))
    y = site.emit(AddOp, site.emit(DivOp, x, scale), zero)
    y = ROUNDINGS[rounding](site, site.emit(ClipOp, y, low=float(low), high=float(high)))
    return site.emit(MulOp, site.emit(SubOp, y, zero), scale)


def bipolar(site: Site) -> SSAValue:
    """BipolarQuant: s for x >= 0, else -s."""
    x, scale = site.operand(0), site.operand(1)
    type_ = _type(site, site.known(1), np.zeros(1), -1, 1)
    if isinstance(type_, QuantType) and type_.axis is None and site.rank():
        sign = site.emit(ThresholdOp, x, site.const(np.zeros((1, 1), np.float32)), to=type_, axis=0, first=-1, step=2)
        return site.emit(DequantizeOp, sign)
    y = site.emit(WhereOp, site.emit(GreaterEqualOp, x, site.like(0)), site.like(1), site.like(-1))
    y = site.emit(MulOp, y, scale)
    return y if type_ is None else site.emit(DequantizeOp, site.emit(QuantizeOp, y, to=type_))


def trunc(site: Site) -> SSAValue:
    """Trunc: low bits of the integers taken away; of 7 inputs the last are scale, zero point and bits of the result."""
    rounding, count = _rounding(site, "FLOOR"), len(site.node.inputs)
    if count not in (5, 7):
        raise Mistake(f"expected 5 or 7 inputs, not {count}.", "E0209")
    scale, zero = site.constant(1), site.constant(2)
    target = site.constant(4) if count == 7 else scale
    dropped = np.rint(np.log2(target / scale)) if count == 7 else site.constant(3) - site.constant(4)
    factor = 2.0**dropped
    y = site.emit(AddOp, site.emit(DivOp, site.operand(0), site.operand(1)), site.operand(2))
    y = site.emit(DivOp, site.emit(RoundOp, y), site.const(factor.astype(np.float32)))
    if count == 7:
        low, high = integers(site, 6, site.flag("signed", True), site.flag("narrow"))
        y, zero = site.emit(ClipOp, y, low=float(low), high=float(high)), zero / factor
    y = site.emit(SubOp, ROUNDINGS[rounding](site, y), site.const(zero.astype(np.float32)))
    return site.emit(MulOp, y, site.const(target.astype(np.float32)))


RULES = {"BipolarQuant": bipolar, "IntQuant": quant, "Quant": quant, "Trunc": trunc}
