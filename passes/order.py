"""Operations run in the order that keeps the fewest bytes alive at once; those of a schedule layer by layer, before it is placed.

%1 = A(%x); %2 = B(%x); %3 = C(%1); %4 = add(%3, %2)   ->   A, C, B, add when the result of C is smaller than that of A
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, BlockArgument, Operation, SSAValue
from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import Remark
from dnnc.ir.dnn.movement import ConcatOp, Movement, View
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ViewOp, buffer_of
from dnnc.ir.types import nbytes
from dnnc.passes.analysis import section_order
from dnnc.passes.analysis.allocate import plan
from dnnc.passes.analysis.in_place import in_place
from dnnc.passes.analysis.liveness import lifetimes
from dnnc.passes.analysis.ordering import Ordering, Program, least_peak, peak
from dnnc.passes.analysis.sections import Section, sections
from dnnc.passes.analysis.spaces import arranged
from dnnc.passes.analysis.strides import contiguous


@dataclass(frozen=True)
class OrderPass(ModulePass):
    """Put the operations of @main in an order of least peak memory; the order stays when none is better.

    After `tile` it is the layers that are put in order, stacks as a whole, so that the arena takes the fewest bytes. `states`
    bounds the search of each part of the network; past it the best order known is taken and its gap told.
    """

    name = "order"
    states: int = 100_000

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        block = main_function(op).body.block
        scheduled = any(isinstance(o, BufferOp) for o in block.ops)
        found = self._layers(op, block) if scheduled else self._operations(block)
        if not found.optimal:
            warnings.warn(gap(found), Remark, stacklevel=2)

    def _operations(self, block: Block) -> Ordering:
        operations = movable(block)
        found = least_peak(program(block, operations), self.states)
        if found.order != tuple(range(len(operations))):
            _reorder(block, [operations[i] for i in found.order])
        return found

    def _layers(self, module: ModuleOp, block: Block) -> Ordering:
        """Order the sections of a schedule; as they were, unless the arena of another order takes fewer bytes."""
        parts, before = sections(module), arena_bytes(module)
        tasks = section_order.program(module, parts)
        found = least_peak(tasks, self.states)
        if found.order == tuple(range(len(parts))):
            return found
        given = list(block.ops)
        _arrange(block, _in_order(given, [parts[i] for i in found.order]))
        if arena_bytes(module) < before:
            return found
        _arrange(block, given)
        return Ordering(tuple(range(len(parts))), peak(tasks, range(len(parts))), found.lower_bound)


def arena_bytes(module: ModuleOp) -> int:
    """Bytes that the arena of a schedule takes, as `plan-memory` places it."""
    buffers = [b for b in main_function(module).body.block.ops if isinstance(b, BufferOp) and b.space.data == "arena"]
    return plan(arranged(buffers, lifetimes(module), False, in_place(module))[0]).peak


def gap(found: Ordering) -> str:
    """How far an order may be from the least peak."""
    over = 100 * (found.peak / found.lower_bound - 1)
    return f"order: {found.peak} bytes at the peak, at most {over:.1f}% above the least (proved: {found.lower_bound})"


def movable(block: Block) -> list[Operation]:
    """The operations of a block but its constants and its end."""
    return [o for o in block.ops if not isinstance(o, ConstOp | ReturnOp)]


def program(block: Block, operations: list[Operation]) -> Program:
    """What each operation reads and makes, in bytes; constants take no part, what shares memory is one value."""
    home = _homes(operations)
    values = [*block.args, *(r for o in operations for r in o.results)]
    number = {value: i for i, value in enumerate(values)}
    maker: dict[SSAValue, int] = {r: i for i, o in enumerate(operations) for r in o.results}

    def places(of: Iterable[SSAValue]) -> frozenset[int]:
        return frozenset(number[root] for v in of if (root := _place(v, home)) in number)

    end = block.last_op
    return Program(
        [(places(_read(o)), tuple(places(o.results))) for o in operations],
        [nbytes(v.type) for v in values],
        frozenset(range(len(block.args))),
        places(end.operands if end else ()),
        [frozenset(maker[v] for v in _read(o) if v in maker) for o in operations],
    )


def _place(value: SSAValue, home: dict[SSAValue, SSAValue]) -> SSAValue:
    while value in home:
        value = home[value]
    return value


def _homes(operations: list[Operation]) -> dict[SSAValue, SSAValue]:
    """The value in whose memory another one lies: views in what they show, parts in what they are concatenated to."""
    home: dict[SSAValue, SSAValue] = {}
    alone = {o: _movement(o) for o in operations}
    for op, movement in alone.items():
        if isinstance(movement, View) and all(map(contiguous, (movement.parts()[0].read, movement.parts()[0].write))):
            home[op.results[0]] = op.operands[0]
    made = {r for o in operations for r in o.results}
    for op, movement in alone.items():
        if not isinstance(movement, ConcatOp):
            continue
        for part in movement.parts():
            value = op.operands[_argument(op, movement, part.operand)]
            if value in made and value not in home and contiguous(part.write) and not _returned(value):
                home[value] = op.results[0]
    return home


def _movement(op: Operation) -> Movement | None:
    """The movement an operation is, by itself or as all of a group."""
    inner = op.body_ops()[0] if isinstance(op, GroupOp) and len(op.body_ops()) == 1 else op
    return inner if isinstance(inner, Movement) else None


def _argument(op: Operation, movement: Movement, index: int) -> int:
    """Which operand of an operation a movement's operand is."""
    value = movement.operands[index]
    return value.index if isinstance(op, GroupOp) and isinstance(value, BlockArgument) else index


def _returned(value: SSAValue) -> bool:
    return any(isinstance(use.operation, ReturnOp) for use in value.uses)


def _read(op: Operation) -> set[SSAValue]:
    """Operands, and what the regions of an operation take from around it."""
    return {v for inner in op.walk() for v in inner.operands}


def _in_order(ops: Sequence[Operation], parts: Sequence[Section]) -> list[Operation]:
    """All operations of a schedule: what lies off chip, the sections, each buffer on chip with its views, the end."""
    kept: dict[BufferOp, list[Operation]] = {}
    for op in ops:
        if isinstance(op, ViewOp) and (buffer := buffer_of(op.result)).on_chip:
            kept.setdefault(buffer, []).append(op)
    running = {op for part in parts for op in part.ops}
    views = {view for of in kept.values() for view in of}
    idle = [op for op in ops if op not in running and op not in views]
    inside = [
        o for part in parts for op in part.ops for o in (op, *(kept.get(op, ()) if isinstance(op, BufferOp) else ()))
    ]
    return [*idle[:-1], *inside, idle[-1]]


def _arrange(block: Block, ops: Iterable[Operation]) -> None:
    """Put all operations of a block in an order."""
    for op in ops:
        op.detach()
        block.add_op(op)


def _reorder(block: Block, order: list[Operation]) -> None:
    """Put operations in an order before the end of the block; constants go first, so that they stand before every use."""
    end = block.last_op
    for op in order if end else ():
        op.detach()
        block.insert_op_before(op, end)  # pyright: ignore[reportArgumentType]
