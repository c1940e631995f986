"""Contractions of binary and ternary values, packed into bytes along the channels: no multiplications, only bits counted."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute
from xdsl.irdl import irdl_op_definition, operand_def, opt_operand_def, opt_prop_def, prop_def, result_def

from dnnc.ir.diagnostics import expect
from dnnc.ir.dnn.attributes import Int, WindowAttr, normal_axis
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.contraction import ConvDims, check_bias, check_channels, convolve, exact_matmul, padded, product_type
from dnnc.ir.packed import PackedType, pack, unpack
from dnnc.ir.types import QuantType, shape_of, tensor, tensor_text, type_name


@irdl_op_definition
class PackOp(DnnOp):
    """Byte[..., c, ...] holds q[..., n*c + i, ...], i < n = 8 (binary: whether q > 0) or 4 (ternary: whether q != 0 and q < 0).

    `axis` is the channels; their number is a multiple of n. Values are of `dnn.bits`.
    """

    name = "dnn.pack"
    x = operand_def(TensorType)
    to = prop_def(Attribute)
    axis = opt_prop_def(Int, default_value=Int(1))
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        source, to, shape = self.element(), self.to, self.shape()
        plain = isinstance(source, QuantType) and source.axis is None and int(source.zero) == 0
        expect(plain, "values with one scale and zero point 0", type_name(source), code="E0428")
        expect(isinstance(to, PackedType), "a type of packed values, as !dnn.bits<binary, 1.0>", to, code="E0431")
        assert isinstance(to, PackedType)
        axis = normal_axis(self.axis.data, len(shape))
        whole = shape[axis] % to.count == 0
        expect(whole, f"a multiple of {to.count} channels", tensor_text(self.x.type), code="E0419")
        return tensor(to, (*shape[:axis], shape[axis] // to.count, *shape[axis + 1 :]))

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        assert isinstance(self.to, PackedType)
        return pack(x, self.to.levels, normal_axis(self.axis.data, x.ndim))


class BitContraction(DnnOp):
    """A sum of products of packed values, operands 0 and 1, the second with a scale for each output channel."""

    def levels(self) -> str:
        """`binary` or `ternary`, that of both operands."""
        return self.packed().levels

    def packed(self, operand: int = 0) -> PackedType:
        """The type of an operand."""
        element = self.element(operand)
        assert isinstance(element, PackedType)
        return element

    def check_packed(self, axis: int) -> Attribute:
        """Verify the element types; that of the sums, whose channels are along an axis."""
        x, w = self.element(0), self.element(1)
        both = isinstance(x, PackedType) and isinstance(w, PackedType) and x.levels == w.levels
        expect(both, "operands of packed values of one kind", f"{type_name(x)} and {type_name(w)}", code="E0424")
        x, w = self.packed(0).uniform(), self.packed(1).uniform()
        check_channels(w, 0)
        return product_type(x, w, axis)


@irdl_op_definition
class BitConvOp(BitContraction):
    """`dnn.conv` of packed values: O[n][m][x][y] = B[m] + sum over bytes k and taps i, j inside the input of p(a, b).

    Binary: p = 8 - 2 * popcount(a ^ b) (XNOR). Ternary, mask and sign of a and b: with m = mask & mask', p = popcount(m) - 2 *
    popcount(m & (sign ^ sign')). Taps outside of the input count as zero.
    """

    name = "dnn.bit_conv"
    x = operand_def(TensorType)
    w = operand_def(TensorType)
    bias = opt_operand_def(TensorType)
    window = prop_def(WindowAttr)
    groups = opt_prop_def(Int, default_value=Int(1))
    result = result_def(TensorType)

    def dims(self) -> ConvDims:
        """Loop bounds, channels counted in bytes."""
        n, c, *hw = self.shape(0)
        m, _, *rs = self.shape(1)
        win = self.window.data
        return ConvDims(n, m, c, tuple(hw), tuple(rs), win.output(hw), win.stride, self.groups.data)

    def infer(self) -> TensorType:
        x, w, win, groups = self.shape(0), self.shape(1), self.window.data, self.groups.data
        for operand, shape in ((self.x, x), (self.w, w)):
            expect(len(shape) == win.rank + 2, f"rank {win.rank + 2}", tensor_text(operand.type), code="E0418")
        split = groups >= 1 and w[0] % groups == 0
        expect(split, f"a multiple of {groups} filters", str(w[0]), code="E0420")
        expect(x[1] == w[1] * groups, f"weights with {x[1]}/{groups} bytes of channels", str(w[1]), code="E0419")
        expect(w[2:] == win.kernel, f"a kernel of {list(w[2:])}", str(list(win.kernel)), code="E0421")
        win.check(x[2:])
        element = self.check_packed(1)
        if self.bias is not None:
            check_bias(self.bias.type, (w[0],), element)
        return tensor(element, (x[0], w[0], *win.output(x[2:])))

    def evaluate(self, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        win, levels = self.window.data, self.levels()
        values = (unpack(v, levels, 1).astype(np.int32) for v in (x, w))
        y = convolve(padded(next(values), win, 0), next(values), win, self.groups.data)
        return y if bias is None else y + bias.reshape(-1, *(1,) * win.rank)

    def work(self) -> Work:
        n = self.elements()
        return Work(self.dims().macs * self.packed().count, n if self.bias is not None else 0, n)


@irdl_op_definition
class BitMatmulOp(BitContraction):
    """`dnn.matmul` of packed values: Y[..., i, j] = bias[j] + sum over bytes k of p(A[..., i, k], B[j, k]), p of `dnn.bit_conv`."""

    name = "dnn.bit_matmul"
    a = operand_def(TensorType)
    b = operand_def(TensorType)
    bias = opt_operand_def(TensorType)
    result = result_def(TensorType)

    def infer(self) -> TensorType:
        a, b = self.shape(0), self.shape(1)
        both = f"{tensor_text(self.a.type)} and {tensor_text(self.b.type)}"
        expect(len(a) > 1 and len(b) == 2, "a matrix, or a batch of them, and a matrix", both, code="E0418")
        expect(a[-1:] == b[-1:], "operands that share the last dimension", both, code="E0425")
        element = self.check_packed(len(a) - 1)
        if self.bias is not None:
            check_bias(self.bias.type, (b[0],), element)
        return tensor(element, a[:-1] + b[:1])

    def evaluate(self, a: np.ndarray, b: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        values = (unpack(v, self.levels(), v.ndim - 1) for v in (a, b))
        y = exact_matmul(next(values), next(values).T, np.dtype(np.int32))
        return y if bias is None else y + bias

    def work(self) -> Work:
        n, k = self.elements(), self.shape()[-1]
        return Work(n * k * self.packed().count, n if self.bias is not None else 0, n)


def products(op: BitContraction) -> int:
    """Values summed for one element of the result."""
    return prod(shape_of(op.operands[1].type)[1:]) * op.packed().count
