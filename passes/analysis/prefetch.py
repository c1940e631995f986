"""Places in which loads run ahead: what is filled from DRAM lies, while there is room, where nothing is used just before.

The load queue is in order and waits for nothing but its hazards, so that weights whose bytes no earlier layer uses come in
while the layers before still compute.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dnnc.passes.analysis.allocation import HEURISTICS, Buffer, peak, table

AHEAD = 8
"""Steps by which a buffer may be claimed before it is used."""

FULL_PERCENT = (100, 90, 75, 50)
"""How full buffers claimed early may make a memory; placements that leave less to spare are harder to find."""


def apart(buffers: Sequence[Buffer], filled: Collection[Hashable], capacity: int) -> Mapping[Hashable, int] | None:
    """Offsets within a capacity that keep `filled` buffers off the bytes in use before them; None where there is no room."""
    for percent in FULL_PERCENT:
        early = claimed(buffers, filled, capacity * percent // 100)
        if early == list(buffers):
            return None
        t = table(early)
        for heuristic in HEURISTICS:
            offsets = heuristic(t)
            if peak(t, offsets) <= capacity:
                return {b.id: int(o) for b, o in zip(buffers, offsets)}
    return None


def claimed(buffers: Sequence[Buffer], filled: Collection[Hashable], room: int) -> list[Buffer]:
    """The buffers, filled ones from up to `AHEAD` steps before their use while what is alive takes no more than `room`."""
    alive = np.zeros(max((b.end for b in buffers), default=0) + 1, np.int64)
    for b in buffers:
        alive[b.start : b.end] += b.size
    found = {b.id: b for b in buffers}
    for b in sorted((b for b in buffers if b.id in filled and b.size and b.start < b.end), key=lambda b: b.start):
        start = b.start
        while start > max(0, b.start - AHEAD) and alive[start - 1] + b.size <= room:
            start -= 1
            alive[start] += b.size
        found[b.id] = replace(b, start=start)
    return list(found.values())
