"""The plan by which a stack of layers runs depth-first: a cut into steps, and how each layer runs within one."""

from __future__ import annotations

from dataclasses import dataclass

from dnnc.passes.analysis.cuts import Cut


@dataclass(frozen=True)
class Share:
    """How a layer of a stack runs within a step: tile of channels and summed channels, rows a tile, what stays on chip.

    `weights` and `records` are resident for all steps, or `whole` for one, or come in tiles of `channels`.
    """

    channels: int
    reduction: int
    rows: int
    sums_copies: int
    sums: int
    weights: str
    records: str
    copies: int = 2


@dataclass(frozen=True)
class Plan:
    """The steps of a stack, how its layers run within one, and whether there are rows to spare for loading ahead."""

    cut: Cut
    shares: tuple[Share, ...]
    ahead: bool
    dram_bytes: int
    feature_bytes: int
    cycles: int

    def cost(self, features: int) -> int:
        """DRAM bytes, those of feature maps `features` percent dearer."""
        return self.dram_bytes + self.feature_bytes * features // 100
