"""Operators of PULP's integer networks, as Deeploy runs them: tensors of floats that hold whole numbers.

RequantShift in any network of theirs, and the integer transformer of iSoftmax, iGELU and iLayerNorm
(https://github.com/pulp-platform/Deeploy, TargetLibraries/Generic).
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, numpy_helper
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import SSAValue

from dnnc.frontend.onnx.quantized import cast
from dnnc.frontend.onnx.site import Mistake, Refused, Site
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.elementwise import AddOp, ClipOp, DivOp, MaxOp, MinOp, MulOp, SubOp
from dnnc.ir.dnn.function import AbsOp, FloorOp, NegOp, SignOp, SqrtOp
from dnnc.ir.dnn.logic import ShiftRightOp
from dnnc.ir.dnn.movement import StorageCastOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.dnn.reduction import ReduceMaxOp, ReduceSumOp
from dnnc.ir.dnn.rescale import RequantShiftOp
from dnnc.ir.types import F32, I32, I64, QuantType, element_type, integer_range

WHOLE = QuantType.per_tensor(I32, 1.0)


def number(site: Site, name: str) -> int:
    """A whole number among the attributes, however it is written: a tensor of one element, a list of one, a number."""
    value = site.node.attributes.get(name)
    site.ignore(name)
    if isinstance(value, TensorProto):
        value = numpy_helper.to_array(value)
    values = np.asarray(value if value is not None else np.nan, np.float64).reshape(-1)
    if values.size != 1 or values[0] != np.rint(values[0]):
        raise Mistake(f"expected a whole number as attribute '{name}', not {values.tolist()[:4]}.", "E0211")
    return int(values[0])


def exponent(site: Site, name: str) -> int:
    """The n of an attribute that is 2^n."""
    value = number(site, name)
    if value < 1 or value & value - 1:
        raise Refused(f"expected a power of two as attribute '{name}', not {value}.", "E0207")
    return value.bit_length() - 1


def whole(site: Site, i: int, kind: type[np.integer]) -> SSAValue:
    """A constant input of whole numbers in an integer type."""
    values = site.constant(i).astype(np.float64)
    info = np.iinfo(kind)
    if np.any(values != np.rint(values)) or np.any((values < info.min) | (values > info.max)):
        raise Mistake(f"expected {info.bits}-bit whole numbers as input {site.input_name(i)}, not others.", "E0213")
    return site.const(values.astype(kind))


def requant_shift(site: Site) -> SSAValue:
    """RequantShift: clip((x * mul + add + div / 2) >> log2(div)) to n_levels, from 0 or, signed, from -n_levels / 2."""
    levels = number(site, "n_levels_out" if site.given("n_levels_out") else "n_levels")
    shift, signed = exponent(site, "div"), number(site, "signed")
    low, high = (-levels // 2, (levels - 1) // 2) if signed else (0, levels - 1)
    real = not isinstance(site.element(), IntegerType)
    x = site.operand(0)
    x = site.emit(QuantizeOp, cast(site, x, F32), to=WHOLE) if real else _stored(site, cast(site, x, I32))
    to = _type(low, high)
    y = site.emit(RequantShiftOp, x, whole(site, 1, np.int32), whole(site, 2, np.int64), shift=shift, to=to)
    if (low, high) != integer_range(to.storage):
        y = site.emit(ClipOp, y, low=float(low), high=float(high))
    return cast(site, site.emit(DequantizeOp, y), site.element())


def _stored(site: Site, x: SSAValue) -> SSAValue:
    return site.emit(StorageCastOp, x, to=WHOLE)


def _type(low: int, high: int) -> QuantType:
    for kind in (np.int8, np.uint8, np.int16, np.uint16):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return QuantType.per_tensor(element_type(kind), 1.0)
    raise Refused(f"expected at most 65536 levels, not {high - low + 1}.", "E0207")


class _Integers:
    """Arithmetic of a node on 64-bit integers."""

    def __init__(self, site: Site):
        self.site = site

    def input(self, i: int) -> SSAValue:
        """An input as integers."""
        return cast(self.site, self.site.operand(i), I64)

    def __call__(self, kind: type[DnnOp], *values: SSAValue | int, **params: object) -> SSAValue:
        """An operation on values and numbers."""
        operands = [self.site.const(np.array(v, np.int64)) if isinstance(v, int) else v for v in values]
        return self.site.emit(kind, *operands, **params)

    def result(self, y: SSAValue) -> SSAValue:
        """The integers in the element type of the first input."""
        return cast(self.site, y, self.site.element())

    def sum(self, x: SSAValue) -> SSAValue:
        """The sum over the last dimension, which stays."""
        return self(ReduceSumOp, x, axes=(self.site.rank() - 1,), keepdims=True)


def i_gelu(site: Site) -> SSAValue:
    """iGELU: x * ((one + sign(x) * (one - (min(|x|, -b) + b)^2)) >> 1), integers."""
    b, one = number(site, "b"), number(site, "one")
    site.ignore("D", "n_levels", "totScaler")
    n = _Integers(site)
    x = n.input(0)
    d = n(AddOp, n(MinOp, n(AbsOp, x), -b), b)
    erf = n(MulOp, n(SignOp, x), n(SubOp, one, n(MulOp, d, d)))
    return n.result(n(MulOp, x, n(ShiftRightOp, n(AddOp, erf, one), 1)))


def i_softmax(site: Site) -> SSAValue:
    """iSoftmax: (n_levels - 1) * e / sum(e), e = (A * (p + B)^2 + C) >> z for x - max(x) = p - z * log2; along the last axis."""
    a, b, c, log2 = (number(site, name) for name in ("coeffA", "coeffB", "coeffC", "log2"))
    levels, last = number(site, "n_levels"), site.rank() - 1
    if site.int("axis", -1) not in (-1, last):
        raise Refused("expected the last axis, not another.", "E0207")
    n = _Integers(site)
    x = n.input(0)
    x = n(SubOp, x, n(ReduceMaxOp, x, axes=(last,), keepdims=True))
    z = n(MinOp, n(MaxOp, n(DivOp, n(NegOp, x), log2), 0), 31)
    p = n(AddOp, n(AddOp, x, n(MulOp, z, log2)), b)
    e = n(ShiftRightOp, n(AddOp, n(MulOp, n(MulOp, p, p), a), c), z)
    return n.result(n(DivOp, n(MulOp, e, levels - 1), n.sum(e)))


def i_layer_norm(site: Site) -> SSAValue:
    """iLayerNorm: (d * weight / isqrt(sum(d^2) / n + 1) + bias) >> log2(D), d = x - sum(x) / n; quotients truncated, last axis."""
    shift = exponent(site, "D")
    site.ignore("n_levels", "totScaler")
    n, count = _Integers(site), site.shape()[-1]
    x = n.input(0)
    d = n(SubOp, x, n(DivOp, n.sum(x), count))
    variance = n(AddOp, n(DivOp, n.sum(n(MulOp, d, d)), count), 1)
    real = cast(site, variance, element_type(np.float64))  # exact: below 2^53, and the root is rounded correctly
    deviation = cast(site, site.emit(FloorOp, site.emit(SqrtOp, real)), I64)
    y = n(DivOp, n(MulOp, d, whole(site, 1, np.int64)), deviation)
    return n.result(n(ShiftRightOp, n(AddOp, y, whole(site, 2, np.int64)), shift))


RULES = {"RequantShift": requant_shift, "iGELU": i_gelu, "iLayerNorm": i_layer_norm, "iSoftmax": i_softmax}
