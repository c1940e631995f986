"""How many bytes of activations are alive while each layer runs, in the order of the program."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from xdsl.ir import Block, SSAValue

from dnnc.backends.report.layers import Layer, root
from dnnc.ir.types import nbytes


def lifetimes(block: Block, layers: Sequence[Layer], known: set[SSAValue]) -> dict[SSAValue, tuple[int, int]]:
    """The layers [first, last] over which each activation must be kept; at least one step.

    Inputs live from the start, results of the program to the end. A view lives in the data it shows; what a layer
    keeps inside itself does not count.
    """
    last = max(0, len(layers) - 1)
    alive: dict[SSAValue, tuple[int, int]] = {a: (0, 0) for a in block.args}
    for i, layer in enumerate(layers):
        alive.update((v, (i, i)) for v in layer.writes)
        alive.update((v, (alive[v][0], i)) for v in layer.reads)
    end = block.last_op
    returned = {root(v) for v in end.operands} if end is not None else set()
    alive.update((v, (alive[v][0], last)) for v in returned if v not in known)
    return alive


def live_bytes(alive: dict[SSAValue, tuple[int, int]], steps: int) -> list[int]:
    """Bytes alive at each of at least one step."""
    change = [0] * (max(1, steps) + 1)
    for value, (first, last) in alive.items():
        change[first] += nbytes(value.type)
        change[last + 1] -= nbytes(value.type)
    return list(accumulate(change))[:-1]
