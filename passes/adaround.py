"""Weights become integers above or below them, whichever leaves the layer the least error: found by gradients, layer by layer.

With H = X X^T of a layer's operands, as the layers before it, already integers, make them, e = s (floor(w / s) + h) - w and
h = clip(1.2 sigmoid(v) - 0.1, 0, 1): v minimises e H e^T, while a term 1 - |2 h - 1|^b, b falling from 20 to 2, draws each h to 0
or 1 (AdaRound). Scales, and where they leave less error the integers too, are those of `gptq`. The IR is that of
`quantize-weights`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.weights import store_of
from dnnc.passes.analysis.integer_weights import (
    Quantizer,
    set_weights,
)
from dnnc.passes.analysis.synthetic import adam
from dnnc.passes.gptq import least_error, weighed

STRETCH = 0.1  # of the sigmoid beyond 0 and 1, so that it reaches them
WARM = 0.2  # part of the iterations without the term that draws to 0 or 1
RATE = 0.05  # of Adam


@dataclass(frozen=True)
class AdaroundPass(ModulePass):
    """AdaRound of every layer's weights to `bits`: `iterations` of Adam a layer, `pull` the weight of the term that rounds."""

    name = "adaround"
    bits: int = 4
    iterations: int = 600
    pull: float = 0.1
    damping: float = 0.01

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        store = store_of(ctx)
        for layer, rows, h, full in weighed(self.name, self.bits, op, store):
            start = least_error(rows, h, full, self.damping)
            h = h + self.damping * np.einsum("gii->gi", h).mean(1)[:, None, None] * np.eye(h.shape[1])
            with threadpool_limits(1, "blas"):  # the same sums on any machine
                q = self._rounded(rows, h, start.quantizer)
            error = error_of(q, rows, h, start.quantizer)
            q = np.where((error < error_of(start.q, rows, h, start.quantizer))[..., None], q, start.q)
            set_weights(layer, q, start.quantizer, store)

    def _rounded(self, rows: np.ndarray, h: np.ndarray, quantizer: Quantizer) -> np.ndarray:
        """Integers [G, M, K] for weights and second moments [G, K, K] of what they multiply."""
        scale = quantizer.scale[..., None]
        below = np.floor(rows / scale)
        part = np.clip(rows / scale - below, 1e-3, 1 - 1e-3)
        nearest = error_of(quantizer.integers(rows), rows, h, quantizer)
        unit = (2 * scale / np.maximum(nearest, np.finfo(np.float32).tiny)[..., None]).astype(np.float32)
        v = -np.log((1 + 2 * STRETCH) / (part + STRETCH) - 1).astype(np.float32)
        target, base, moments = (rows / scale).astype(np.float32), below.astype(np.float32), h.astype(np.float32)
        state = np.zeros_like(v), np.zeros_like(v)
        for step in range(1, self.iterations + 1):
            chosen, slope = _stretched(v)
            q = np.clip(base + chosen, *_reach(quantizer))
            g = unit * (((q - target) * scale.astype(np.float32)) @ moments) * slope
            g += self._pull(step, chosen, rows.shape[-1]) * slope
            adam(v, g, state, step, RATE)
        return np.clip(below + (v > 0), *_reach(quantizer))

    def _pull(self, step: int, h: np.ndarray, k: int) -> np.ndarray | float:
        """The slope of pull / K * (1 - |2 h - 1|^b), b from 20 to 2 after the first iterations."""
        done = (step / self.iterations - WARM) / (1 - WARM)
        if done < 0:
            return 0.0
        b, away = 2 + 18 * (1 - done), 2 * h - 1
        return -self.pull / k * 2 * b * np.sign(away) * np.abs(away) ** (b - 1)


def error_of(q: np.ndarray, rows: np.ndarray, h: np.ndarray, quantizer: Quantizer) -> np.ndarray:
    """What rows of integers leave of e H e^T, [G, M]."""
    e = q * quantizer.scale[..., None] - rows
    return ((e @ h) * e).sum(-1)


def _stretched(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """H of v, and its slope."""
    sigmoid = 1 / (1 + np.exp(-v))
    h = (1 + 2 * STRETCH) * sigmoid - STRETCH
    inside = (h > 0) & (h < 1)
    return np.clip(h, 0, 1), np.where(inside, (1 + 2 * STRETCH) * sigmoid * (1 - sigmoid), 0)


def _reach(quantizer: Quantizer) -> tuple[np.ndarray, np.ndarray]:
    half = 2.0 ** (np.broadcast_to(quantizer.bits, quantizer.scale.shape)[..., None] - 1)
    return (-half).astype(np.float32), (half - 1).astype(np.float32)
