"""Which layers of a schedule run depth-first together, and the loops over their steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from xdsl.dialects.func import FuncOp

from dnnc.ir.sched import BufferOp, ComputeOp, LoopOp, buffer_of, loops_around


@dataclass(frozen=True)
class Steps:
    """A stack of a schedule: its number from 1, its layers in order, and the loops that all of them run in."""

    number: int
    layers: tuple[str, ...]
    loops: tuple[LoopOp, ...]

    def at(self, env: Mapping[Any, int]) -> int | None:
        """The step that the loops stand in, counted from 0; None before the first."""
        number = 0
        for loop in self.loops:
            if loop.index not in env:
                return None
            number = number * len(loop.values) + loop.values.index(env[loop.index])
        return number


def steps_in(function: FuncOp) -> list[Steps]:
    """The stacks of a schedule, in order: layers that hold parts of tensors in the same buffers are one."""
    groups: list[tuple[set[BufferOp], list[ComputeOp]]] = []
    for op in function.walk():
        if isinstance(op, ComputeOp) and (held := _held(op)):
            mine = [g for g in groups if g[0] & held]
            at = groups.index(mine[0]) if mine else len(groups)
            groups = [g for g in groups if g not in mine]
            groups.insert(at, (held.union(*(g[0] for g in mine)), [*(c for g in mine for c in g[1]), op]))
    return [_steps(number, computes) for number, (_, computes) in enumerate(groups, 1)]


def _held(op: ComputeOp) -> set[BufferOp]:
    return {buffer_of(tile) for tile, part in zip(op.tiles, op.holding or ()) if part.data}


def _steps(number: int, computes: Iterable[ComputeOp]) -> Steps:
    around = [loops_around(op) for op in computes]
    common = takewhile(lambda loops: all(loop is loops[0] for loop in loops), zip(*around))
    layers = dict.fromkeys(op.label.data for op in computes)
    return Steps(number, tuple(layers), tuple(loops[0] for loops in common))
