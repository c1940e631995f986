"""Between real numbers and quantized ones; the exact integer meaning is in `dnnc.ir.fixed`."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir import fixed
from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Word
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.types import F32, I32, QuantType, dtype, integer_range, tensor, type_name


def along(values: np.ndarray, axis: int | None, rank: int) -> np.ndarray:
    """Per-channel values shaped to broadcast along their axis of a tensor of `rank` dimensions."""
    return values if axis is None else values.reshape(*(-1 if i == axis else 1 for i in range(rank)))


def quantized(x: np.ndarray, type_: QuantType) -> np.ndarray:
    """Q = clamp(RNE(fl32(x / s)) + z, range of the storage type), as ONNX QuantizeLinear; NaN becomes the zero point."""
    low, high = integer_range(type_.storage)
    scale, zero = along(type_.scale, type_.axis, x.ndim), along(type_.zero, type_.axis, x.ndim)
    q = np.clip(
        np.nan_to_num(np.rint(x.astype(np.float32) / scale), posinf=2.0**31, neginf=-(2.0**31)), -(2.0**31), 2.0**31
    )
    return np.clip(q.astype(np.int64) + zero, low, high).astype(dtype(type_))


class Conversion(DnnOp):
    """An operation that changes how values are represented, not their shape."""

    def work(self) -> Work:
        return Work(ops=self.elements(), elements=self.elements())


@irdl_op_definition
class QuantizeOp(Conversion):
    """q = clamp(round_half_even(x / s) + z), s and z of the type `to`."""

    name = "dnn.quantize"
    x = operand_def(TensorType)
    to = prop_def(Attribute)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        expect(self.element() == F32, "an f32 operand", type_name(self.element()), code="E0431")
        expect(isinstance(self.to, QuantType), "a quantized type", f"{self.to}", code="E0431")
        return tensor(self.to, self.shape())

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        assert isinstance(self.to, QuantType)
        return quantized(x, self.to)


@irdl_op_definition
class DequantizeOp(Conversion):
    """x = s * (q - z), s and z of the operand's type."""

    name = "dnn.dequantize"
    x = operand_def(TensorType)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        expect(isinstance(self.element(), QuantType), "a quantized operand", type_name(self.element()), code="E0431")
        return tensor(F32, self.shape())

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        q = self.element()
        assert isinstance(q, QuantType)
        centered = x.astype(np.int64) - along(q.zero, q.axis, x.ndim)
        return centered.astype(np.float32) * along(q.scale, q.axis, x.ndim)


@irdl_op_definition
class RequantizeOp(Conversion):
    """y = clamp(round(acc * M[c]) + z), M[c] = fl32(s_acc[c] / s_y), s and z from the types; integers only.

    `rounding` names a mode of `dnnc.ir.fixed.Rounding`.
    """

    name = "dnn.requantize"
    x = operand_def(TensorType)
    to = prop_def(Attribute)
    rounding = opt_prop_def(Word, default_value=Word("q31_half_even"))
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        acc = self.element()
        expect(
            isinstance(acc, QuantType) and acc.storage == I32,
            "an int32 quantized accumulator",
            type_name(acc),
            code="E0431",
        )
        expect(isinstance(self.to, QuantType), "a quantized type", f"{self.to}", code="E0431")
        assert isinstance(self.to, QuantType)
        expect(self.to.axis is None, "one scale for the result", f"{self.to}", code="E0429")
        modes = [m.value for m in fixed.Rounding]
        expect(self.rounding.data in modes, f"a rounding of {', '.join(modes)}", self.rounding.data, code="E0432")
        return tensor(self.to, self.shape())

    def multipliers(self) -> tuple[np.ndarray, np.ndarray]:
        """(q, shift) with M = q * 2^-shift; scalars, or one a channel."""
        acc, to = self.element(), self.to
        assert isinstance(acc, QuantType) and isinstance(to, QuantType)
        return fixed.multiplier(np.asarray(acc.scale / to.scale, np.float32))

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        acc, to = self.element(), self.to
        assert isinstance(acc, QuantType) and isinstance(to, QuantType)
        q, shift = (along(v, acc.axis, x.ndim) for v in self.multipliers())
        low, high = integer_range(to.storage)
        mode = fixed.Rounding(self.rounding.data)
        return fixed.requantize(x, q, shift, int(to.zero), low, high, mode).astype(dtype(to))
