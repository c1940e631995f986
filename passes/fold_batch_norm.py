"""A batch norm after a contraction becomes part of its weights and bias.

    %1 = dnn.conv %x, %w, bias(%b)                        %1 = dnn.conv %x, %w', bias(%b')
    %2 = dnn.batch_norm %1, %scale, %shift, %mean, %var    ->    with f = scale / sqrt(var + epsilon),
                                                          w' = w * f[m], b' = (b - mean) * f + shift

Weights that are quantized stay the integers they are; their scales are multiplied by f (`dnnc.passes.laws.quantized_scales`).
A per-channel multiplication by a constant after a contraction is folded the same way. A batch norm with nothing to fold
into becomes a multiplication and an addition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern
from xdsl.transforms.dead_code_elimination import region_dce

from dnnc.ir.dnn.composite import BatchNormOp
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import AddOp, MulOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.rewriting import apply_laws
from dnnc.ir.types import dtype, is_float, shape_of
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.contractions import Contraction, channel_axis, multiplied, normalized, per_channel_bias
from dnnc.passes.laws import quantized_scales, thresholds


@dataclass(frozen=True)
class FoldBatchNormPass(ModulePass):
    """Fold batch norms and per-channel scales into the weights of the contraction before them; float32 arithmetic."""

    name = "fold-batch-norm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        apply_laws(
            op, thresholds.laws(store)
        )  # first: a threshold takes up any shift, the bias of a sum only whole ones
        region_dce(op.body)  # what reads a contraction beside its batch norm would keep it from being folded
        apply_laws(op, laws(store))


def laws(store: WeightStore) -> list[RewritePattern]:
    """Every law, in the order they are tried."""
    return [
        *quantized_scales.laws(store),
        BatchNormIntoContraction(store),
        ScaleIntoContraction(store),
        BatchNormAsScaleAndShift(store),
    ]


@dataclass
class BatchNormIntoContraction(RewritePattern):
    """batch_norm(W x + b) = (f W) x + (b - mean) f + shift."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: BatchNormOp, rewriter: PatternRewriter, /):
        found = normalized(op, foldable, self.store)
        if found is None:
            return
        before, (scale, shift, mean, var) = found
        factor = scale / np.sqrt(var + np.float32(op.epsilon.data))
        rewriter.replace(op, scaled(before, factor, shift, self.store, mean))


@dataclass
class ScaleIntoContraction(RewritePattern):
    """c * (W x + b) = (c W) x + c b, for a constant c of one value or one a channel."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp, rewriter: PatternRewriter, /):
        for before, factor in multiplied(op, foldable, self.store):
            rewriter.replace(op, scaled(before, factor, np.zeros_like(factor), self.store))
            return


@dataclass
class BatchNormAsScaleAndShift(RewritePattern):
    """batch_norm(x) = x * f + (shift - mean f), where there is no contraction to fold it into."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: BatchNormOp, rewriter: PatternRewriter, /):
        stats = (op.scale, op.shift, op.mean, op.var)
        before = foldable(op.x)
        if (before is not None and channel_axis(before) == 1) or not all(isinstance(v.owner, ConstOp) for v in stats):
            return
        scale, shift, mean, var = (v.owner.array(self.store) for v in stats)  # pyright: ignore
        kind = dtype(op.element())
        factor = scale / np.sqrt(var + np.float32(op.epsilon.data))
        spread = (-1, *(1,) * (len(op.shape()) - 2))
        f = ConstOp.of(factor.astype(kind).reshape(spread), self.store, "batch_norm.scale")
        b = ConstOp.of((shift - mean * factor).astype(kind).reshape(spread), self.store, "batch_norm.shift")
        product = MulOp(op.x, f.result)
        rewriter.replace(op, [f, b, product, AddOp(product.result, b.result)])


def foldable(x: SSAValue) -> Contraction | None:
    """The float contraction with constant weights that makes x for one user, if any."""
    op = x.owner
    if not isinstance(op, (ConvOp, ConvTransposeOp, MatmulOp)) or not x.has_one_use():
        return None
    weights = op.operands[1]
    constant = isinstance(weights.owner, ConstOp) and (op.bias is None or per_channel_bias(op))
    matrix = not isinstance(op, MatmulOp) or (len(op.shape(1)) == 2 and len(op.shape(0)) >= 2)
    return op if constant and matrix and is_float(op.element()) else None


def scaled(
    op: Contraction, factor: np.ndarray, shift: np.ndarray, store: WeightStore, mean: np.ndarray | None = None
) -> list[Operation]:
    """The contraction with weights times `factor` and bias (b - mean) * factor + shift, as new operations."""
    w, b = op.operands[1], op.bias
    assert isinstance(w.owner, ConstOp) and isinstance(w.type, TensorType)
    kind = dtype(w.type.element_type)
    source = w.owner
    shaped = _along_filters(op, factor.astype(kind))
    key = store.add(f"{_hint(source)}.scaled", lambda: (source.array(store) * shaped).astype(kind))
    weights = ConstOp.keyed(key, w.type, op.location)
    m = shape_of(op.result.type)[channel_axis(op)]
    old = np.zeros(m, kind) if b is None else np.broadcast_to(b.owner.array(store).reshape(-1), (m,))  # pyright: ignore
    bias = ConstOp.of(
        ((old - (0 if mean is None else mean)) * factor + shift).astype(kind), store, f"{_hint(source)}.bias"
    )
    plain = b is None and mean is None and not shift.any()
    new = type(op).create(
        operands=[op.operands[0], weights.result, *([] if plain else [bias.result])],
        result_types=[op.result.type],
        properties=op.properties,
        attributes=op.attributes,
        location=op.location,
    )
    return [weights, new] if plain else [weights, bias, new]


def _along_filters(op: Contraction, factor: np.ndarray) -> np.ndarray:
    """`factor` [M] shaped to multiply the weights."""
    if isinstance(op, MatmulOp):
        return factor[:, None] if op.trans_b is not None else factor[None, :]
    rank = op.window.data.rank
    if isinstance(op, ConvOp):
        return factor.reshape(-1, *(1,) * (rank + 1))
    groups = op.groups.data
    c, m, *_ = op.shape(1)
    per_group = factor.reshape(groups, 1, m)
    return np.broadcast_to(per_group, (groups, c // groups, m)).reshape(c, m, *(1,) * rank)


def _hint(source: ConstOp) -> str:
    return source.key.data if source.key is not None else "weights"
