"""Between real numbers and quantized ones; the exact integer meaning is in `dnnc.ir.fixed`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir import fixed
from dnnc.ir.codes import Code, WeightCode
from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Int, Ints, Word
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.types import F32, Quantized, QuantType, along, bits, dtype, integer_range, tensor, type_name


def quantized(x: np.ndarray, type_: QuantType) -> np.ndarray:
    """Q = clamp(RNE(fl32(x / s)) + z, range of the storage type), as ONNX QuantizeLinear; NaN becomes the zero point."""
    low, high = integer_range(type_.storage)
    scale, zero = along(type_.scale, type_.axis, x.ndim), along(type_.zero, type_.axis, x.ndim)
    with np.errstate(over="ignore"):  # beyond float32 is beyond the range too
        steps = np.asarray(x.astype(np.float32, copy=False) / scale)
    np.rint(steps, out=steps)
    np.copyto(steps, 0, where=np.isnan(steps))
    if max(abs(low), abs(high)) >= 1 << 22:  # float32 does not hold such sums
        steps = np.clip(steps, -(2.0**31), 2.0**31).astype(np.int64)
        return np.clip(steps + zero, low, high).astype(dtype(type_))
    first, last, zero = (np.asarray(v, np.float32) for v in (low - zero, high - zero, zero))
    np.clip(steps, first, last, out=steps)
    steps += zero
    return steps.astype(dtype(type_))


def encoded(x: np.ndarray, type_: Attribute) -> np.ndarray:
    """The stored form of real numbers in a quantized type."""
    if isinstance(type_, WeightCode):
        return type_.codes(x)
    assert isinstance(type_, QuantType)
    return quantized(x, type_)


def decoded(q: np.ndarray, type_: Attribute) -> np.ndarray:
    """The real numbers of stored values of a quantized type, float32."""
    if isinstance(type_, Code):
        return type_.real(q)
    assert isinstance(type_, QuantType)
    centered = q.astype(np.int64) - along(type_.zero, type_.axis, q.ndim)
    return centered.astype(np.float32) * along(type_.scale, type_.axis, q.ndim)


def stored_value(value: float, element: Attribute) -> float:
    """What stands for a real number in the storage of an element type: itself, or its quantized form."""
    return int(quantized(np.asarray(value), element)) if isinstance(element, QuantType) else value


def check_quantized(element: Attribute, what: str) -> QuantType:
    """Verify that an element type is a quantized one."""
    expect(isinstance(element, QuantType), what, type_name(element), code="E0431")
    assert isinstance(element, QuantType)
    return element


def check_target(to: Attribute) -> QuantType:
    """Verify the type of a requantized result: quantized, with one scale."""
    expect(isinstance(to, QuantType), "a quantized type", to, code="E0431")
    assert isinstance(to, QuantType)
    expect(to.axis is None, "one scale for the result", to, code="E0429")
    return to


def check_rounding(rounding: Word) -> None:
    """Verify the name of a rounding mode."""
    modes = [m.value for m in fixed.Rounding]
    expect(rounding.data in modes, f"a rounding of {', '.join(modes)}", rounding.data, code="E0432")


def check_ratio(scale: np.ndarray | float, to: Attribute) -> None:
    """Verify that a multiplier has a mantissa and a shift: M = scale / s_y below 2^31."""
    assert isinstance(to, QuantType)
    with np.errstate(over="ignore"):
        largest = float(np.max(np.asarray(scale, np.float32) / to.scale))
    expect(largest < 2.0**31, "a scale ratio below 2^31", f"{largest:g}", "Calibrate again.", code="E0460")


class Conversion(DnnOp):
    """An operation that changes how values are represented, not their shape."""

    def work(self) -> Work:
        return Work(ops=self.elements(), elements=self.elements())


@irdl_op_definition
class QuantizeOp(Conversion):
    """q = clamp(round_half_even(x / s) + z), s and z of the type `to`; of a code the one of the nearest real number.

    `rounding` is the mode of the integer form that this becomes, where the model says which (`dnnc.ir.fixed.Rounding`).
    """

    CODES: ClassVar[bool] = True
    name = "dnn.quantize"
    x = operand_def(TensorType)
    to = prop_def(Attribute)
    rounding = opt_prop_def(Word)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        if self.rounding is not None:
            check_rounding(self.rounding)
        expect(self.element() == F32, "an f32 operand", type_name(self.element()), code="E0431")
        expect(isinstance(self.to, Quantized), "a quantized type", self.to, code="E0431")
        return tensor(self.to, self.shape())

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        return encoded(x, self.to)


@irdl_op_definition
class DequantizeOp(Conversion):
    """x = s * (q - z), s and z of the operand's type; of a code the real number it stands for (`dnnc.ir.codes`)."""

    CODES: ClassVar[bool] = True
    name = "dnn.dequantize"
    x = operand_def(TensorType)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        expect(isinstance(self.element(), Quantized), "a quantized operand", type_name(self.element()), code="E0431")
        return tensor(F32, self.shape())

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        return decoded(x, self.element())


@irdl_op_definition
class RequantizeOp(Conversion):
    """y = clamp(round((q - z_x[c]) * M[c]) + z_y), M[c] = fl32(s_x[c] / s_y), s and z from the types; integers only.

    The operand is a sum of products (int32, zero point 0) or any other quantized value. `rounding` names a mode of
    `dnnc.ir.fixed.Rounding`. A network that says its integers itself has M[c] = multiplier[c] * 2^-shift.
    """

    name = "dnn.requantize"
    x = operand_def(TensorType)
    to = prop_def(Attribute)
    rounding = opt_prop_def(Word, default_value=Word("q31_half_even"))
    multiplier = opt_prop_def(Ints)
    shift = opt_prop_def(Int)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        source = check_quantized(self.element(), "a quantized operand")
        narrow = bits(source) < 32 or not np.any(source.zero)
        expect(narrow, "zero point 0 for 32-bit values", source, code="E0430")
        check_target(self.to)
        check_rounding(self.rounding)
        if self.multiplier is None:
            check_ratio(source.scale, self.to)
        self._check_stated(source)
        return tensor(self.to, self.shape())

    def _check_stated(self, source: QuantType) -> None:
        """Verify a multiplier that the network states: one, or one a channel, each positive and below 2^31."""
        given, shift = self.multiplier, self.shift
        expect((given is None) == (shift is None), "multiplier and shift together", "one of them", code="E0433")
        if given is None or shift is None:
            return
        n = len(given.data)
        expect(n in (1, source.scale.size), f"1 or {source.scale.size} multipliers", str(n), code="E0434")
        fits = all(0 < m < 2**31 for m in given.data)
        expect(fits, "multipliers from 1 to 2^31 - 1", str(list(given.data[:4])), code="E0433")
        expect(0 <= shift.data <= 32, "a shift in [0, 32]", str(shift.data), code="E0433")

    def multipliers(self) -> tuple[np.ndarray, np.ndarray]:
        """(q, shift) with M = q * 2^-shift; scalars, or one a channel."""
        acc, to = self.element(), self.to
        assert isinstance(acc, QuantType) and isinstance(to, QuantType)
        if self.multiplier is not None and self.shift is not None:
            stated = np.ldexp(np.array(self.multiplier.data, np.float64), -self.shift.data)
            return fixed.multiplier(stated[0] if acc.axis is None else np.broadcast_to(stated, acc.scale.shape))
        return fixed.multiplier(np.asarray(acc.scale / to.scale, np.float32))

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        source, to = self.element(), self.to
        assert isinstance(source, QuantType) and isinstance(to, QuantType)
        q, shift = (along(v, source.axis, x.ndim) for v in self.multipliers())
        low, high = integer_range(to.storage)
        mode = fixed.Rounding(self.rounding.data)
        centered = x.astype(np.int64) - along(source.zero, source.axis, x.ndim)
        return fixed.requantize(centered, q, shift, int(to.zero), low, high, mode).astype(dtype(to))
