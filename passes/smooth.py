"""Channels whose values are much larger than others' before a matrix product hand a part of their size to its weights.

%1 = dnn.layer_norm %x, %g, shift(%b)          %1 = dnn.layer_norm %x, %g / s, shift(%b / s)
%2 = dnn.matmul %1, %w                   ->    %2 = dnn.matmul %1, %w * s

s[j] = max|x[j]|^a / max|w[j]|^(1 - a) over samples, and over the weights of all products that read the norm (SmoothQuant): with
one scale for all of %1 and one for each column of %w, both lose less. Calibrate after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.composite import LayerNormOp, RmsNormOp
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import F32
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.integer_weights import is_layer
from dnnc.passes.analysis.samples import given_samples, watched
from dnnc.passes.calibrate import RANGE

Norm = LayerNormOp | RmsNormOp


@dataclass(frozen=True)
class SmoothPass(ModulePass):
    """SmoothQuant of matrix products that read a norm; `strength` is a, the part of a channel's size that weights take."""

    name = "smooth"
    strength: float = 0.5

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        found, store = dict(sites(op)), store_of(ctx)
        largest: dict[Operation, np.ndarray] = {}

        def observe(one: DnnOp, results: Sequence[np.ndarray]) -> None:
            if one in found:
                seen = np.abs(results[0]).reshape(-1, results[0].shape[-1]).max(0)
                largest[one] = np.maximum(largest[one], seen) if one in largest else seen

        for sample in watched(given_samples(self.name), f"samples of {self.name}"):
            evaluate(op, sample, store, observe)
        for norm, readers in found.items():
            self._smooth(norm, readers, largest[norm], store)

    def _smooth(self, norm: Norm, readers: Sequence[MatmulOp], x: np.ndarray, store: WeightStore) -> None:
        w = np.max([_largest(reader, store) for reader in readers], 0)
        usable = (x > 0) & (w > 0)
        s = np.where(usable, x**self.strength / np.where(usable, w, 1) ** (1 - self.strength), 1).astype(np.float32)
        for i in range(1, len(norm.operands)):
            _replace(norm, i, _array(norm, i, store) / s, store)
        norm.attributes.pop(RANGE, None)
        for reader in readers:
            _replace(reader, 1, _array(reader, 1, store) * (s if reader.trans_b is not None else s[:, None]), store)


def sites(module: ModuleOp) -> Iterator[tuple[Norm, list[MatmulOp]]]:
    """Norms over the last axis with constant factors, of which nobody but products with constant matrices reads."""
    for op in main_function(module).body.block.ops:
        if not isinstance(op, Norm) or op.element() != F32 or op.axis.data % len(op.shape()) != len(op.shape()) - 1:
            continue
        channels = op.shape()[-1]
        constant = all(isinstance(v.owner, ConstOp) and v.type.get_shape()[-1:] == (channels,) for v in op.operands[1:])  # pyright: ignore
        readers = [u.operation for u in op.results[0].uses if u.index == 0]
        several = len(readers) == len(list(op.results[0].uses))
        if constant and several and readers and all(isinstance(r, MatmulOp) and is_layer(r) for r in readers):
            yield op, readers  # pyright: ignore[reportReturnType]


def _largest(op: MatmulOp, store: WeightStore) -> np.ndarray:
    return np.abs(_array(op, 1, store)).max(0 if op.trans_b is not None else 1)


def _array(op: Operation, index: int, store: WeightStore) -> np.ndarray:
    const = op.operands[index].owner
    assert isinstance(const, ConstOp)
    return const.array(store)


def _replace(op: Operation, index: int, values: np.ndarray, store: WeightStore) -> None:
    old = op.operands[index].owner
    assert isinstance(old, ConstOp)
    hint = old.key.data if old.key is not None else "factor"
    new = ConstOp.of(values.astype(np.float32), store, f"{hint}.smooth", None, old.location)
    Rewriter.insert_op(new, InsertPoint.before(op))
    op.operands[index] = new.result
