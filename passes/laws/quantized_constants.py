"""Laws of constants behind a dequantize: they stay integers, and stand where a plain constant would.

%2 = dnn.dequantize %b                   %2 = dnn.dequantize %b
%3 = dnn.matmul %x, %w              ->   %4 = dnn.matmul %x, %w, bias(%2)
%4 = dnn.add %3, %2

%1 = dnn.dequantize %w                   %1 = dnn.const key = "w.transposed" : !q
%2 = dnn.transpose %1               ->   %2 = dnn.dequantize %1
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import AddOp, MulOp, SubOp
from dnnc.ir.dnn.movement import ReshapeOp, TransposeOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, quantized
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import F32, I8, QuantType, element_type, shape_of, tensor
from dnnc.ir.weights import WeightStore

I16 = element_type(np.int16)


def laws(store: WeightStore) -> list[RewritePattern]:
    """Every law, in the order they are tried."""
    return [MoveOfDequantizedConstant(store), AddOfDequantizedIsBias(store), WholeWeightsAreQuantized(store)]


def dequantized_constant(value: SSAValue) -> ConstOp | None:
    """The uniformly quantized constant that a value is the real numbers of."""
    known = isinstance(value.owner, DequantizeOp) and isinstance(value.owner.element(), QuantType)
    made = value.owner.x.owner if known else None  # pyright: ignore[reportAttributeAccessIssue]
    return made if isinstance(made, ConstOp) else None


def quant_type(const: ConstOp) -> QuantType:
    """The element type of a quantized constant."""
    element = const.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(element, QuantType)
    return element


def reshaped(const: ConstOp, shape: tuple[int, ...], store: WeightStore) -> ConstOp | None:
    """A quantized constant in another shape; None when its channels are no dimension of it."""
    q, old = quant_type(const), shape_of(const.result.type)
    if q.axis is not None:
        places = [i for i, d in enumerate(shape) if d == old[q.axis]]
        units = old[q.axis] == len(q.scale) and all(d == 1 for i, d in enumerate(old) if i != q.axis)
        if not units or len(places) != 1:
            return None
        q = QuantType.per_channel(q.storage, q.scale, places[0], q.zero.tolist())
    hint = const.key.data if const.key is not None else "const"
    key = store.add(f"{hint}.reshaped", lambda: const.array(store).reshape(shape))
    return ConstOp.keyed(key, tensor(q, shape), const.location)


def transposed(const: ConstOp, perm: tuple[int, ...], store: WeightStore) -> ConstOp:
    """A quantized constant with its dimensions, and the axis of its scales, permuted."""
    q, old = quant_type(const), shape_of(const.result.type)
    if q.axis is not None:
        q = QuantType.per_channel(q.storage, q.scale, perm.index(q.axis), q.zero.tolist())
    hint = const.key.data if const.key is not None else "const"
    key = store.add(f"{hint}.transposed", lambda: const.array(store).transpose(perm))
    return ConstOp.keyed(key, tensor(q, tuple(old[p] for p in perm)), const.location)


@dataclass
class MoveOfDequantizedConstant(RewritePattern):
    """transpose(dequantize(c)) = dequantize(transpose(c)), computed now; the same for reshape."""

    store: WeightStore

    def match_and_rewrite(self, op, rewriter: PatternRewriter, /):
        const = dequantized_constant(op.x) if isinstance(op, (TransposeOp, ReshapeOp)) else None
        if const is None:
            return
        if isinstance(op, TransposeOp):
            moved = transposed(const, op.perm.data, self.store)
        else:
            moved = reshaped(const, shape_of(op.results[0].type), self.store)
        if moved is not None:
            rewriter.replace(op, [moved, DequantizeOp(moved)])


@dataclass
class AddOfDequantizedIsBias(RewritePattern):
    """conv(x) + dequantize(c)[m] = conv(x) with that bias, and the same for a matrix product; where there is no bias yet."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: AddOp, rewriter: PatternRewriter, /):
        for x, c in ((op.a, op.b), (op.b, op.a)):
            product, const = x.owner, dequantized_constant(c)
            if const is None or not isinstance(product, (ConvOp, ConvTransposeOp, MatmulOp)):
                continue
            bias = self._per_channel(const, c, product) if product.bias is None and x.has_one_use() else None
            if bias is None or x.type != op.result.type:
                continue
            new = type(product).create(
                operands=(product.operands[0], product.operands[1], bias[-1].results[0]),
                result_types=[op.result.type],
                properties=product.properties,
                location=product.location,
            )
            rewriter.replace(op, [*bias, new])
            return

    def _per_channel(self, const: ConstOp, c: SSAValue, product: ConvOp | ConvTransposeOp | MatmulOp):
        shape, own = shape_of(product.result.type), shape_of(c.type)
        axis = len(shape) - 1 if isinstance(product, MatmulOp) else 1
        own = (1,) * (len(shape) - len(own)) + own
        if not shape or any(d != 1 for i, d in enumerate(own) if i != axis) or own[axis] != shape[axis]:
            return None
        flat = reshaped(const, (shape[axis],), self.store)
        return None if flat is None else [flat, DequantizeOp(flat)]


@dataclass
class WholeWeightsAreQuantized(RewritePattern):
    """conv(dequantize(x), W) = conv(dequantize(x), dequantize(W)) for weights that are whole numbers of at most 8 bits.

    So are those of networks that were trained with integers but store them as floats.
    """

    store: WeightStore

    def match_and_rewrite(self, op, rewriter: PatternRewriter, /):
        if not isinstance(op, (ConvOp, ConvTransposeOp, MatmulOp)) or not isinstance(
            op.operands[0].owner, DequantizeOp
        ):
            return
        const = op.operands[1].owner
        if not isinstance(const, ConstOp) or op.operands[1].type.element_type != F32:  # pyright: ignore
            return
        if const.value is None and (const.key is None or const.key.data not in self.store):
            return
        w = const.array(self.store)
        if not w.size or np.any(w != np.rint(w)) or w.min() < -128 or w.max() > 127:
            return
        type_ = tensor(QuantType.per_tensor(I8, 1.0), w.shape)
        hint = f"{const.key.data}.i8" if const.key is not None else "weights.i8"
        codes = ConstOp.keyed(self.store.add(hint, w.astype(np.int8)), type_, const.location)
        real = DequantizeOp(codes)
        new = type(op).create(
            operands=[op.operands[0], real.result, *op.operands[2:]],
            result_types=[op.result.type],
            properties=op.properties,
            location=op.location,
        )
        rewriter.replace(op, [codes, real, new])


@dataclass
class ConstantBesideQuantized(RewritePattern):
    """quantize(dequantize(q) + c) with c in int16 at the scale max|c| / 32767, and the same for differences and products."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: QuantizeOp, rewriter: PatternRewriter, /):
        f = op.x.owner
        if not isinstance(f, (AddOp, SubOp, MulOp)):
            return
        known = [isinstance(v.owner, ConstOp) and v.type.element_type == F32 for v in f.operands]  # pyright: ignore
        real = [isinstance(v.owner, DequantizeOp) for v in f.operands]
        if sorted(known) != [False, True] or real == known or sorted(real) != [False, True]:
            return
        const = f.operands[known.index(True)].owner
        assert isinstance(const, ConstOp)
        values = const.array(self.store)
        largest = float(np.abs(values).max(initial=0))
        if not np.isfinite(largest) or largest < np.finfo(np.float32).tiny * 32767:
            return
        type_ = QuantType.per_tensor(I16, largest / 32767)
        hint = f"{const.key.data}.i16" if const.key is not None else "const.i16"
        codes = ConstOp.of(quantized(values, type_), self.store, hint, tensor(type_, values.shape), const.location)
        new = DequantizeOp(codes)
        operands = [new.result if k else v for v, k in zip(f.operands, known)]
        g = type(f)(*operands, location=f.location)
        rewriter.replace(op, [codes, new, g, QuantizeOp(g, to=op.to, rounding=op.rounding)])
