"""Laws that make equal programs look equal; each is exact, and named by what it states.

reshape(reshape(x)) = reshape(x)        transpose(transpose(x)) = transpose(x)
x * 1 = x                               conv(pad(x)) = conv(x) with wider padding
conv(x) + b[m] = conv(x) with bias      clip(x, 0, inf) = relu(x)
table(relu(q)) = table(q)               requantize(q) = q to its own type
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import AddOp, CastOp, ClipOp, DivOp, MaxOp, MulOp, SubOp
from dnnc.ir.dnn.integer import TableOp
from dnnc.ir.dnn.movement import ConcatOp, ExpandOp, PadOp, ReshapeOp, SliceOp, TransposeOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.rewriting import apply_laws
from dnnc.ir.types import QuantType, bits, integer_range, is_float, shape_of, storage_type, tensor
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.laws import gathering, quantized_constants, resizing, scans, storage_casts


@dataclass(frozen=True)
class CanonicalizePass(ModulePass):
    """Apply the laws until none applies, at most `sweeps` times over the module."""

    name = "canonicalize"
    sweeps: int = 64

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        apply_laws(op, laws(store_of(ctx)), self.sweeps)


def laws(store: WeightStore) -> list[RewritePattern]:
    """Every law, in the order they are tried."""
    return [
        SameTypeIsIdentity(),
        ReshapeOfReshape(),
        TransposeOfTranspose(),
        TransposeOfUnitsIsReshape(),
        ConcatOfOneIsIdentity(),
        NeutralElement(store),
        ReluOfRelu(),
        ReluBelowZeroPoint(),
        ClipAtZeroIsRelu(),
        MaxWithZeroIsRelu(store),
        PadIntoConv(),
        RequantizeToItsOwnType(),
        TableOfFunction(store),
        FunctionOfTable(store),
        AddIntoBias(store),
        *storage_casts.laws(store),
        *scans.laws(),
        *resizing.laws(),
        *gathering.laws(store),
        *quantized_constants.laws(store),
    ]


class SameTypeIsIdentity(RewritePattern):
    """A movement or cast that changes nothing is its operand."""

    def match_and_rewrite(self, op, rewriter: PatternRewriter, /):
        if isinstance(op, ClipOp):
            same = op.low.data == float("-inf") and op.high.data == float("inf")
        elif isinstance(op, TransposeOp):
            same = op.perm.data == tuple(range(len(op.perm.data)))
        elif isinstance(op, SliceOp):
            same = op.steps() == (1,) * len(op.start.data)
        else:
            same = isinstance(op, (ReshapeOp, ExpandOp, PadOp, CastOp))
        if same and op.operands[0].type == op.results[0].type:
            rewriter.replace(op, [], [op.operands[0]])


class ReshapeOfReshape(RewritePattern):
    """reshape(reshape(x, a), b) = reshape(x, b)."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReshapeOp, rewriter: PatternRewriter, /):
        if isinstance(inner := op.x.owner, ReshapeOp):
            rewriter.replace(op, ReshapeOp(inner.x, shape=op.shape_.data))


class TransposeOfTranspose(RewritePattern):
    """transpose(transpose(x, p), q) = transpose(x, p[q])."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TransposeOp, rewriter: PatternRewriter, /):
        if isinstance(inner := op.x.owner, TransposeOp):
            rewriter.replace(op, TransposeOp(inner.x, perm=tuple(inner.perm.data[q] for q in op.perm.data)))


class TransposeOfUnitsIsReshape(RewritePattern):
    """A transpose that only moves dimensions of size 1 keeps the order of elements."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TransposeOp, rewriter: PatternRewriter, /):
        moved = [p for p in op.perm.data if op.shape()[p] != 1]
        if moved == sorted(moved):
            rewriter.replace(op, ReshapeOp(op.x, shape=shape_of(op.result.type)))


class ConcatOfOneIsIdentity(RewritePattern):
    """concat([x]) = x."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConcatOp, rewriter: PatternRewriter, /):
        if len(op.xs) == 1:
            rewriter.replace(op, [], [op.xs[0]])


@dataclass
class NeutralElement(RewritePattern):
    """x * 1 = x / 1 = x - 0 = x, and x + 0 = x on integers; on floats only x + -0.0 is exact."""

    store: WeightStore

    def match_and_rewrite(self, op, rewriter: PatternRewriter, /):
        if not isinstance(op, (AddOp, SubOp, MulOp, DivOp)):
            return
        pairs = [(op.a, op.b)] if isinstance(op, (SubOp, DivOp)) else [(op.a, op.b), (op.b, op.a)]
        for x, c in pairs:
            if x.type == op.result.type and self._neutral(op, c):
                rewriter.replace(op, [], [x])
                return

    def _neutral(self, op: AddOp | SubOp | MulOp | DivOp, c: SSAValue) -> bool:
        values = small(c, self.store)
        if values is None:
            return False
        if isinstance(op, (MulOp, DivOp)):
            return bool((values == 1).all())
        if isinstance(op, AddOp) and is_float(op.element()):
            return bool((values == 0).all() and np.signbit(values).all())
        plus = not is_float(op.element()) or not np.signbit(values).any()
        return bool((values == 0).all() and plus)


def small(value: SSAValue, store: WeightStore) -> np.ndarray | None:
    """The values of a constant written in the text or of up to 4096 elements, else None."""
    op = value.owner
    if not isinstance(op, ConstOp) or np.prod(shape_of(value.type), dtype=np.int64) > 4096:
        return None
    in_store = op.key is not None and op.key.data in store
    return op.array(store) if op.value is not None or in_store else None


class ReluOfRelu(RewritePattern):
    """relu(relu(x)) = relu(x)."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReluOp, rewriter: PatternRewriter, /):
        if isinstance(op.x.owner, ReluOp):
            rewriter.replace(op, [], [op.x])


class ReluBelowZeroPoint(RewritePattern):
    """relu(q) = q for a quantized type whose zero point is its smallest value: it holds no negative number."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReluOp, rewriter: PatternRewriter, /):
        q = op.element()
        if isinstance(q, QuantType) and q.axis is None and int(q.zero) == integer_range(storage_type(q))[0]:
            rewriter.replace(op, [], [op.x])


class ClipAtZeroIsRelu(RewritePattern):
    """clip(x, 0, inf) = relu(x)."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ClipOp, rewriter: PatternRewriter, /):
        if op.low.data == 0 and op.high.data == float("inf"):
            rewriter.replace(op, ReluOp(op.x))


@dataclass
class MaxWithZeroIsRelu(RewritePattern):
    """max(x, 0) = relu(x)."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MaxOp, rewriter: PatternRewriter, /):
        for x, c in ((op.a, op.b), (op.b, op.a)):
            values = small(c, self.store)
            if values is not None and x.type == op.result.type and (values == 0).all():
                rewriter.replace(op, ReluOp(x))
                return


class PadIntoConv(RewritePattern):
    """conv(pad(x)) = conv(x) with the pads added to its window, when the pad is zero and spatial."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConvOp, rewriter: PatternRewriter, /):
        pad = op.x.owner
        if not isinstance(pad, PadOp) or pad.value.data != 0:
            return
        before, after = pad.before.data, pad.after.data
        if any(before[:2] + after[:2]):
            return
        w = op.window.data
        if w.block:  # they would be cut elsewhere
            return
        wider = [p + q for p, q in zip(w.pad, before[2:] + after[2:])]
        window = Window.of(w.kernel, w.stride, wider, w.dilation, w.ceil)
        if window.output(shape_of(pad.x.type)[2:]) == shape_of(op.result.type)[2:]:  # ceil mode counts pads on its own
            rewriter.replace(op, ConvOp(pad.x, op.w, op.bias, window=window, groups=op.groups))


class RequantizeToItsOwnType(RewritePattern):
    """requantize(q) = q in the type q has: its multiplier is one."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: RequantizeOp, rewriter: PatternRewriter, /):
        if op.x.type == op.result.type and op.multiplier is None:
            rewriter.replace(op, [], [op.x])


def byte_function(op: object, store: WeightStore) -> np.ndarray | None:
    """What an operation makes of each value of 8-bit operands, in ascending order of the values, if it is such a function."""
    if not isinstance(op, (TableOp, RequantizeOp, ReluOp, ClipOp)) or not op.results[0].has_one_use():
        return None
    x = op.element()
    if not isinstance(x, QuantType) or x.axis is not None or bits(x) != 8:
        return None
    if isinstance(op, TableOp):
        return small(op.table, store)
    low, high = integer_range(x.storage)
    return op.evaluate(np.arange(low, high + 1))


def _table(x: SSAValue, values: np.ndarray, result: TensorType, store: WeightStore) -> list[Operation]:
    const = ConstOp.of(values, store, "table", tensor(result.element_type, values.shape))
    return [const, TableOp(x, const)]


@dataclass
class TableOfFunction(RewritePattern):
    """table(f(q)) = table'(q) for f a function of 8-bit values that alone reads q: a bound, a requantize or a table."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TableOp, rewriter: PatternRewriter, /):
        inner = byte_function(op.x.owner, self.store)
        outer = small(op.table, self.store)
        first = op.x.owner
        if inner is not None and outer is not None and isinstance(first, Operation):
            low = integer_range(storage_type(op.element()))[0]
            rewriter.replace(
                op, _table(first.operands[0], outer[inner.astype(np.int64) - low], op.result.type, self.store)
            )


@dataclass
class FunctionOfTable(RewritePattern):
    """f(table(q)) = table'(q) for f a bound or a requantize of 8-bit values, when nothing else reads the table's result."""

    store: WeightStore

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /):
        if not isinstance(op, (RequantizeOp, ReluOp, ClipOp)) or not isinstance(op.x.owner, TableOp):
            return
        inner = byte_function(op.x.owner, self.store)
        if inner is not None and bits(op.element()) == 8:
            rewriter.replace(op, _table(op.x.owner.x, op.evaluate(inner), op.result.type, self.store))


@dataclass
class AddIntoBias(RewritePattern):
    """conv(x) + c[m] = conv(x) with bias c, and the same for a matrix product; only where there is no bias yet."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: AddOp, rewriter: PatternRewriter, /):
        for x, c in ((op.a, op.b), (op.b, op.a)):
            product = x.owner
            if not isinstance(product, (ConvOp, ConvTransposeOp, MatmulOp)) or product.bias is not None:
                continue
            if not isinstance(c.owner, ConstOp) or not x.has_one_use() or x.type != op.result.type:
                continue
            bias = self._per_channel(c, product)
            if bias is not None:
                segments = (product.operands[0], product.operands[1], bias.results[0])
                new = type(product).create(
                    operands=segments,
                    result_types=[op.result.type],
                    properties=product.properties,
                    location=product.location,
                )
                rewriter.replace(op, [new] if bias is c.owner else [bias, new], [new.results[0]])
                return

    def _per_channel(self, c: SSAValue, product: ConvOp | ConvTransposeOp | MatmulOp) -> ConstOp | None:
        shape, own = shape_of(product.result.type), shape_of(c.type)
        axis = len(shape) - 1 if isinstance(product, MatmulOp) else 1
        own = (1,) * (len(shape) - len(own)) + own
        if not shape or any(d != 1 for i, d in enumerate(own) if i != axis) or own[axis] != shape[axis]:
            return None
        assert isinstance(c.owner, ConstOp)
        if shape_of(c.type) == (shape[axis],):
            return c.owner
        return ConstOp.of(c.owner.array(self.store).reshape(-1), self.store, "bias", location=c.owner.location)
