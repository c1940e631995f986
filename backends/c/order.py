"""Functions in the order whose arena is least: the order of the network unless another one keeps fewer bytes alive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from xdsl.ir import SSAValue

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.storage import Sharing, output_roots, outside, overwritable, share
from dnnc.backends.c.text import bytes_of
from dnnc.backends.c.units import Enter, Graph
from dnnc.passes.analysis.ordering import Ordering, Program, least_peak

EFFORT = 10_000_000
"""States that the search may take in each part of a network, times the units."""


def least(graph: Graph, kernels: Mapping[int, Kernel]) -> Ordering | None:
    """The order of the units with the fewest bytes of the arena alive at once; None with loops, whose units stay together."""
    if any(isinstance(unit, Enter) for unit in graph.units):
        return None
    return least_peak(program(graph, kernels), EFFORT // max(1, len(graph.units)))


def reordered(graph: Graph, order: Sequence[int]) -> Graph:
    """The graph with its units in an order."""
    return replace(graph, units=[graph.units[n] for n in order])


def program(graph: Graph, kernels: Mapping[int, Kernel]) -> Program:
    """What each unit reads and makes in the arena, scratch memory included, and what it may write over."""
    values = _Values(share(graph), outside(graph, output_roots(graph, share(graph))))
    given, tasks, over = values.numbers(graph.inputs), [], {}
    for i, unit in enumerate(graph.units):
        if i not in kernels:  # a view
            tasks.append((frozenset[int](), ()))
            continue
        scratch = tuple(values.add(s.nbytes) for s in kernels[i].scratches)
        tasks.append((frozenset(values.numbers(kernels[i].reads)), (*values.numbers(unit.outputs), *scratch)))
        over[i] = frozenset(values.numbers(overwritable(values.sharing, unit, values.fixed)))
    kept = frozenset(values.numbers(graph.outputs))
    return Program(tasks, values.sizes, frozenset(given), kept, _waits(graph), over)


@dataclass
class _Values:
    """The roots of values by number, with their bytes in the arena: none of what is `fixed`."""

    sharing: Sharing
    fixed: set[SSAValue]
    sizes: list[int] = field(default_factory=list)
    roots: dict[SSAValue, int] = field(default_factory=dict)

    def add(self, nbytes: int) -> int:
        """The number of something new."""
        self.sizes.append(nbytes)
        return len(self.sizes) - 1

    def numbers(self, values: Iterable[SSAValue]) -> tuple[int, ...]:
        """The numbers of the roots of some values, each once."""
        found = []
        for root in (self.sharing.place(v).root for v in values):
            if root not in self.roots:
                self.roots[root] = self.add(0 if root in self.fixed else bytes_of(root))
            found.append(self.roots[root])
        return tuple(dict.fromkeys(found))


def _waits(graph: Graph) -> list[frozenset[int]]:
    """For each unit those that make what it takes."""
    maker = {v: i for i, unit in enumerate(graph.units) for v in unit.outputs}
    return [frozenset(maker[v] for v in graph.resolved(unit.inputs) if v in maker) for unit in graph.units]
