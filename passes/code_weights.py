"""Weights become codes: signed powers of two, indices into shared values, integers with a scale a block, floats of few bits.

%1 = dnn.conv %x, %w    ->    %c = dnn.const key = "w.pow2" : !dnn.pow2<i4, axis 0, [s_0, s_1, ...]>
                              %w = dnn.dequantize %c
                              %1 = dnn.conv %x, %w

`correct-bias` takes out the error of the mean they leave; `quantize` makes int8 of those that int8 holds exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import DnncError, Finding, where
from dnnc.ir.dnn.contraction import ConvOp
from dnnc.ir.types import element_names
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.choices import choice_of
from dnnc.passes.analysis.codebook import error, shared_values
from dnnc.passes.analysis.compensation import Compensation, hessian
from dnnc.passes.analysis.grids import BlockGrid, FloatGrid, Grid, PowerGrid
from dnnc.passes.analysis.integer_weights import NORM, Rows, layers, rows_of, set_codes, taken_by
from dnnc.passes.analysis.samples import given_samples
from dnnc.passes.analysis.walk import Walk

Form = Literal["pow2", "codebook", "block", "f8E4M3FN", "f8E5M2", "f8E4M3FNUZ", "f8E5M2FNUZ", "f16", "bf16"]
Rounded = Callable[[Grid], np.ndarray]

SHRINK = (0.92, 0.84, 0.76, 0.68, 0.6)  # scales of blocks, of the ones that hold the largest weight
POWERS = tuple(2.0 ** (-k / 4) for k in range(8))  # scales of powers of two, of the one for the largest weight
WIDTHS = {"pow2": range(2, 9), "codebook": range(1, 9), "block": range(2, 8)}


@dataclass(frozen=True)
class CodeWeightsPass(ModulePass):
    """Weights of every layer as codes of a `form`, by GPTQ from the inputs that samples give it, or each to the nearest.

    `pow2`: 0 or +-2^k, a sign and 2^(bits-1) - 1 exponents, with `free` times a scale a channel. `codebook`: 2^bits shared
    values by k-means and least squares, rounded to whole numbers up to 127, times a scale a channel. `block`: integers of
    `bits` with a scale for each `block` weights of one output channel, a whole multiple of a scale of the channel. Else the
    float type of that name, times a power of two a channel.
    """

    name = "code-weights"
    form: Form
    bits: int = 4
    block: int = 32
    free: bool = False
    method: Literal["gptq", "nearest"] = "gptq"
    damping: float = 0.01

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        if self.method == "nearest":
            for layer in [x for x in layers(op) if taken_by(self.name, x)]:
                self._code(layer, None, store)
            return
        walk = Walk(op, store, given_samples(self.name), self.name)
        for layer in walk:
            if taken_by(self.name, layer):
                assert isinstance(layer, Rows)
                self._code(layer, hessian(layer, walk.column(layer.operands[0])), store)

    def _code(self, layer: Rows, h: np.ndarray | None, store: WeightStore) -> None:
        bits = self._bits(layer)
        rows = rows_of(layer, layer.operands[1].owner.array(store))  # pyright: ignore
        compensation = None if h is None else Compensation.of(h, self.damping)
        rounded = partial(rounded_by, rows, compensation)
        grid = best(rows, h, self._grids(layer, rows, h, bits, rounded), rounded)
        set_codes(layer, rounded(grid), grid.type(layer), self.form, store)

    def _bits(self, layer: Rows) -> int:
        """The width of a layer's codes: what a scheme says, or that of all."""
        bits, widths = choice_of(layer).bits or self.bits, WIDTHS.get(self.form)
        if widths is not None and bits not in widths:
            message = f"expected weights of {widths[0]} to {widths[-1]} bits as {self.form}, not {bits}."
            raise DnncError(Finding(where(layer.location, layer.name), message, "E0705"))
        return bits

    def _grids(self, layer: Rows, rows: np.ndarray, h: np.ndarray | None, bits: int, rounded: Rounded) -> list[Grid]:
        """The grids to try."""
        match self.form:
            case "pow2":
                return [PowerGrid.of(rows, bits).times(p) for p in (POWERS if self.free else POWERS[::4])]
            case "codebook":
                return [shared_values(rows, h, bits, rounded)]
            case "block":
                window = layer.shape(1)[2:] if isinstance(layer, ConvOp) else ()
                return [BlockGrid.of(rows, bits, self.block, window, p) for p in (1.0, *SHRINK)]
            case _:
                return [FloatGrid.of(rows, element_names()[self.form])]


def rounded_by(rows: np.ndarray, compensation: Compensation | None, grid: Grid) -> np.ndarray:
    """The weights to be had of a grid, in place of the rows."""
    return grid.nearest(rows) if compensation is None else compensation.rounded(rows, grid.nearest)


def best(rows: np.ndarray, h: np.ndarray | None, grids: list[Grid], rounded: Rounded) -> Grid:
    """Row by row the grid with the least error: e H e^T, or without H the sum of |e|^2.4."""
    chosen = grids[0]
    if len(grids) == 1:
        return chosen
    measure = partial(error, rows, h) if h is not None else lambda w: (np.abs(w - rows) ** NORM).sum(-1)
    least = measure(rounded(chosen))
    for grid in grids[1:]:
        now = measure(rounded(grid))
        chosen, least = chosen.mixed(now < least, grid), np.minimum(now, least)
    return chosen
