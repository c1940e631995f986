"""Each layer's weights get the width that serves the network best within a budget.

%1 = dnn.conv %x, %w    ->    %1 = dnn.conv %x, %w attributes {dnn.scheme = {weights = "int3"}}

For each layer alone and each width b, KL_l(b) is the divergence of the network's scores from those in float. Channels of a layer
whose errors weigh more get more bits, `weights = [4, 3, 5, ...]`, unless `by=layer`. A dynamic programme finds the widths with the
least sum of bits for every sum of KL. What the whole network loses is then measured on samples that neither the tables nor the
integers have seen. A pass that makes integers of weights, as `gptq`, takes the widths up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.choices import WIDTHS, Choice, choice_of, set_choice
from dnnc.passes.analysis.divergence import mean_divergence
from dnnc.passes.analysis.fisher import channel_weights
from dnnc.passes.analysis.frontier import Frontier, frontier
from dnnc.passes.analysis.integer_weights import Rows, Widths, best_scale, is_layer, largest_scale, taken_by
from dnnc.passes.analysis.layers import layers_of
from dnnc.passes.analysis.samples import given_samples, providing
from dnnc.passes.analysis.sensitivity import Rounder, Samples, measured, scores
from dnnc.passes.correct_bias import CorrectBiasPass
from dnnc.passes.gptq import GptqPass, hessian, least_error
from dnnc.passes.quantize_weights import QuantizeWeightsPass

TRIES = 8  # whole networks measured in search of the cheapest one within a budget of KL


@dataclass(frozen=True)
class LayerChoice:
    """A layer in the answer: its weights, the width of all or of each channel, the bits it takes, and what it alone loses."""

    name: str
    weights: int
    width: int | tuple[int, ...]
    bits: int
    kl: float
    widths: tuple[int, ...]  # what was tried, and what each loses
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Allocation:
    """Widths of all layers, found on `samples`; `kl` is the divergence of the whole network on others, `held_out`."""

    layers: tuple[LayerChoice, ...]
    kl: float
    samples: int
    held_out: int

    @property
    def average(self) -> float:
        """Bits a weight."""
        return sum(x.bits for x in self.layers) / sum(x.weights for x in self.layers)


@dataclass(frozen=True)
class MixedPrecisionPass(ModulePass):
    """Widths of weights by a budget: the fewest bits with `budget-kl` nats lost, or the least loss at `budget-bits` a weight.

    The loss of each layer alone is that of the `quantizer` with corrected biases, on every other of the samples; the network's
    own is measured on the rest. Layers whose weights a scheme states keep them. With `by=layer` all channels of a layer have one
    width; otherwise the bits count which of its layer's widths each channel has.
    """

    name = "mixed-precision"
    budget_kl: float | None = None
    budget_bits: float | None = None
    quantizer: Literal["gptq", "quantize-weights"] = "gptq"
    damping: float = 0.01
    widths: tuple[int, ...] = (2, 3, 4, 5, 6, 8)
    by: Literal["channel", "layer"] = "channel"
    found: list[Allocation] = field(default_factory=list, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if (self.budget_kl is None) == (self.budget_bits is None):
            got = "both" if self.budget_kl is not None else "neither"
            message = f"expected one of budget-kl and budget-bits, not {got}. Give one."
            raise DnncError(Finding(f"pass '{self.name}'", message, "E0711"))
        if wrong := [b for b in self.widths if b not in WIDTHS] or not self.widths:
            message = f"expected widths of 2 to 8 bits, not {wrong or 'none'}."
            raise DnncError(Finding(f"pass '{self.name}'", message, "E0705"))

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        samples = given_samples(self.name)
        if len(samples) < 2:
            message = f"expected at least 2 samples, one to choose by and one to measure with, not {len(samples)}."
            raise DnncError(Finding(f"pass '{self.name}'", f"{message} Give more with --calibrate.", "E0711"))
        search = Search(op, ctx, self, samples[::2], samples[1::2])
        if not search.rows:
            message = "expected a layer whose weights have no width yet, there is none. Leave out the budget or widths."
            raise DnncError(Finding(f"pass '{self.name}'", message, "E0711"))
        self.found.append(search.allocation(self._point(search)))

    def _point(self, search: Search) -> int:
        if self.budget_bits is not None:
            return search.within_bits(self.budget_bits)
        assert self.budget_kl is not None
        return search.within_kl(self.budget_kl)


class Search:
    """The tables of a network, what they can buy, and what a choice of widths really loses."""

    def __init__(self, module: ModuleOp, ctx: Context, options: MixedPrecisionPass, fit: Samples, held: Samples):
        self.module, self.ctx, self.options, self.fit, self.held = module, ctx, options, fit, held
        self.store: WeightStore = store_of(ctx)
        self.reference = scores(module, self.store, held)
        weight = channel_weights(module, self.store, fit) if options.by == "channel" else None
        self.rows = measured(module, self.store, fit, self._open, self._rounder, hessian, options.widths, weight)
        bits = [np.array([o.bits for o in r.options]) for r in self.rows]
        self.front: Frontier = frontier(bits, [np.array([o.loss for o in r.options]) for r in self.rows])
        self.known: dict[int, float] = {}

    def _open(self, op: object) -> bool:
        """Whether a layer's width is to be found, not stated."""
        taken = is_layer(op) and any(taken_by(name, op) for name in ROUNDERS)
        return taken and choice_of(op).weights is None  # pyright: ignore[reportArgumentType]

    def _rounder(self, layer: Rows) -> Rounder:
        return ROUNDERS[choice_of(layer).algorithm or self.options.quantizer](self.options.damping)

    def within_bits(self, average: float) -> int:
        """The point of the least loss at so many bits a weight."""
        weights = sum(r.weights for r in self.rows)
        point = self.front.within_cost(average * weights)
        if point is None:
            least = self.front.cost[0] / weights
            message = f"expected at least {least:.3g} bits a weight, not {average:.3g}."
            raise DnncError(Finding("budget-bits", f"{message} Give more, or allow narrower widths.", "E0712"))
        return point

    def within_kl(self, most: float) -> int:
        """The cheapest point that loses no more on the samples held out, between points measured to and not to."""
        fails, holds = -1, len(self.front.cost) - 1
        if self.loss(holds) > most:
            message = f"expected a loss of at least {self.loss(holds):.3g} nats, which the widest weights leave"
            raise DnncError(Finding("budget-kl", f"{message}, not {most:.3g}. Give more.", "E0712"))
        allowed = most
        for _ in range(TRIES):
            point = self.front.within_loss(allowed)
            point = point if point is not None and fails < point < holds else (fails + holds) // 2
            if point in (fails, holds):
                break
            loss = self.loss(point)
            fails, holds = (fails, point) if loss <= most else (point, holds)
            allowed = float(self.front.loss[point]) * most / max(loss, 1e-12)
        return holds

    def loss(self, point: int) -> float:
        """The divergence of the whole network at a point, on the samples held out."""
        if point not in self.known:
            self.known[point] = self.measured(self.widths(point))
        return self.known[point]

    def widths(self, point: int) -> list[int | tuple[int, ...]]:
        """The widths of each layer at a point."""
        return [r.options[k].widths for r, k in zip(self.rows, self.front.picks[point])]

    def measured(self, widths: Sequence[int | tuple[int, ...]]) -> float:
        """The divergence of the whole network with these widths, on the samples held out."""
        copy = self.module.clone()
        at = {a: b for a, b in zip(self.module.walk(), copy.walk(), strict=True)}
        for row, bits in zip(self.rows, widths):
            _set_width(at[row.layer], bits)  # pyright: ignore[reportArgumentType]
        with providing(lambda: self.fit):
            for one in self._passes():
                one.apply(self.ctx, copy)
        return mean_divergence(self.reference, scores(copy, self.store, self.held))

    def _passes(self) -> list[ModulePass]:
        """Passes that make integers of the weights: the quantizer last, for all that no other takes by the scheme."""
        both: list[ModulePass] = [QuantizeWeightsPass(8), GptqPass(8, self.options.damping)]
        named = {choice_of(r.layer).algorithm for r in self.rows}
        kept = [p for p in both if p.name in named and p.name != self.options.quantizer]
        return [*kept, *(p for p in both if p.name == self.options.quantizer), CorrectBiasPass()]

    def allocation(self, point: int) -> Allocation:
        """The answer at a point, noted on the layers."""
        names = {layer.op: layer.name for layer in layers_of(self.module)}
        found = []
        for row, k in zip(self.rows, self.front.picks[point]):
            o, name = row.options[k], names[row.layer]
            _set_width(row.layer, o.widths)
            found.append(LayerChoice(name, row.weights, o.widths, o.bits, o.loss, row.widths, row.losses))
        return Allocation(tuple(found), self.loss(point), len(self.fit), len(self.held))


def _set_width(layer: Rows, widths: int | tuple[int, ...]) -> None:
    weights = f"int{widths}" if isinstance(widths, int) else widths
    set_choice(layer, choice_of(layer) | Choice(weights=weights))


def _by_gptq(damping: float) -> Rounder:
    def rounded(rows: np.ndarray, h: np.ndarray, bits: Widths, shared: bool) -> tuple[np.ndarray, np.ndarray]:
        best = least_error(rows, h, largest_scale(rows, bits, shared), damping)
        return best.q * best.quantizer.scale[..., None], best.error

    return rounded


def _by_nearest(damping: float) -> Rounder:
    def rounded(rows: np.ndarray, h: np.ndarray, bits: Widths, shared: bool) -> tuple[np.ndarray, np.ndarray]:
        values = best_scale(rows, bits, shared).values(rows)
        return values, (((values - rows) @ h) * (values - rows)).sum(-1)

    return rounded


ROUNDERS = {GptqPass.name: _by_gptq, QuantizeWeightsPass.name: _by_nearest}
