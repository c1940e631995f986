"""What does not fit as it is runs in smaller parts: layers in parts of their rows, stacks taken apart.

%1 = dnn.group [%x, %w] { conv }   ->   %1 = dnn.group [%x, %w] { dnn.group { conv } }, in steps of rows and columns
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.arch import Accelerator, Memory, of_module
from dnnc.ir.diagnostics import Collector, Finding, Remark, UnsupportedError, where
from dnnc.ir.dnn.attributes import Ints
from dnnc.ir.dnn.structure import GroupOp
from dnnc.passes.analysis import depth_first
from dnnc.passes.analysis.depth_first import Plan
from dnnc.passes.analysis.stack import Stack
from dnnc.passes.analysis.stacks import STEPS, Unit, stack_of, unit_of
from dnnc.passes.analysis.tile_search import search, shortages
from dnnc.passes.analysis.tiling import ALIGN
from dnnc.passes.fuse_layers import fuse
from dnnc.passes.schedule.units import cut_layers, groups_of, inlined, is_stack

MOST = 64
"""How many times larger a memory is thought of when a layer fits in no tile at all."""


@dataclass(frozen=True)
class FitLayersPass(ModulePass):
    """Find a way for what the target's memories are too small for, and say so in a remark.

    A layer whose smallest tile of whole rows does not fit runs in parts of its rows, as a stack of its own. Layers that were
    to run depth-first and do not fit so are cut in half until each part fits. What fits is left alone.
    """

    name = "fit-layers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        arch, problems = of_module(op), Collector()
        for group in cut_layers(op):
            if is_stack(group):
                _fit_stack(group, arch)
        for group in groups_of(op):
            if not is_stack(group):
                problems.unsupported += _fit_layer(group, arch)
        problems.raise_if_any()


def _fit_layer(group: GroupOp, arch: Accelerator) -> list[Finding]:
    """Let a layer run in parts of its rows if its tiles do not fit; what is wrong when neither does."""
    unit = unit_of(group, _name(group))
    if unit is None:
        return []
    try:
        search(unit.group.layer, arch)
    except UnsupportedError as error:
        found = _stack([unit])
        plan = depth_first.search(found, arch) if found else None
        if found is None or plan is None:
            return _told(error, unit, found, arch)
        _remark(group, f"its smallest tile of whole rows does not fit: it runs in parts of {_size(plan)}")
        fuse([group], plan.cut)
    return []


def _fit_stack(group: GroupOp, arch: Accelerator) -> None:
    """Leave a stack that fits, else look for other steps, else take it apart."""
    stack, steps = _stack(_units(group.body_ops())), group.attributes.get(STEPS)
    sizes = steps.data if isinstance(steps, Ints) else None
    if stack is not None and depth_first.planned(stack, arch, sizes) is not None:
        return
    plan = depth_first.search(stack, arch) if stack is not None else None
    if plan is not None:
        stated = "x".join(map(str, (sizes or ())[:2]))
        _remark(group, f"steps of {stated} do not fit: its layers run in steps of {_size(plan)}")
        group.attributes[STEPS] = Ints((plan.cut.rows, plan.cut.columns, int(plan.cut.rolls)))
        return
    name = _name(group)
    parts = [len(part) for part in _apart(inlined(group), arch)]
    how = "one by one" if max(parts) == 1 else f"in stacks of {', '.join(map(str, parts))}"
    warnings.warn(f"{name}: {sum(parts)} layers do not fit depth-first: they run {how}.", Remark, stacklevel=2)


def _apart(ops: Sequence[GroupOp], arch: Accelerator) -> Iterator[Sequence[GroupOp]]:
    """Groups in halves of halves, each a stack that fits or one layer."""
    stack = _stack(_units(ops)) if len(ops) > 1 else None
    plan = depth_first.search(stack, arch) if stack is not None else None
    if plan is not None:
        fuse(ops, plan.cut)
    if plan is not None or len(ops) == 1:
        yield ops
        return
    half = len(ops) // 2
    yield from _apart(ops[:half], arch)
    yield from _apart(ops[half:], arch)


def _units(ops: Sequence[object]) -> list[Unit | None]:
    return [unit_of(op) if isinstance(op, GroupOp) else None for op in ops]


def _stack(units: Sequence[Unit | None]) -> Stack | None:
    """The stack of units, None when one of them is none."""
    there = [u for u in units if u is not None]
    found = stack_of(there) if len(there) == len(units) else None
    return found[0] if found else None


def _told(error: UnsupportedError, unit: Unit, stack: Stack | None, arch: Accelerator) -> list[Finding]:
    """What each memory lacks for a layer in tiles of whole rows, and in parts of them where that needs less."""
    layer, short = unit.group.layer, shortages(unit.group.layer, arch)
    if stack is None:
        return list(error.findings)
    if not short:
        whole = [f for memory in arch.memory if (f := _in_parts(stack, arch, memory, MOST * memory.bytes)) is not None]
        return [Finding(f.where, f"{f.message} {' '.join(whole)}".strip(), f.code) for f in error.findings]
    parts = [_in_parts(stack, arch, s.memory, s.bytes - ALIGN) or "" for s in short]
    return [Finding(layer.name, f"{s} {p}".strip(), "E0804") for s, p in zip(short, parts)]


def _in_parts(stack: Stack, arch: Accelerator, memory: Memory, most: int) -> str | None:
    """The least size of a memory, up to `most`, at which bisection finds a plan, in words; None when there is none."""
    low, high = memory.bytes, most
    if high <= low or depth_first.search(stack, arch.resized({memory.name: high})) is None:
        return None
    while high - low > ALIGN:
        middle = (low + high) // 2 // ALIGN * ALIGN
        fits = depth_first.search(stack, arch.resized({memory.name: middle})) is not None
        low, high = (low, middle) if fits else (middle, high)
    return f"In parts of its rows {high} bytes of {memory.name} are the smallest found."


def _size(plan: Plan) -> str:
    height, width = plan.cut.stack.output.size
    return f"{plan.cut.rows}x{plan.cut.columns} of its {height}x{width} outputs"


def _name(group: GroupOp) -> str:
    return where(group.location, "") or group.results[0].name_hint or "layer"


def _remark(group: GroupOp, text: str) -> None:
    warnings.warn(f"{_name(group)}: {text}.", Remark, stacklevel=2)
