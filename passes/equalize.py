"""Channels between two layers get weights of one size on both sides, so that one scale serves them better.

%1 = dnn.conv %x, %w1, bias(%b1)          %1 = dnn.conv %x, %w1 / s, bias(%b1 / s)
%2 = dnn.relu %1                    ->    %2 = dnn.relu %1
%3 = dnn.conv %2, %w2                     %3 = dnn.conv %2, %w2 * s

s[c] = r1[c] / sqrt(r1[c] r2[c]), r1[c] the largest weight or bias that makes channel c, r2[c] the largest weight that reads it.
Biases count, for a channel of next to no weights would else become as large as its bias over s. Layers with a clip between them
stay as they are: its bounds would be others in each channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.dnn.reduction import AvgPoolOp, MaxPoolOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.contractions import bias_values
from dnnc.passes.analysis.integer_weights import Rows, layers
from dnnc.passes.calibrate import RANGE
from dnnc.passes.fuse_groups import only_user

SETTLED = 1e-3  # largest change of a scale that counts as none


@dataclass(frozen=True)
class EqualizePass(ModulePass):
    """Cross-layer equalization over relus and pools, until no scale changes or for `rounds`; calibrate after it."""

    name = "equalize"
    rounds: int = 20

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        for _ in range(self.rounds):
            changes = [equalize(a, between, b, store) for a, between, b in list(pairs(op, store))]
            if max(changes, default=0.0) < SETTLED:
                return


def pairs(module: ModuleOp, store: WeightStore) -> Iterator[tuple[Rows, list[Operation], Rows]]:
    """Layers of which only the second reads the first, through operations f with f(x / s) = f(x) / s for each channel."""
    known = {id(op) for op in layers(module)}
    for a in layers(module):
        between, after = [], only_user(a.results[0])
        while isinstance(after, (ReluOp, MaxPoolOp, AvgPoolOp)):
            between.append(after)
            after = only_user(after.results[0])
        if id(after) in known and type(after) is type(a) and _readable(after) and _scalable(a, store):  # pyright: ignore
            yield a, between, after  # pyright: ignore[reportReturnType]


def _readable(b: Rows) -> bool:
    return not isinstance(b, ConvOp) or b.groups.data in (1, b.shape(0)[1])


def _scalable(a: Rows, store: WeightStore) -> bool:
    return a.bias is None or bias_values(a, store) is not None


def equalize(a: Rows, between: list[Operation], b: Rows, store: WeightStore) -> float:
    """Scale the channels between two layers; the largest |log s|."""
    made, read = _values(a, store), _values(b, store)
    out, into = _first(a), _reading(b)
    bias = bias_values(a, store)
    r1, r2 = _largest(made, out), _largest(read, into)
    r1 = r1 if bias is None else np.maximum(r1, np.abs(bias))
    s = np.where((r1 > 0) & (r2 > 0), np.sqrt(r1 / np.where(r2 > 0, r2, 1)), 1).astype(np.float32)
    s = np.where(s > 0, s, np.float32(1))
    _replace(a, 1, made / _along(s, out, made.ndim), store)
    _replace(b, 1, read * _along(s, into, read.ndim), store)
    if bias is not None:
        _replace(a, 2, bias / s, store)
    for op in (a, *between):
        op.attributes.pop(RANGE, None)
    return float(np.abs(np.log(s)).max(initial=0))


def _values(op: Rows, store: WeightStore) -> np.ndarray:
    return op.operands[1].owner.array(store)  # pyright: ignore


def _first(op: Rows) -> int:
    """The dimension of weights that output channels lie along."""
    return 0 if isinstance(op, ConvOp) or op.trans_b is not None else 1


def _reading(op: Rows) -> int:
    """The dimension of weights that input channels lie along."""
    return 0 if isinstance(op, ConvOp) and op.groups.data > 1 else 1 - _first(op)


def _largest(w: np.ndarray, axis: int) -> np.ndarray:
    return np.abs(w).max(tuple(i for i in range(w.ndim) if i != axis), initial=0)


def _along(s: np.ndarray, axis: int, rank: int) -> np.ndarray:
    return s.reshape(*(-1 if i == axis else 1 for i in range(rank)))


def _replace(op: Rows, index: int, values: np.ndarray, store: WeightStore) -> None:
    old = op.operands[index].owner
    assert isinstance(old, ConstOp)
    hint = old.key.data.split(".equalized")[0] if old.key is not None else "weights"
    new = ConstOp.of(values.astype(np.float32), store, f"{hint}.equalized", None, old.location)
    Rewriter.insert_op(new, InsertPoint.before(op))
    op.operands[index] = new.result
