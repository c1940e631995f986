"""Which groups of operations can run depth-first together, and the stack they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from xdsl.ir import BlockArgument, SSAValue

from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.group import Group, group_of
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.stack import Member, Stack, Tensor

STEPS = "dnn.steps"
"""Of a group of groups: rows and columns of the output a step makes, and 1 where rows roll."""


@dataclass(frozen=True)
class Unit:
    """A group that may stand in a stack, taken apart."""

    op: GroupOp
    group: Group

    @cached_property
    def layer(self) -> Layer:
        """The layer without its name, so that layers that are alike are equal."""
        return replace(self.group.layer, name="")

    @cached_property
    def x(self) -> SSAValue:
        """What it reads."""
        return self.op.inputs[self.group.x]

    @cached_property
    def second(self) -> SSAValue | None:
        """The other value it reads."""
        return self.op.inputs[self.group.second.argument] if self.group.second is not None else None


def unit_of(op: GroupOp, name: str = "layer") -> Unit | None:
    """A group as a unit of a stack, None when it cannot be one.

    It reads and makes whole tensors of planes, by a window over rows and columns; all else it reads is constant.
    """
    if isinstance(op.body_ops()[0], (Movement, GroupOp)) or len(op.results) != 1:
        return None
    try:
        group = group_of(op.body.block, name, op.location)
    except UnsupportedError:
        return None
    layer, unit = group.layer, Unit(op, group)
    bytes_only = not (layer.matrix or layer.vector or layer.wide) and {layer.values, layer.packs, *layer.widths} == {1}
    plain = bytes_only and group.counts is None and layer.kind in ("dense", "depthwise", "none")
    shaped = planes(unit.x) == (layer.N, layer.groups * layer.C, layer.H, layer.W)
    made = planes(op.results[0]) == (layer.N, layer.groups * layer.M, *layer.out)
    beside = unit.second is None or _varies(unit, unit.second)
    constants = all(_constant(op.inputs[i]) for i in (group.weights, group.bias) if i is not None)
    return unit if plain and shaped and made and beside and constants and not _constant(unit.x) else None


def _varies(unit: Unit, second: SSAValue) -> bool:
    layer = unit.group.layer
    whole = (layer.N, layer.groups * layer.M, *layer.beside)
    return planes(second) == whole and not _constant(second)


def planes(value: SSAValue) -> tuple[int, ...]:
    """[image, channel, row, column] of a value; one of three dimensions has one row."""
    shape = shape_of(value.type)
    return (*shape[:2], 1, shape[2]) if len(shape) == 3 else shape


def _constant(value: SSAValue) -> bool:
    if isinstance(value, BlockArgument):
        group = value.owner.parent_op()
        return isinstance(group, GroupOp) and _constant(group.inputs[value.index])
    return isinstance(value.owner, ConstOp)


def stack_of(
    units: Sequence[Unit], stays: Callable[[SSAValue], bool] = lambda value: False
) -> tuple[Stack, list[SSAValue]] | None:
    """(the stack of units in order, the value of each of its tensors); None when one but the last is used elsewhere.

    `stays` says which values lie whole on chip.
    """
    numbers: dict[SSAValue, int] = {}
    tensors: list[Tensor] = []
    members = []
    inside = {u.op for u in units}
    for u in units:
        read = [v for v in (u.x, u.second) if v is not None]
        for value in (*read, u.op.results[0]):
            if value not in numbers:
                _, channels, height, width = planes(value)
                numbers[value] = len(tensors)
                tensors.append(Tensor(channels, (height, width), value in read, stays(value)))
        second = numbers[u.second] if u.second is not None else None
        members.append(Member(u.layer, numbers[u.x], numbers[u.op.results[0]], second))
    for u in units[:-1]:
        uses = list(u.op.results[0].uses)
        if not uses or any(use.operation not in inside for use in uses):
            return None
    return Stack(tuple(tensors), tuple(members)), list(numbers)
