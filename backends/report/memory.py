"""The figures of a memory space of a compiled network."""

from __future__ import annotations

from dnnc.backends.report.column import Column
from dnnc.passes.analysis.spaces import Space

MEMORY_COLUMNS: tuple[Column[Space], ...] = (
    Column("space", "space", "", "A memory on chip, or a region of DRAM.", lambda s: s.name),
    Column("bytes", "planned", "B", "The highest byte reached, alignment included.", lambda s: s.bytes),
    Column("capacity", "capacity", "B", "Bytes there are; none for a region of DRAM.", lambda s: s.capacity),
    Column(
        "lower_bound", "alive at once", "B", "Most bytes alive at one step: no plan is lower.", lambda s: s.lower_bound
    ),
    Column("least_proved", "least proved", "B", "What no placement stays below, as far as proved.", lambda s: s.proved),
    Column(
        "status",
        "plan",
        "",
        "`optimal` when no placement needs less, else `feasible`. A network whose plan fails is not compiled: E0805 tells "
        "then whether that is proved.",
        lambda s: s.status,
    ),
    Column("buffers", "buffers", "", "Buffers in it.", lambda s: len(s.occupants), False),
    Column("peak", "fullest at", "", "The step with the most bytes alive.", lambda s: s.peak),
)
