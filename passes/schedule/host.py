"""What stays in floating point on the host: the functions @prologue and @epilogue around the accelerator's share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue

from dnnc.ir.diagnostics import Collector, Finding, UnsupportedError, where
from dnnc.ir.dnn.movement import ConcatOp, Movement, View
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import Quantized, shape_of, tensor_text


@dataclass(frozen=True)
class Parts:
    """@main in three: what the host does first, the accelerator's groups and views, what the host does last."""

    main: FuncOp
    before: list[Operation]
    device: list[Operation]
    after: list[Operation]

    def inputs(self) -> list[SSAValue]:
        """Values the accelerator reads from the host, in order of first use."""
        made = {r for op in self.device for r in op.results}
        used = dict.fromkeys(v for op in self.device for v in op.operands if v not in made and not _constant(v))
        return list(used)

    def outputs(self) -> list[SSAValue]:
        """Results of groups that the host reads, itself or a view of them, in the order they are made."""
        read = {root(v) for op in self.after for v in op.operands}
        return [r for op in self.device if isinstance(op, GroupOp) for r in op.results if r in read]

    def views(self) -> list[Operation]:
        """The views between the accelerator's results and the host, in order."""
        found: list[Operation] = []
        wanted = {v for op in self.after for v in op.operands}
        for op in reversed(self.device):
            if isinstance(op, Movement) and any(r in wanted for r in op.results):
                found.insert(0, op)
                wanted.update(op.operands)
        return found

    def kept(self) -> list[SSAValue]:
        """Values from before the accelerator that the host reads after it: inputs of the network, and what is made of them."""
        made = {r for op in (*self.device, *self.after) for r in op.results}
        return list(dict.fromkeys(v for op in self.after for v in op.operands if v not in made and not _constant(v)))

    def host_functions(self) -> list[FuncOp]:
        """@prologue from the network's inputs to the accelerator's and what the host keeps, @epilogue from the accelerator's
        outputs and what was kept; both have the network's names.
        """
        kept = self.kept()
        before = _function("prologue", list(self.main.body.block.args), self.before, [*self.inputs(), *kept])
        after = _function("epilogue", [*self.outputs(), *kept], [*self.views(), *self.after], None)
        before.arg_attrs, after.res_attrs = self.main.arg_attrs, self.main.res_attrs
        return [before, after]


@dataclass(frozen=True)
class Holdings:
    """The function that was tiled, its groups cut into passes through the machine, and which of its values each buffer holds.

    A buffer has the value's elements in row-major order once they are stored.
    """

    main: FuncOp
    values: Mapping[BufferOp, SSAValue]


def _constant(value: SSAValue) -> bool:
    return isinstance(value.owner, ConstOp)


def _on_device(op: Operation) -> bool:
    """Whether an operation is the accelerator's: groups of codes, and views of them; whole numbers are counted on the host."""
    if ISLAND in op.attributes:
        return False
    if isinstance(op, GroupOp):
        return any(map(_codes, (*op.operands, *op.results)))
    return isinstance(op, Movement) and op.is_view() and all(map(_codes, op.results))


def _codes(value: SSAValue) -> bool:
    return isinstance(value.type, TensorType) and isinstance(value.type.element_type, Quantized)


def split(module: ModuleOp) -> Parts:
    """Divide @main; UnsupportedError lists operations on the host between two on the accelerator, and values without elements."""
    main, problems = main_function(module), Collector()
    parts = Parts(main, [], [], [])
    late: set[SSAValue] = set()
    fed: set[SSAValue] = set()
    for op in main.body.block.ops:
        if isinstance(op, ConstOp):
            continue
        if _on_device(op):
            parts.device.append(op)
            fed.update(op.results)
            if empty := [v.type for v in (*op.operands, *op.results) if not prod(shape_of(v.type))]:
                text = f"values of at least one element were expected, not {tensor_text(empty[0])}"
                problems.refuse(where(op.location, op.name), f"{text}. Compile to C with --emit c.", "E0803")
            if any(v in late for v in op.operands):
                text = "an operation that needs nothing the host makes from the accelerator's results was expected"
                problems.refuse(
                    where(op.location, op.name), f"{text}, not '{op.name}'. Quantize what is before it.", "E0801"
                )
        elif isinstance(op, ReturnOp) or any(v in fed or v in late for v in op.operands):
            parts.after.append(op)
            late.update(op.results)
        else:
            parts.before.append(op)
    problems.raise_if_any()
    if not parts.device:
        raise UnsupportedError(
            Finding(
                "main",
                "quantized groups were expected, there are none. Quantize the network first.",
                "E0802",
            )
        )
    return parts


def _function(
    name: str, arguments: Sequence[SSAValue], ops: Sequence[Operation], results: Sequence[SSAValue] | None
) -> FuncOp:
    """A function with clones of host operations and of the constants they use."""
    block = Block(arg_types=[v.type for v in arguments])
    mapping: dict[SSAValue, SSAValue] = dict(zip(arguments, block.args))
    wanted = [*(v for op in ops for v in op.operands), *(results or ())]
    for constant in dict.fromkeys(v.owner for v in wanted if _constant(v)):
        assert isinstance(constant, ConstOp)
        block.add_op(constant.clone(mapping))
    for op in ops:
        clone = op.clone(mapping)
        clone.location = op.location
        block.add_op(clone)
    if results is not None:
        block.add_op(ReturnOp(*(mapping[v] for v in results)))
    last = block.last_op
    assert last is not None
    return FuncOp(name, ([a.type for a in block.args], [v.type for v in last.operands]), Region(block))


def homes_of(parts: Parts, outputs: set[SSAValue]) -> dict[SSAValue, tuple[SSAValue, int, int]]:
    """(concatenation, axis, start) of values that are made on the accelerator for one concatenation first."""
    found: dict[SSAValue, tuple[SSAValue, int, int]] = {}
    for op in parts.device:
        body = op.body_ops() if isinstance(op, GroupOp) else []
        if len(body) != 1 or not isinstance(body[0], ConcatOp):
            continue
        axis = body[0].axis.data % len(body[0].shape())
        start = 0
        for i, arg in enumerate(body[0].xs):
            value = op.operands[arg.index]  # pyright: ignore[reportAttributeAccessIssue]
            owner = value.owner
            made = isinstance(owner, GroupOp) and not isinstance(owner.body_ops()[0], View)
            if made and value not in outputs and value not in found:
                found[value] = op.results[0], axis, start
            start += body[0].shape(i)[axis]
    return found


def source_name(value: SSAValue) -> str | None:
    """The name of the network's input a value comes from."""
    while isinstance(value.owner, Operation) and value.owner.operands:
        value = value.owner.operands[0]
    return value.name_hint


def root(value: SSAValue) -> SSAValue:
    """The value behind views."""
    while isinstance(value.owner, Movement):
        value = value.owner.operands[0]
    return value
