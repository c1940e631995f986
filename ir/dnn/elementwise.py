"""Operations that act on one element at a time; operands broadcast as in numpy. Each is its `scalar` body, written once."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.ir import Attribute
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir import scalar as S
from dnnc.ir.diagnostics import expect, support
from dnnc.ir.dnn.attributes import Real
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.types import (
    I1,
    QuantType,
    bits,
    dtype,
    integer_range,
    is_float,
    saturated,
    shape_of,
    tensor,
    tensor_text,
    type_name,
)


def broadcast(*types: Attribute) -> tuple[int, ...]:
    """The common shape of operands that broadcast; verifies that there is one."""
    shapes = [shape_of(t) for t in types]
    rank = max(map(len, shapes))
    out = []
    for dims in zip(*((1,) * (rank - len(s)) + s for s in shapes)):
        size = next((d for d in dims if d != 1), 1)
        fits = all(d in (1, size) for d in dims)
        expect(fits, "operands of shapes that broadcast", " and ".join(tensor_text(t) for t in types), code="E0426")
        out.append(size)
    return tuple(out)


class Elementwise(DnnOp):
    """y[i] = scalar(x0[i], x1[i], ...)."""

    INTEGERS: ClassVar[bool] = True
    FLOATS: ClassVar[bool] = True
    COMPARES: ClassVar[bool] = False
    ORDERS: ClassVar[bool] = False  # only chooses among its operands by their order

    def keeps_type(self) -> bool:
        return self.ORDERS

    def scalar(self, *x: Any) -> Any:
        """The body on one element of each operand."""
        raise NotImplementedError

    def infer(self) -> TensorType:
        first = self.element()
        for i in range(len(self.operands)):
            expect(
                self.element(i) == first,
                f"operands of one element type {type_name(first)}",
                type_name(self.element(i)),
                code="E0427",
            )
        if isinstance(first, QuantType) and self.ORDERS:
            expect(first.axis is None, "one scale for the whole tensor", first, "Requantize first.", code="E0429")
        elif isinstance(first, QuantType):
            expect(
                len(self.operands) == 1,
                "operands that are not quantized",
                type_name(first),
                "Use its integer form.",
                code="E0428",
            )
            self.check_table(first)
        else:
            allowed = self.FLOATS if is_float(first) else self.INTEGERS or first == I1
            support(
                allowed,
                "floats" if self.FLOATS else "integers",
                type_name(first),
                "Cast the operand first.",
                code="E0428",
            )
        shape = broadcast(*(o.type for o in self.operands))
        return tensor(I1 if self.COMPARES else first, shape)

    def check_table(self, element: QuantType) -> None:
        """Verify that a table over all values of a quantized operand can stand for the body."""
        expect(
            self.FLOATS and not self.COMPARES,
            "an operand that is not quantized",
            type_name(element),
            "Dequantize it.",
            code="E0428",
        )
        expect(element.axis is None, "one scale for the whole tensor", element, "Requantize first.", code="E0429")
        expect(bits(element) <= 16, "values of at most 16 bits", type_name(element), "Requantize first.", code="E0428")

    def evaluate(self, *x: np.ndarray) -> np.ndarray:
        element = self.element()
        if isinstance(element, QuantType) and not self.ORDERS:
            return self.table()[x[0].astype(np.int64) - integer_range(element.storage)[0]]
        with np.errstate(all="ignore"):
            return np.asarray(self.scalar(*x)).astype(self.result_dtype(), copy=False)

    def result_dtype(self) -> np.dtype:
        """Numpy dtype of the result."""
        type_ = self.results[0].type
        assert isinstance(type_, TensorType)
        return dtype(type_.element_type)

    def table(self) -> np.ndarray:
        """The body on a quantized operand of up to 16 bits, as a table over all its values.

        T[q] = clamp(RNE(scalar(s * (q - z)) / s) + z), computed in float64; needs one operand with one scale.
        """
        element = self.element()
        assert isinstance(element, QuantType)
        expect(len(self.operands) == 1 and element.axis is None, "one operand with one scale", element, code="E0429")
        low, high = integer_range(element.storage)
        real = float(element.scale) * (np.arange(low, high + 1, dtype=np.float64) - float(element.zero))
        with np.errstate(all="ignore"):
            q = np.rint(np.asarray(self.scalar(real), np.float64) / float(element.scale)) + float(element.zero)
        return np.clip(q, low, high).astype(dtype(element))

    def expression(self) -> Any:
        """The body as an expression of `scalar.Arg`s."""
        return S.trace(self.scalar, len(self.operands))

    def work(self) -> Work:
        n = self.elements()
        return Work(ops=n * max(1, S.count(self.expression())), elements=n)


class Unary(Elementwise):
    """y = f(x)."""

    x = operand_def(TensorType)
    result = result_def(TensorType)


class FloatUnary(Unary):
    """y = f(x) on floats."""

    INTEGERS: ClassVar[bool] = False


class Binary(Elementwise):
    """y = f(a, b)."""

    a = operand_def(TensorType)
    b = operand_def(TensorType)
    result = result_def(TensorType)


@irdl_op_definition
class AddOp(Binary):
    """y = a + b; integers wrap."""

    name = "dnn.add"

    def scalar(self, a, b):
        return a + b


@irdl_op_definition
class SubOp(Binary):
    """y = a - b; integers wrap."""

    name = "dnn.sub"

    def scalar(self, a, b):
        return a - b


@irdl_op_definition
class MulOp(Binary):
    """y = a * b; integers wrap."""

    name = "dnn.mul"

    def scalar(self, a, b):
        return a * b


@irdl_op_definition
class DivOp(Binary):
    """y = a / b; integers truncate toward zero, and division by zero gives 0."""

    name = "dnn.div"

    def scalar(self, a, b):
        return S.div(a, b)


@irdl_op_definition
class MaxOp(Binary):
    """y = max(a, b), NaN if either is."""

    name = "dnn.max"
    ORDERS: ClassVar[bool] = True

    def scalar(self, a, b):
        return S.maximum(a, b)


@irdl_op_definition
class MinOp(Binary):
    """y = min(a, b), NaN if either is."""

    name = "dnn.min"
    ORDERS: ClassVar[bool] = True

    def scalar(self, a, b):
        return S.minimum(a, b)


@irdl_op_definition
class PReluOp(Binary):
    """y = a for a >= 0, else b * a (slope b broadcast)."""

    name = "dnn.prelu"

    def scalar(self, a, b):
        return S.where(a < 0, b * a, a)


@irdl_op_definition
class PowOp(Elementwise):
    """y = a^b in the type of a, whatever the type of the exponent b."""

    name = "dnn.pow"
    a = operand_def(TensorType)
    b = operand_def(TensorType)
    result = result_def(TensorType)

    def scalar(self, a, b):
        return S.pow(a, b)

    def infer(self) -> TensorType:
        return tensor(self.element(), broadcast(self.a.type, self.b.type))


@irdl_op_definition
class ModOp(Binary):
    """y = a - b * floor(a / b), with the sign of b; with `fmod` a - b * trunc(a / b), with the sign of a."""

    name = "dnn.mod"
    fmod = opt_prop_def(UnitAttr)

    def scalar(self, a, b):
        return S.fmod(a, b) if self.fmod else S.mod(a, b)


@irdl_op_definition
class WhereOp(Elementwise):
    """y = a where the condition holds, else b."""

    name = "dnn.where"
    condition = operand_def(TensorType)
    a = operand_def(TensorType)
    b = operand_def(TensorType)
    result = result_def(TensorType)

    def keeps_type(self) -> bool:
        return True

    def scalar(self, condition, a, b):
        return S.where(condition, a, b)

    def infer(self) -> TensorType:
        expect(self.element() == I1, "a boolean condition", type_name(self.element()), code="E0428")
        one = self.element(1)
        expect(
            one == self.element(2),
            f"branches of one element type {type_name(one)}",
            type_name(self.element(2)),
            code="E0427",
        )
        return tensor(one, broadcast(*(o.type for o in self.operands)))


@irdl_op_definition
class ClipOp(Unary):
    """y = min(max(x, low), high)."""

    name = "dnn.clip"
    low = opt_prop_def(Real, default_value=Real(float("-inf")))
    high = opt_prop_def(Real, default_value=Real(float("inf")))

    def scalar(self, x):
        y = x if self.low.data == float("-inf") else S.maximum(x, self.low.data)
        return y if self.high.data == float("inf") else S.minimum(y, self.high.data)


@irdl_op_definition
class CastOp(Elementwise):
    """y = x in another element type: floats to integers truncate, anything to i1 is x != 0, floats to fp8 saturate.

    With `overflow` floats beyond the range of fp8 become infinity, or NaN where the type has no infinity.
    """

    name = "dnn.cast"
    x = operand_def(TensorType)
    to = prop_def(Attribute)
    overflow = opt_prop_def(UnitAttr)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        return tensor(self.to, self.shape())

    def evaluate(self, *x: np.ndarray) -> np.ndarray:
        target = dtype(self.to)
        v = x[0]
        with np.errstate(all="ignore"):
            if target == np.bool_:
                return v != 0
            if is_float(self.to) and target.itemsize == 1:
                return saturated(v, self.to) if self.overflow is None else v.astype(np.float32).astype(target)
            return v.astype(target)

    def work(self) -> Work:
        return Work(ops=self.elements(), elements=self.elements())
