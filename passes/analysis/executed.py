"""What one layer of a program costs when it runs, as plain integers: what the simulator counts and the report shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Executed:
    """One layer: instructions and busy cycles by engine, bytes, MACs, cycles, and the stack it runs in, if any.

    `cycles` are those of the run's critical path that the layer takes: summed over the layers, the run's length.
    """

    layer: str
    node: str
    instructions: int
    cycles: int
    macs: int
    dram_read: int
    dram_write: int
    chip_read: int
    chip_write: int
    busy: tuple[tuple[str, int], ...] = ()
    stack: int | None = None
