"""Which values stay on chip: those that save the most DRAM bytes for the room they take, as long as nothing gets slower."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from xdsl.ir import BlockArgument, Operation, SSAValue

from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn.attributes import Ints
from dnnc.ir.dnn.movement import Movement, Strided
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import shape_of
from dnnc.passes.analysis import depth_first, tile_search
from dnnc.passes.analysis.allocate import pack, plan
from dnnc.passes.analysis.allocation import Buffer
from dnnc.passes.analysis.group import Group, group_of
from dnnc.passes.analysis.keeping import Span, beside, kept_bytes, readers
from dnnc.passes.analysis.stack import Stack
from dnnc.passes.analysis.stacks import STEPS, stack_of, unit_of
from dnnc.passes.analysis.step_memory import buffers
from dnnc.passes.analysis.tiling import ALIGN, EQUALLY_FAST_PERCENT
from dnnc.passes.schedule.units import is_stack

PACKING = 200_000
"""Places the search for a packing may try before a value is given up."""


@dataclass(frozen=True)
class Cost:
    """DRAM bytes and cycles of a step, and bytes it needs of the memory in which values stay."""

    moved: int
    cycles: int
    room: int


class Step:
    """A group of the network as it runs: what it reads that may stay on chip, and what it costs."""

    def __init__(self, op: GroupOp, arch: Accelerator) -> None:
        self.op, self.arch = op, arch
        self.costs: dict[tuple[frozenset[SSAValue], int], Cost | None] = {}

    def reads(self, value: SSAValue, root: SSAValue) -> bool:
        """Whether it can read a value, a view of `root`, where it lies whole on chip."""
        return False

    @property
    def makes(self) -> bool:
        """Whether it can write its result where that stays."""
        return False

    def cost(self, kept: frozenset[SSAValue], taken: int) -> Cost | None:
        """What it costs beside so many bytes of values that stay, some of which it reads or makes; None if it has no room."""
        mine = frozenset(v for v in kept if v in self.values)
        if (mine, taken) not in self.costs:
            self.costs[mine, taken] = self._cost(mine, taken)
        return self.costs[mine, taken]

    @cached_property
    def values(self) -> frozenset[SSAValue]:
        """Roots of what it reads, and what it makes."""
        return frozenset((*map(root_of, self.op.inputs), *self.op.results))

    def _cost(self, kept: frozenset[SSAValue], taken: int) -> Cost | None:
        home = self.arch.holding("input").bytes
        if not isinstance(self.op.body_ops()[0], Movement):
            return None if taken else Cost(0, 0, home)
        largest = max(kept_bytes(v) for v in self.values)
        # a movement needs two tiles, which it makes as small as it must
        return Cost(0, 0, min(home - taken, 2 * (largest + ALIGN))) if 2 * taken <= home else None


class LayerStep(Step):
    """A layer by itself."""

    def __init__(self, op: GroupOp, arch: Accelerator, group: Group) -> None:
        super().__init__(op, arch)
        self.group, self.layer = group, group.layer
        self.roles = {"input": group.x} | ({"second": group.second.argument} if group.second is not None else {})

    def reads(self, value: SSAValue, root: SSAValue) -> bool:
        return self._bytes and all(self._in_place(i) for i, v in enumerate(self.op.inputs) if root_of(v) is root)

    def _in_place(self, operand: int) -> bool:
        """Whether an operand is read where it lies, in each of its roles: a product may take one value for both sides."""
        roles = [role for role, i in self.roles.items() if i == operand]
        lies = all(self._lies(role, self.op.inputs[operand]) for role in roles)
        return bool(roles) and lies and operand != self.group.weights

    @property
    def makes(self) -> bool:
        return self._bytes and not self.layer.wide and self._lies("output", self.op.results[0])

    @property
    def _bytes(self) -> bool:
        return self.layer.values == self.layer.packs == 1 and set(self.layer.widths) == {1}

    def _lies(self, role: str, value: SSAValue) -> bool:
        return self.layer.strides(role, Strided.rows(shape_of(value.type))) is not None

    def _cost(self, kept: frozenset[SSAValue], taken: int) -> Cost | None:
        whole = frozenset(role for role, i in self.roles.items() if root_of(self.op.inputs[i]) in kept)
        whole |= {"output"} if self.op.results[0] in kept else set()
        arch = beside(self.arch, taken)
        try:
            tile = tile_search.search(self.layer, arch, whole=whole)
        except UnsupportedError:
            return None
        need, home = tile_search.footprint(self.layer, arch, tile, whole), self.arch.holding("input")
        room = sum(need[role] for role in home.holds)
        moved = [i for i in range(len(self.op.inputs)) if not _constant(self.op.inputs[i])]
        if not all(map(self._in_place, moved)):
            room = home.bytes - taken  # an operand is brought into order first
        return Cost(tile.dram_bytes, tile.cycles, room)


class StackStep(Step):
    """Layers that run depth-first."""

    def __init__(self, op: GroupOp, arch: Accelerator, stack: Stack, values: Sequence[SSAValue]) -> None:
        super().__init__(op, arch)
        self.stack, self.tensors = stack, [root_of(self._outside(v)) for v in values]

    def _outside(self, value: SSAValue) -> SSAValue:
        if isinstance(value, BlockArgument) and value.owner is self.op.body.block:
            return self.op.inputs[value.index]
        return self.op.results[0] if value in self.op.yielded() else value

    def reads(self, value: SSAValue, root: SSAValue) -> bool:
        return root in self.tensors

    @property
    def makes(self) -> bool:
        return True

    def _cost(self, kept: frozenset[SSAValue], taken: int) -> Cost | None:
        tensors = tuple(replace(t, stays=v in kept) for t, v in zip(self.stack.tensors, self.tensors))
        steps = self.op.attributes.get(STEPS)
        arch = beside(self.arch, taken)
        found = depth_first.planned(
            replace(self.stack, tensors=tensors), arch, steps.data if isinstance(steps, Ints) else None
        )
        if found is None:
            return None
        home = self.arch.holding("input")
        asked = [Buffer(i, n, *span, ALIGN) for i, (role, n, span) in enumerate(buffers(found)) if role in home.holds]
        return Cost(found.dram_bytes, found.cycles, plan(asked).peak)


def step_of(op: GroupOp, arch: Accelerator) -> Step:
    """A group as a step."""
    if ISLAND in op.attributes or isinstance(op.body_ops()[0], Movement) or len(op.results) != 1:
        return Step(op, arch)
    if is_stack(op):
        units = [u for inner in op.body_ops() if isinstance(inner, GroupOp) and (u := unit_of(inner)) is not None]
        found = stack_of(units) if len(units) == len(op.body_ops()) else None
        return StackStep(op, arch, *found) if found is not None else Step(op, arch)
    try:
        return LayerStep(op, arch, group_of(op.body.block, "layer", op.location))
    except UnsupportedError:
        return Step(op, arch)


def root_of(value: SSAValue) -> SSAValue:
    """The value behind views of all its elements."""
    while isinstance(value.owner, Movement) and value.owner.is_view() and _same_size(value, value.owner.operands[0]):
        value = value.owner.operands[0]
    return value


def _same_size(a: SSAValue, b: SSAValue) -> bool:
    return prod(shape_of(a.type)) == prod(shape_of(b.type))


def _constant(value: SSAValue) -> bool:
    return isinstance(value.owner, ConstOp)


class Keeping:
    """The values of a network that stay on chip, added one after another."""

    def __init__(self, groups: Sequence[GroupOp], arch: Accelerator, percent: int) -> None:
        self.arch, self.home = arch, arch.holding("input").bytes
        self.limit = self.home * percent // 100
        self.steps = [step_of(op, arch) for op in groups]
        self.number: dict[Operation, int] = {op: i for i, op in enumerate(groups)}
        self.taken = [0] * len(groups)
        self.kept: dict[SSAValue, Span] = {}

    def choose(self, slower: int) -> None:
        """Find the values that stay, the most useful for their room first."""
        lives = {v: span for step in self.steps if (v := step.op.results[0]) and (span := self._span(step, v))}
        by_use = sorted(lives, key=lambda v: (self._room_steps(v, lives[v]), lives[v][0]))
        for value in by_use:
            self._try(value, lives[value], slower)
        while not self._packs() and self.kept:
            self._drop(max(self.kept, key=lambda v: self._room_steps(v, self.kept[v])))

    @cached_property
    def total(self) -> Cost | None:
        """What all steps cost beside what stays, and the most room one needs; None when one does not fit."""
        kept = frozenset(self.kept)
        costs = [step.cost(kept, self.taken[i]) for i, step in enumerate(self.steps)]
        there = [c for c in costs if c is not None]
        if len(there) < len(costs):
            return None
        return Cost(_total(there), _total(there, "cycles"), max((c.room for c in there), default=0))

    def _span(self, step: Step, value: SSAValue) -> Span | None:
        """The steps a value would stay for; None when it cannot."""
        users = list(readers(value))
        fine = all(op in self.number and self.steps[self.number[op]].reads(v, value) for op, v in users)
        if not users or not fine or not step.makes:
            return None
        return self.number[step.op], max(self.number[op] for op, _ in users)

    def _room_steps(self, value: SSAValue, span: Span) -> float:
        """Steps it takes room for, for each time it does not move."""
        return (span[1] - span[0] + 1) / (1 + len(list(readers(value))))

    def _try(self, value: SSAValue, span: Span, slower: int) -> None:
        """Keep a value if that moves less and is not slower."""
        steps = range(span[0], span[1] + 1)
        before = [self.steps[i].cost(frozenset(self.kept), self.taken[i]) for i in steps]
        kept, size = frozenset((*self.kept, value)), kept_bytes(value)
        if any(self.taken[i] + size > self.limit for i in steps):
            return
        after = [self.steps[i].cost(kept, self.taken[i] + size) for i in steps]
        if None in before or None in after:
            return
        moved, cycles = (_total(before), _total(after)), (_total(before, "cycles"), _total(after, "cycles"))
        if moved[1] < moved[0] and 100 * cycles[1] <= (100 + EQUALLY_FAST_PERCENT + slower) * cycles[0]:
            self.kept[value] = span
            for i in steps:
                self.taken[i] += size

    def _drop(self, value: SSAValue) -> None:
        first, last = self.kept.pop(value)
        for i in range(first, last + 1):
            self.taken[i] -= kept_bytes(value)

    def _packs(self) -> bool:
        """Whether all that stays has a place beside what each step needs."""
        asked = [Buffer(i, kept_bytes(v), a, b + 1, ALIGN) for i, (v, (a, b)) in enumerate(self.kept.items())]
        kept = frozenset(self.kept)
        for i, step in enumerate(self.steps):
            cost = step.cost(kept, self.taken[i]) if self.taken[i] else None
            if cost is not None:
                asked.append(Buffer(len(asked), cost.room, i, i + 1, ALIGN))
        return pack(asked, self.home, PACKING).offsets is not None


def _total(costs: Iterable[Cost | None], what: str = "moved") -> int:
    return sum(getattr(c, what) for c in costs if c is not None)
