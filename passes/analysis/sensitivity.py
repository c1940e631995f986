"""What each width of each layer's weights costs and loses, the layer alone being quantized, on samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.interpret import evaluate, last_uses, run_op
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.choices import choice_of
from dnnc.passes.analysis.contractions import channel_axis
from dnnc.passes.analysis.divergence import mean_divergence
from dnnc.passes.analysis.integer_weights import (
    Rows,
    Widths,
    bits_of,
    channel_widths,
    rows_of,
    shared_scale,
    weights_of,
)
from dnnc.passes.analysis.walk import Column, Walk

Samples = Sequence[Sequence[np.ndarray]]
Rounder = Callable[[np.ndarray, np.ndarray, Widths, bool], np.ndarray]  # rows, H, bits, whether they share a scale


@dataclass(frozen=True)
class Row:
    """A layer: its weights, and for each width the bits they take and the divergence of the scores in nats."""

    layer: Rows
    weights: int
    widths: tuple[int, ...]
    bits: tuple[int, ...]
    losses: tuple[float, ...]


def scores(module: ModuleOp, store: WeightStore, samples: Samples) -> list[np.ndarray]:
    """The first output on each sample."""
    return [evaluate(module, x, store)[0] for x in samples]


def measured(
    module: ModuleOp,
    store: WeightStore,
    samples: Samples,
    chosen: Callable[[DnnOp], bool],
    rounder: Callable[[Rows], Rounder],
    second_moment: Callable[[Rows, Column], np.ndarray],
    widths: Sequence[int],
) -> list[Row]:
    """A row for each chosen layer, by its own way of rounding; the mean error of each channel is taken out of the bias."""
    reference = scores(module, store, samples)
    walk, found = Walk(module, store, samples, "the network, each measured"), []
    for layer in walk:
        if chosen(layer):
            assert isinstance(layer, Rows)
            trial = Trial(walk, layer, reference, rounder(layer), second_moment)
            rows = [trial.at(b) for b in widths]
            found.append(Row(layer, trial.rows.size, tuple(widths), *map(tuple, zip(*rows))))  # pyright: ignore
    return found


class Trial:
    """A layer whose weights are tried at several widths while the others are as they are."""

    def __init__(
        self,
        walk: Walk,
        layer: Rows,
        reference: Sequence[np.ndarray],
        rounder: Rounder,
        second_moment: Callable[[Rows, Column], np.ndarray],
    ):
        self.walk, self.layer, self.reference, self.rounder = walk, layer, reference, rounder
        self.rows = rows_of(layer, layer.operands[1].owner.array(walk.store))  # pyright: ignore
        self.h = second_moment(layer, walk.column(layer.operands[0]))
        self.exact = walk.run(layer)[0]

    def at(self, bits: int) -> tuple[int, float]:
        """The bits of all weights at a width, and the divergence they leave."""
        widths = channel_widths(self.rows, bits, choice_of(self.layer))
        rounded = self.rounder(self.rows, self.h, widths, shared_scale(self.layer))
        weights = weights_of(self.layer, rounded).astype(np.float32)
        return bits_of(widths, self.rows.shape), mean_divergence(
            self.reference, self._scores(np.ascontiguousarray(weights))
        )

    def _scores(self, weights: np.ndarray) -> list[np.ndarray]:
        operands = [self.walk.column(v) for v in self.layer.operands]
        made = [
            run_op(self.layer, [c[i] if k != 1 else weights for k, c in enumerate(operands)], self.walk.store)[0]
            for i in range(self.walk.count)
        ]
        shift = self._means(self.exact) - self._means(made)
        return following(self.walk, self.layer, [(y + shift).astype(np.float32) for y in made])

    def _means(self, column: Column) -> np.ndarray:
        """The mean of each channel, shaped to be added to the layer's result."""
        axis = channel_axis(self.layer)
        others = tuple(i for i in range(column[0].ndim) if i != axis)
        return np.mean([y.mean(others, keepdims=True, dtype=np.float64) for y in column], axis=0)


def following(walk: Walk, op: DnnOp, column: Column) -> list[np.ndarray]:
    """The first output on each sample when the result of the operation a walk has reached is `column`."""
    values: dict[SSAValue, Column] = {**walk.values, op.results[0]: column}
    dying, after = last_uses(walk.block), op.next_op
    while isinstance(after, DnnOp):
        if any(v in values for v in after.operands):
            operands = [values[v] if v in values else walk.column(v) for v in after.operands]
            made = [run_op(after, [c[i] for c in operands], walk.store) for i in range(walk.count)]
            values.update(zip(after.results, [list(c) for c in zip(*made)]))
        for v in dying.get(after, ()):
            values.pop(v, None)
        after = after.next_op
    assert after is not None
    return values[out] if (out := after.operands[0]) in values else walk.column(out)
