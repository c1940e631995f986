"""The arena of a generated program as a memory space: which value or scratch lies where, during which functions."""

from __future__ import annotations

from xdsl.ir import Operation, SSAValue

from dnnc.backends.c.storage import Memory
from dnnc.backends.c.units import Enter, Graph, Leave, Unit
from dnnc.ir.diagnostics import node_names
from dnnc.passes.analysis.spaces import Occupant, Space, space


def arena_of(graph: Graph, memory: Memory) -> Space:
    """The arena over the units of a graph and the copies of outputs at its end."""
    names = (*(_named(unit) for unit in graph.units), "copies of outputs")
    occupants = tuple(
        Occupant(_label(b.id, names), b.size, b.start, b.end, memory.arena_offset(b.id))
        for b in memory.buffers
        if b.size and b.start < b.end
    )
    return space("arena", False, None, names, occupants, memory.buffers)


def _named(unit: Unit) -> str:
    if isinstance(unit, Enter):
        return f"{'end' if isinstance(unit, Leave) else 'begin'} of loop {_title(unit.loop)}"
    return _title(unit.ops[-1])


def _title(op: Operation) -> str:
    hint = op.results[0].name_hint if op.results else None
    return " + ".join(node_names(op.location)) or hint or op.name.removeprefix("dnn.")


def _label(root: object, names: tuple[str, ...]) -> str:
    """A value by the operation that made it, a scratch by its unit."""
    if isinstance(root, tuple):
        return f"{names[root[0]]}, {root[1]}"
    assert isinstance(root, SSAValue)
    return _title(root.owner) if isinstance(root.owner, Operation) else root.name_hint or "state"
