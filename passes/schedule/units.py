"""Groups that are one pass through the machine: what is not is cut into groups that are."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.movement import Movement
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.interpret import main_function
from dnnc.passes.analysis.group import group_of


def groups_of(module: ModuleOp) -> list[GroupOp]:
    """The groups of the main function, in order."""
    return [g for g in main_function(module).body.block.ops if isinstance(g, GroupOp)]


def cut_layers(module: ModuleOp) -> list[GroupOp]:
    """The groups of the main function, those that are no stack cut into what is one pass through the machine."""
    for group in groups_of(module):
        if not is_stack(group):
            cut(group)
    return groups_of(module)


def cut(group: GroupOp) -> None:
    """Replace a group that is not one pass through the machine by groups that are, each as long as it can be."""
    body = group.body_ops()
    if len(body) < 2 or _runs(group):
        return
    mapping: dict[SSAValue, SSAValue] = dict(zip(group.body.block.args, group.inputs))
    chain: list[DnnOp] = []
    for op in body:
        clone = op.clone(mapping)
        clone.location = op.location
        Rewriter.insert_op(clone, InsertPoint.before(group))
        chain.append(clone)
    Rewriter.replace_op(group, [], [mapping[v] for v in group.yielded()])
    while chain:
        chain = chain[_first_unit(chain) :]


def _first_unit(chain: list[DnnOp]) -> int:
    """Make a group of the longest beginning of a chain that runs as one, or of all of it; the number of its operations."""
    for n in (*reversed(range(1, len(chain))), len(chain)):
        group, replaced = GroupOp.of(chain[:n], chain[n - 1].location)
        Rewriter.insert_op(group, InsertPoint.before(chain[n - 1]))
        if n < len(chain) and not _runs(group):
            Rewriter.erase_op(group)
            continue
        _take_over(group, replaced, chain[:n])
        return n
    raise AssertionError("a chain has a first operation")


def into_group(chain: Sequence[DnnOp]) -> None:
    """Put consecutive operations into a group."""
    group, replaced = GroupOp.of(chain, chain[-1].location)
    Rewriter.insert_op(group, InsertPoint.before(chain[-1]))
    _take_over(group, replaced, chain)


def _take_over(group: GroupOp, replaced: Sequence[SSAValue], chain: Sequence[DnnOp]) -> None:
    for old, new in zip(replaced, group.results):
        old.replace_all_uses_with(new)
    for op in reversed(chain):
        Rewriter.erase_op(op)


def _runs(group: GroupOp) -> bool:
    if isinstance(group.body_ops()[0], Movement):
        return len(group.body_ops()) == 1
    try:
        group_of(group.body.block, "group", group.location)
    except UnsupportedError:
        return False
    return True


def is_stack(group: GroupOp) -> bool:
    """Whether a group is of groups, which run depth-first."""
    return isinstance(group.body_ops()[0], GroupOp)


def inlined(stack: GroupOp) -> list[GroupOp]:
    """Replace a group of groups by its groups, in order."""
    mapping: dict[SSAValue, SSAValue] = dict(zip(stack.body.block.args, stack.inputs))
    found = []
    for op in stack.body_ops():
        assert isinstance(op, GroupOp)
        clone = op.clone(mapping)
        clone.location = op.location
        for old, new in zip(op.body_ops(), clone.body_ops()):
            new.location = old.location
        Rewriter.insert_op(clone, InsertPoint.before(stack))
        found.append(clone)
    Rewriter.replace_op(stack, [], [mapping[v] for v in stack.yielded()])
    return found
