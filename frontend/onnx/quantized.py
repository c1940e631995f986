"""Quantized tensors: between integers and real numbers, and the operators that compute on integers in between.

A quantized operator is written as the real one between dequantize and quantize; `quantize-lower` makes integers of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import SSAValue

from dnnc.frontend.onnx.site import Mistake, Refused, Site
from dnnc.ir.blocks import BlockType
from dnnc.ir.codes import Scaled as ScaledFloat
from dnnc.ir.codes import ScaledType, Scales, WeightCode
from dnnc.ir.dnn.elementwise import AddOp, CastOp, ClipOp, DivOp, MulOp, SubOp
from dnnc.ir.dnn.function import RoundOp
from dnnc.ir.dnn.movement import ExpandOp, ReshapeOp, SliceOp, StorageCastOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import (
    F32,
    I32,
    Quantized,
    QuantType,
    bits,
    element_type,
    integer_range,
    is_float,
    shape_of,
    storage_type,
    tensor,
    type_name,
)

RUNTIME = "f32_half_even"  # how ONNX Runtime's integer kernels round: one float32 multiplication, ties to even


def quantize_linear(site: Site) -> SSAValue:
    """QuantizeLinear: a quantized type where scale and zero point are known, else the arithmetic of its definition."""
    axis, block = site.int("axis", 1), site.int("block_size", 0)
    overflow = not site.flag("saturate", True)
    to, precision = site.int("output_dtype", 0), site.int("precision", 0)
    if precision and site.element_type(precision) != site.element(1):
        raise Refused("expected a precision that is the type of the scale, not another.", "E0207")
    storage = site.element(2) if site.has(2) else site.element_type(to) if to else element_type(np.uint8)
    return quantized(site, site.operand(0), Scaled(site, 1, 2, storage, axis, block), overflow=overflow)


def dequantize_linear(site: Site) -> SSAValue:
    """DequantizeLinear: constants stay the integers they are."""
    axis, block = site.int("axis", 1), site.int("block_size", 0)
    to = site.int("output_dtype", 0)
    return dequantized(site, 0, Scaled(site, 1, 2, site.element(), axis, block), site.element_type(to) if to else None)


class Scaled:
    """Scale and zero point among the inputs of a node: for the whole tensor, along an axis, or for blocks along it."""

    def __init__(self, site: Site, scale: int, zero: int, storage: Any, axis: int = 0, block: int = 0):
        self.site, self.scale, self.zero, self.storage = site, scale, zero, storage
        self.axis, self.block = axis, block
        if site.has(zero) and site.element(zero) != storage:
            got, name = type_name(site.element(zero)), site.input_name(zero)
            raise Mistake(f"expected {type_name(storage)} as input {name}, not {got}.", "E0427")

    def type(self, shape: Sequence[int]) -> QuantType | None:
        """The quantized type of a tensor of this shape; None when no type says it: computed, blocked, not f32, no integers."""
        scale = self.site.known(self.scale)
        zero = self.site.known(self.zero) if self.site.has(self.zero) else np.zeros(1, np.int64)
        if scale is None or zero is None or self.block or not isinstance(self.storage, IntegerType):
            return None
        if scale.dtype != np.float32 or not np.all(np.isfinite(scale) & (scale > 0)):
            return None
        if scale.size == 1 == zero.size:
            return QuantType.per_tensor(self.storage, scale.item(), int(zero.item()))
        axis, n = self.normal_axis(shape), scale.size
        zeros = np.broadcast_to(zero.reshape(-1).astype(np.int64), (n,)).tolist()
        return QuantType.per_channel(self.storage, scale.reshape(-1), axis, zeros)

    def code(self, shape: Sequence[int]) -> QuantType | WeightCode | None:
        """The type of a constant: also one of blocks, or of scaled floats."""
        scale = self.site.known(self.scale)
        if scale is None or scale.dtype != np.float32 or not np.all(np.isfinite(scale) & (scale > 0)):
            return None
        if isinstance(self.storage, IntegerType):
            return self._blocks(scale, shape) if self.block else self.type(shape)
        axis = None if scale.size == 1 else self.normal_axis(shape)
        narrow = bits(self.storage) <= 16 and not self.block
        return ScaledType(ScaledFloat(self.storage, Scales.of(scale, axis))) if narrow else None

    def _blocks(self, scale: np.ndarray, shape: Sequence[int]) -> BlockType | None:
        axis = self.normal_axis(shape)
        zero = self.site.known(self.zero) if self.site.has(self.zero) else np.zeros(scale.shape, np.int64)
        if zero is None or bits(self.storage) > 16:
            return None
        size = tuple(self.block if i == axis else 1 for i in range(len(shape)))
        return BlockType.of(self.storage, size, scale, zero)

    def normal_axis(self, shape: Sequence[int]) -> int:
        """The axis counted from the start, verified against scale and zero point."""
        rank = len(shape)
        if not -rank <= self.axis < rank:
            raise Mistake(f"expected an axis in [{-rank}, {rank - 1}], not {self.axis}.", "E0413")
        axis = self.axis % rank
        blocks = -(-shape[axis] // self.block) if self.block else shape[axis]
        fits = (tuple(blocks if i == axis else d for i, d in enumerate(shape)),) if self.block else ((blocks,),)
        for i in (self.scale, self.zero):
            if self.site.has(i) and self.site.shape(i) not in (*fits, *(() if self.block else ((), (1,)))):
                want, name = list(fits[0]), self.site.input_name(i)
                raise Mistake(f"expected input {name} of shape {want}, not {list(self.site.shape(i))}.", "E0442")
        return axis

    def spread(self, i: int, shape: Sequence[int]) -> SSAValue:
        """Scale or zero point as a value that broadcasts to a tensor of this shape."""
        site, own = self.site, self.site.shape(i)
        v = site.operand(i)
        if np.prod(own) == 1 and not self.block:
            return reshaped(site, v, ())
        axis = self.normal_axis(shape)
        if not self.block:
            return reshaped(site, v, (shape[axis], *(1,) * (len(shape) - axis - 1)))
        apart = (*own[: axis + 1], 1, *own[axis + 1 :])
        repeated = (*own[: axis + 1], self.block, *own[axis + 1 :])
        v = site.emit(ExpandOp, reshaped(site, v, apart), shape=repeated)
        v = reshaped(site, v, (*own[:axis], own[axis] * self.block, *own[axis + 1 :]))
        return v if shape_of(v.type) == tuple(shape) else site.emit(SliceOp, v, start=(0,) * len(shape), size=shape)


def reshaped(site: Site, v: SSAValue, shape: Sequence[int]) -> SSAValue:
    """A value with another shape."""
    return v if shape_of(v.type) == tuple(shape) else site.emit(ReshapeOp, v, shape=tuple(shape))


def cast(site: Site, v: SSAValue, to: Any) -> SSAValue:
    """A value in another element type."""
    return v if v.type.element_type == to else site.emit(CastOp, v, to=to)  # pyright: ignore[reportAttributeAccessIssue]


def stored_as(site: Site, v: SSAValue, type_: Quantized) -> SSAValue:
    """Integers read as values of a quantized type; a constant keeps its key, what was quantized so is as it was."""
    made, want = v.owner, tensor(type_, shape_of(v.type))
    if isinstance(made, StorageCastOp) and made.x.type == want:
        return made.x
    if isinstance(made, ConstOp):
        return site.importer.program.append(made.read_as(want, site.importer.program.store))[0]
    return site.emit(StorageCastOp, v, to=type_)


def integers(site: Site, v: SSAValue) -> SSAValue:
    """The stored integers of a quantized value."""
    return site.emit(StorageCastOp, v, to=storage_type(v.type.element_type))  # pyright: ignore


def quantized(site: Site, x: SSAValue, to: Scaled, rounding: str | None = None, overflow: bool = False) -> SSAValue:
    """The integers of a real value; `rounding` is how the runtime of the model rounds integer sums here.

    Floats of 8 bits saturate, unless they `overflow`.
    """
    shape = shape_of(x.type)
    type_, real = to.type(shape), site.element(to.scale)
    own = x.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    if type_ is not None and own in (F32, I32):
        params = {} if rounding is None else {"rounding": rounding}
        return integers(site, site.emit(QuantizeOp, cast(site, x, F32), to=type_, **params))
    ratio = site.emit(DivOp, cast(site, x, real), to.spread(to.scale, shape))
    if is_float(to.storage):
        return site.emit(CastOp, ratio, to=to.storage, overflow=overflow and bits(to.storage) == 8)
    q = site.emit(RoundOp, cast(site, ratio, F32))
    if site.has(to.zero):
        q = site.emit(AddOp, q, cast(site, to.spread(to.zero, shape), F32))
    low, high = integer_range(to.storage)
    return site.emit(CastOp, site.emit(ClipOp, q, low=float(low), high=float(high)), to=to.storage)


def dequantized(site: Site, i: int, at: Scaled, to: Any = None) -> SSAValue:
    """The real values of an input that holds integers."""
    shape, real = site.shape(i), to or site.element(at.scale)
    type_ = at.code(shape) if isinstance(site.operand(i).owner, ConstOp) else at.type(shape)
    if type_ is not None:
        return cast(site, site.emit(DequantizeOp, stored_as(site, site.operand(i), type_)), real)
    q = cast(site, site.operand(i), I32 if isinstance(at.storage, IntegerType) else F32)
    if site.has(at.zero) and isinstance(at.storage, IntegerType):
        q = site.emit(SubOp, q, cast(site, at.spread(at.zero, shape), I32))
    scale = cast(site, at.spread(at.scale, shape), F32)
    return cast(site, site.emit(MulOp, cast(site, q, F32), scale), real)


# Operators on integers


def real_input(site: Site, i: int, axis: int = 0) -> SSAValue:
    """The real values of inputs i, i + 1, i + 2: integers, scale, zero point."""
    return dequantized(site, i, Scaled(site, i + 1, i + 2, site.element(i), axis))


def output_scale(site: Site, i: int, like: int = 0) -> Scaled:
    """Scale and zero point of the result, inputs i and i + 1; its type is that of input `like` when there is no zero point."""
    return Scaled(site, i, i + 1, site.element(i + 1) if site.has(i + 1) else site.element(like))


def qlinear(
    operator: str, *operands: int, result: int, plain: Sequence[int] = (), drop: Sequence[str] = ()
) -> Callable:
    """An operator on integers as the real one between dequantize and quantize.

    `operands` are the places of tensors with scale and zero point behind them, `plain` those of tensors taken as they are
    (before the others), `result` the place of the result's scale. Attributes are handed on.
    """

    def rule(site: Site) -> SSAValue:
        values = [*(site.operand(i) for i in plain), *(real_input(site, i) for i in operands)]
        y = site.apply(operator, values, drop=drop)
        return quantized(site, y, output_scale(site, result, operands[0]), RUNTIME)

    rule.__doc__ = f"`{operator}` between dequantize and quantize."
    return rule


def qlinear_concat(site: Site) -> SSAValue:
    """QLinearConcat: the scale of the result comes first."""
    values = [real_input(site, i) for i in range(2, len(site.node.inputs), 3)]
    return quantized(site, site.apply("Concat", values), output_scale(site, 0, 2), RUNTIME)


def bias_of_sum(site: Site, i: int, x: int, w: int, factor: float = 1.0) -> SSAValue | None:
    """An int32 bias as real values: its scale is that of the operands together."""
    if not site.has(i):
        return None
    scale = np.float32(factor) * np.asarray(site.constant(x), np.float32) * np.asarray(site.constant(w), np.float32)
    if not np.all(np.isfinite(scale) & (scale > 0)):
        raise Mistake(f"expected positive scales, not {scale.reshape(-1)[:4].tolist()}.", "E0213")
    shape = site.shape(i)
    one = scale.size == 1
    type_ = QuantType.per_tensor(I32, scale.item()) if one else QuantType.per_channel(I32, scale.reshape(-1), 0)
    if not one and shape != (scale.size,):
        raise Mistake(f"expected a bias of shape [{scale.size}], not {list(shape)}.", "E0422")
    return site.emit(DequantizeOp, stored_as(site, site.operand(i), type_))


def qlinear_conv(site: Site) -> SSAValue:
    """QLinearConv: int32 bias at the scale of input times weights."""
    values = [real_input(site, 0), real_input(site, 3), bias_of_sum(site, 8, 1, 4)]
    return quantized(site, site.apply("Conv", values, drop=("channels_last",)), output_scale(site, 6), RUNTIME)


def qlinear_matmul(site: Site) -> SSAValue:
    """QLinearMatMul: the second operand may have a scale for each column."""
    values = [_rows(site, 0), real_input(site, 3, site.rank(3) - 1)]
    return quantized(site, site.apply("MatMul", values), output_scale(site, 6), RUNTIME)


def _rows(site: Site, i: int) -> SSAValue:
    """The real values of a first operand, which may have a scale for each row."""
    return real_input(site, i, max(0, site.rank(i) - 2))


def qgemm(site: Site) -> SSAValue:
    """QGemm: int32 bias at the scale alpha * s_a * s_b; a real result without a scale for it."""
    alpha = site.float("alpha", 1.0)
    c = bias_of_sum(site, 6, 1, 4, alpha)
    values = [real_input(site, 0), real_input(site, 3, 0 if site.flag("transB") else 1), c]
    y = site.apply("Gemm", values)
    return quantized(site, y, output_scale(site, 7), RUNTIME) if site.has(7) else y


def matmul_integer_to_float(site: Site) -> SSAValue:
    """MatMulIntegerToFloat: dequantized operands, their product, and a real bias."""
    a = dequantized(site, 0, Scaled(site, 2, 4, site.element(0)))
    b = dequantized(site, 1, Scaled(site, 3, 5, site.element(1), site.rank(1) - 1))
    return added(site, site.apply("MatMul", [a, b]), 6)


def added(site: Site, y: SSAValue, i: int) -> SSAValue:
    """A value with an optional input added."""
    return site.emit(AddOp, y, site.operand(i)) if site.has(i) else y


def conv_integer(site: Site) -> SSAValue:
    """ConvInteger: (x - z_x) * (w - z_w) in int32."""
    return _sums(site, "Conv", 0)


def matmul_integer(site: Site) -> SSAValue:
    """MatMulInteger: (a - z_a) * (b - z_b) in int32; zero points for each row of a, each column of b."""
    return _sums(site, "MatMul", site.rank(1) - 1)


def _sums(site: Site, operator: str, axis: int) -> SSAValue:
    """Quantized operands of scale 1 where the zero points are known, else differences in int32."""
    types = [_unscaled(site, 0, None), _unscaled(site, 1, axis)]
    if None in types:
        rows = max(0, site.rank(0) - 2) if operator == "MatMul" else 0
        return site.apply(operator, [_difference(site, 0, rows), _difference(site, 1, axis)])
    values = [stored_as(site, site.operand(i), t) for i, t in enumerate(types) if t is not None]
    return integers(site, site.apply(operator, values))


def _unscaled(site: Site, i: int, axis: int | None) -> QuantType | None:
    """The type of an operand with scale 1 and a known zero point, one or one an index of `axis`."""
    zero = site.known(2 + i) if site.has(2 + i) else np.zeros(1, np.int64)
    storage: Any = site.element(i)
    if zero is None or not isinstance(storage, IntegerType) or bits(storage) > 16:
        return None
    if zero.size == 1:
        return QuantType.per_tensor(storage, 1.0, int(zero.item()))
    if axis is None or zero.ndim != 1 or zero.size != site.shape(i)[axis]:
        return None
    return QuantType.per_channel(storage, np.ones(zero.size), axis, zero.tolist())


def _difference(site: Site, i: int, axis: int) -> SSAValue:
    x, rank = cast(site, site.operand(i), I32), site.rank(i)
    if not site.has(2 + i):
        return x
    zero, own = cast(site, site.operand(2 + i), I32), site.shape(2 + i)
    if len(own) == 1:
        zero = reshaped(site, zero, () if own == (1,) else (own[0], *(1,) * (rank - axis - 1)))
    return site.emit(SubOp, x, zero)
