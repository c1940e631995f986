"""What the passes ask of convolutions and matrix products: where output channels lie, constants with one value a channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from xdsl.ir import SSAValue

from dnnc.ir.dnn.composite import BatchNormOp
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp
from dnnc.ir.dnn.elementwise import MulOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import shape_of
from dnnc.ir.weights import WeightStore

Contraction = ConvOp | ConvTransposeOp | MatmulOp
Foldable = Callable[[SSAValue], Contraction | None]  # the contraction that makes a value and may take up what follows


def per_channel_bias(op: Contraction) -> bool:
    """Whether the bias is a constant with one value for all channels or one a channel."""
    assert op.bias is not None
    own = shape_of(op.bias.type)
    return isinstance(op.bias.owner, ConstOp) and all(d == 1 for d in own[:-1])


def channel_axis(op: Contraction) -> int:
    """The dimension of the result that the output channels lie along."""
    return len(shape_of(op.result.type)) - 1 if isinstance(op, MatmulOp) else 1


def weight_axis(op: Contraction) -> int | None:
    """The dimension of the weights that the output channels lie along; None where no single one does."""
    if isinstance(op, MatmulOp):
        return max(0, len(op.shape(1)) - (1 if op.trans_b is None else 2))
    if isinstance(op, ConvOp):
        return 0
    return 1 if op.groups.data == 1 else None


def channel_values(c: SSAValue, op: Contraction, store: WeightStore) -> np.ndarray | None:
    """A constant as one value a channel of a contraction's result, or None when it varies along another dimension."""
    shape = shape_of(op.result.type)
    axis = channel_axis(op)
    own = (1,) * (len(shape) - len(shape_of(c.type))) + shape_of(c.type)
    if len(own) != len(shape) or any(d != 1 for i, d in enumerate(own) if i != axis):
        return None
    assert isinstance(c.owner, ConstOp)
    return np.broadcast_to(c.owner.array(store).reshape(-1), (shape[axis],))


def bias_values(op: Contraction, store: WeightStore) -> np.ndarray | None:
    """The constant bias of a contraction as one value a channel, or None when it is none or varies along another dimension."""
    if op.bias is None or not isinstance(op.bias.owner, ConstOp) or not per_channel_bias(op):
        return None
    channels = shape_of(op.result.type)[channel_axis(op)]
    return np.broadcast_to(op.bias.owner.array(store).reshape(-1), (channels,))


def normalized(op: BatchNormOp, foldable: Foldable, store: WeightStore) -> tuple[Contraction, list[np.ndarray]] | None:
    """The contraction before a batch norm by channel, with scale, shift, mean and variance, when these are constants."""
    before = foldable(op.x)
    stats = [v.owner for v in (op.scale, op.shift, op.mean, op.var)]
    constants = [c for c in stats if isinstance(c, ConstOp)]
    if before is None or channel_axis(before) != 1 or len(constants) < len(stats):
        return None
    return before, [c.array(store) for c in constants]


def multiplied(op: MulOp, foldable: Foldable, store: WeightStore) -> Iterator[tuple[Contraction, np.ndarray]]:
    """Each way to read a product as a contraction times constant factors, one a channel."""
    for x, c in ((op.a, op.b), (op.b, op.a)):
        before = foldable(x)
        if before is not None and isinstance(c.owner, ConstOp) and shape_of(x.type) == shape_of(op.result.type):
            factor = channel_values(c, before, store)
            if factor is not None:
                yield before, factor
