"""What each width of each layer's weights costs and loses, the layer alone being quantized, on samples.

Widths may differ between the channels of a layer. For every price t of a bit, channel m takes the width b with the least
w[m] err[m, b] + t b, err the error its rounding leaves and w[m] what that weighs (`fisher`). What the layer then loses is
c sum w[m] err[m, b], with c, the geometric mean over the widths measured of loss / error, that of the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
PRICES = 32  # of a bit, for which the channels of a layer choose
TINY = 1e-30

Rounder = Callable[[np.ndarray, np.ndarray, Widths, bool], tuple[np.ndarray, np.ndarray]]
"""Of rows, H, bits and whether they share a scale: the rounded rows [G, M, K], and the error e H e^T of each [G, M]."""


@dataclass(frozen=True)
class Option:
    """Bits of all weights of a layer or of those of each channel, what they take, and the divergence expected in nats."""

    widths: int | tuple[int, ...]
    bits: int
    loss: float


@dataclass(frozen=True)
class Row:
    """A layer: the number of its weights, what each width of all of them lost in nats, and what it may take."""

    layer: Rows
    weights: int
    widths: tuple[int, ...]
    losses: tuple[float, ...]
    options: tuple[Option, ...]


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
    weight: Mapping[DnnOp, np.ndarray] | None = None,
) -> list[Row]:
    """A row for each chosen layer, by its own way of rounding; the mean error of each channel is taken out of the bias.

    `weight` is what errors of each layer's channels weigh; without it all channels of a layer have one width.
    """
    reference = scores(module, store, samples)
    walk, found = Walk(module, store, samples, "the network, each measured"), []
    for layer in walk:
        if chosen(layer):
            assert isinstance(layer, Rows)
            trial = Trial(walk, layer, reference, rounder(layer), second_moment)
            found.append(trial.row(sorted(widths), None if weight is None else weight.get(layer, np.ones(1))))
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

    def row(self, widths: Sequence[int], weight: np.ndarray | None) -> Row:
        """What was measured, and what the layer may take: one width, or by the weights of its channels several."""
        losses, errors = zip(*(self._at(b) for b in widths))
        choice, shape = choice_of(self.layer), self.rows.shape
        options = [
            Option(b, bits_of(channel_widths(self.rows, b, choice), shape), loss) for b, loss in zip(widths, losses)
        ]
        if weight is not None and choice.outliers is None and not shared_scale(self.layer):
            weighed = np.stack(errors) * np.broadcast_to(weight, shape[0] * shape[1]).reshape(shape[:2])
            options = self._mixed(np.array(widths), np.array(losses), weighed)
        return Row(self.layer, self.rows.size, tuple(widths), losses, tuple(options))

    def _mixed(self, widths: np.ndarray, losses: np.ndarray, errors: np.ndarray) -> list[Option]:
        """All one width, and what each price of a bit makes of it; errors are [widths, G, M]."""
        errors = np.maximum.accumulate(errors[::-1])[::-1]
        share = np.exp(np.mean(np.log((losses + TINY) / (errors.sum((1, 2)) + TINY))))
        alike = [np.full(errors.shape[1:], i) for i in range(len(widths))]
        picks = {p.tobytes(): p for p in (*alike, *_picks(widths, errors))}
        return [self._option(widths[p], share * np.take_along_axis(errors, p[None], 0).sum()) for p in picks.values()]

    def _option(self, each: np.ndarray, loss: float) -> Option:
        widths = tuple(map(int, each.reshape(-1)))
        return Option(widths if len(set(widths)) > 1 else widths[0], bits_of(each, self.rows.shape), float(loss))

    def _at(self, bits: int) -> tuple[float, np.ndarray]:
        """The divergence that one width of all weights leaves, and the error of each row."""
        widths = channel_widths(self.rows, bits, choice_of(self.layer))
        rounded, errors = self.rounder(self.rows, self.h, widths, shared_scale(self.layer))
        weights = np.ascontiguousarray(weights_of(self.layer, rounded).astype(np.float32))
        return mean_divergence(self.reference, self._scores(weights)), errors

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


def _picks(widths: np.ndarray, errors: np.ndarray) -> list[np.ndarray]:
    """For prices of a bit, spread evenly over what it gains anywhere, the width [G, M] each channel takes, by number."""
    if len(widths) < 2:
        return []
    gains = (errors[:-1] - errors[1:]) / np.diff(widths)[:, None, None]
    prices = np.quantile(gains, np.linspace(0, 1, PRICES + 2)[1:-1])
    return [(errors + t * widths[:, None, None]).argmin(0) for t in prices]


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
