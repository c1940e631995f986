"""Ways to fewer bits other than by scales: a multiplier with an offset, and thresholds."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir import fixed
from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Int, Word, normal_axis
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.elementwise import broadcast
from dnnc.ir.dnn.quantize import check_quantized, check_target
from dnnc.ir.types import F32, I32, I64, QuantType, dtype, integer_range, shape_of, tensor, tensor_text, type_name

ROUNDERS = {
    "q31_half_even": fixed.half_even,
    "half_up": fixed.half_up,
    "half_away": fixed.half_away,
    "trunc": fixed.trunc,
}


def check_spread(value: SSAValue, name: str, kind: Attribute, shape: tuple[int, ...]) -> None:
    """Verify the type of an operand that broadcasts to a shape."""
    element = value.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    expect(element == kind, f"{name} of {type_name(kind)}", tensor_text(value.type), code="E0428")
    fits = broadcast(tensor(kind, shape), value.type) == shape
    expect(fits, f"{name} that broadcasts to {list(shape)}", tensor_text(value.type), code="E0426")


@irdl_op_definition
class RequantShiftOp(DnnOp):
    """y = clamp((((x - z_x) * multiplier + offset) / 2^shift, rounded) + z_y): integers only, in 64 bits.

    `multiplier` (int32) and `offset` (int64) broadcast to x. Under half_up it is (v + 2^(shift - 1)) >> shift, the rule of
    PULP's RequantShift; `rounding` is one of half_up, half_away, q31_half_even and trunc.
    """

    name = "dnn.requant_shift"
    x = operand_def(TensorType)
    multiplier = operand_def(TensorType)
    offset = operand_def(TensorType)
    shift = prop_def(Int)
    to = prop_def(Attribute)
    rounding = opt_prop_def(Word, default_value=Word("half_up"))
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        source = check_quantized(self.element(), "a quantized operand")
        expect(source.axis is None, "one scale for the whole tensor", source, code="E0429")
        to = check_target(self.to)
        expect(0 <= self.shift.data <= 62, "a shift in [0, 62]", str(self.shift.data), code="E0433")
        known = self.rounding.data in ROUNDERS
        expect(known, f"a rounding of {', '.join(ROUNDERS)}", self.rounding.data, code="E0432")
        check_spread(self.multiplier, "multiplier", I32, self.shape())
        check_spread(self.offset, "offset", I64, self.shape())
        return tensor(to, self.shape())

    def evaluate(self, x: np.ndarray, multiplier: np.ndarray, offset: np.ndarray) -> np.ndarray:
        source, to = self.element(), self.to
        assert isinstance(source, QuantType) and isinstance(to, QuantType)
        v = (x.astype(np.int64) - int(source.zero)) * multiplier + offset
        y = ROUNDERS[self.rounding.data](v, self.shift.data) + int(to.zero)
        return np.clip(y, *integer_range(to.storage)).astype(dtype(to))

    def work(self) -> Work:
        return Work(ops=4 * self.elements(), elements=self.elements())


@irdl_op_definition
class ThresholdOp(DnnOp):
    """q = first + step * (number of k with x >= thresholds[c][k]), c along `axis`: the stored integers of the type `to`.

    Thresholds are [C, K], or [1, K] for all channels; real for a real operand, int32 for a quantized one, whose stored
    integers they are compared with. The multi-threshold of FINN.
    """

    name = "dnn.threshold"
    x = operand_def(TensorType)
    thresholds = operand_def(TensorType)
    to = prop_def(Attribute)
    axis = opt_prop_def(Int, default_value=Int(1))
    first = opt_prop_def(Int, default_value=Int(0))
    step = opt_prop_def(Int, default_value=Int(1))
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        to, shape, levels = check_target(self.to), self.shape(), self.shape(1)
        kind = I32 if isinstance(self.element(), QuantType) else F32
        expect(kind == I32 or self.element() == F32, "an f32 operand", type_name(self.element()), code="E0428")
        expect(
            self.element(1) == kind, f"thresholds of {type_name(kind)}", tensor_text(self.thresholds.type), code="E0428"
        )
        axis = normal_axis(self.axis.data, len(shape))
        fits = len(levels) == 2 and levels[0] in (1, shape[axis])
        want = f"thresholds of shape [1, K] or [{shape[axis]}, K]"
        expect(fits, want, tensor_text(self.thresholds.type), code="E0442")
        low, high = integer_range(to.storage)
        ends = (self.first.data, self.first.data + self.step.data * levels[1])
        expect(
            low <= min(ends) and max(ends) <= high,
            f"results in [{low}, {high}]",
            f"{ends[0]} to {ends[1]}",
            code="E0433",
        )
        return tensor(to, shape)

    def evaluate(self, x: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        axis = normal_axis(self.axis.data, x.ndim)
        count = np.zeros(x.shape, np.int64)
        for k in range(thresholds.shape[1]):  # K steps, each over the whole operand
            count += x >= thresholds[:, k].reshape(-1, *(1,) * (x.ndim - axis - 1))
        return (self.first.data + self.step.data * count).astype(self.result_dtype())

    def result_dtype(self) -> np.dtype:
        """Numpy dtype of the result."""
        assert isinstance(self.to, QuantType)
        return dtype(self.to)

    def work(self) -> Work:
        n = self.elements()
        return Work(ops=n * (2 * shape_of(self.thresholds.type)[1] + 1), elements=n)
