"""What a target allows a layer at best: peak of the array against bandwidth of DRAM (Williams et al., CACM 2009)."""

from __future__ import annotations

from dataclasses import dataclass

from dnnc.backends.report.layers import Layer
from dnnc.backends.report.traffic import tiling_bound
from dnnc.ir.arch import Accelerator


@dataclass(frozen=True)
class Roof:
    """The figures of a target that bound a layer: MACs and bytes a cycle, bytes of on-chip memory, clock."""

    name: str
    clock_mhz: int
    macs_per_cycle: int
    depthwise_macs_per_cycle: int
    bytes_per_cycle: int
    on_chip_bytes: int

    @staticmethod
    def of(arch: Accelerator) -> Roof:
        """Rows * columns (or depthwise lanes) MACs and DMA channels * width bytes a cycle, the wider one; all memories."""
        a = arch.array
        return Roof(
            name=arch.name,
            clock_mhz=arch.clock_mhz,
            macs_per_cycle=a.rows * a.columns,
            depthwise_macs_per_cycle=a.rows * a.depthwise_lanes,
            bytes_per_cycle=arch.dma.channels * max(arch.dma.bytes_per_cycle, arch.dma.constant_bandwidth),
            on_chip_bytes=sum(m.bytes for m in arch.memory),
        )

    @property
    def hertz(self) -> int:
        """Cycles a second."""
        return self.clock_mhz * 1_000_000

    def peak(self, layer: Layer) -> int:
        """MACs a cycle the array can do for a layer."""
        depthwise = [c.kind == "depthwise_conv" for c in layer.contractions]
        peaks = {self.depthwise_macs_per_cycle if d else self.macs_per_cycle for d in depthwise}
        return max(peaks, default=self.macs_per_cycle)

    def compute_cycles(self, layer: Layer) -> int:
        """ceil(MACs / peak)."""
        return -(-layer.macs // self.peak(layer))

    def memory_cycles(self, layer: Layer) -> int:
        """ceil(compulsory bytes / bandwidth)."""
        return self.transfer_cycles(layer.traffic.total)

    def transfer_cycles(self, count: int) -> int:
        """ceil(bytes / bandwidth)."""
        return -(-count // self.bytes_per_cycle)

    def cycles(self, layer: Layer) -> int:
        """No schedule of the layer alone takes fewer: max(compute, memory)."""
        return max(self.compute_cycles(layer), self.memory_cycles(layer))

    def bound(self, layer: Layer) -> str:
        """`compute` when the roof is flat at the layer's intensity, else `memory`."""
        return "compute" if self.ridge_side(layer) >= 0 else "memory"

    def ridge_side(self, layer: Layer) -> int:
        """MACs * bandwidth - peak * bytes: its sign says on which side of the ridge point the layer lies."""
        return layer.macs * self.bytes_per_cycle - self.peak(layer) * layer.traffic.total

    def attainable(self, layer: Layer) -> int | None:
        """min(peak, intensity * bandwidth) in MAC/s, rounded down; None without MACs."""
        if not layer.macs:
            return None
        limit = self.peak(layer) * self.hertz
        moved = layer.traffic.total
        return min(limit, layer.macs * self.bytes_per_cycle * self.hertz // moved) if moved else limit

    def dram_bytes(self, layer: Layer) -> int:
        """Least DRAM traffic with this much on-chip memory: max(|I| + |W| + |O|, 2 * MACs / sqrt(R * S))."""
        least = layer.traffic.total
        only = layer.only
        if only is None or not only.direct:
            return least
        return max(least, tiling_bound(only.macs, *only.reuse, only.bits, self.on_chip_bytes))
