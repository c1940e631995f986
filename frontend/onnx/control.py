"""Control flow: branches that are settled when the network is imported, and loops over slices."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import GraphProto
from xdsl.ir import Block, SSAValue

from dnnc.frontend.onnx.site import Refused, Site, Unknown
from dnnc.frontend.onnx.tensors import Literal
from dnnc.ir.dnn.attributes import normal_axis
from dnnc.ir.dnn.movement import SliceOp, TransposeOp
from dnnc.ir.dnn.recurrent import ScanOp, slice_type
from dnnc.ir.dnn.structure import YieldOp
from dnnc.ir.types import shape_of


def if_(site: Site) -> list[SSAValue | Literal]:
    """If with a constant condition: the branch it takes."""
    taken = bool(site.scalar(0))
    branches = {True: site.graph("then_branch"), False: site.graph("else_branch")}
    results = site.importer.branch(branches[taken], site.node)
    if any(r is None for r in results):
        raise Unknown
    return [r for r in results if r is not None]


def scan(site: Site) -> list[SSAValue]:
    """Scan over slices of its inputs; axes and directions by transposes and reversals around the loop."""
    if site.node.version < 9:
        raise Refused("expected opset 9 or newer, where Scan has no batch. Use a newer opset.", "E0207")
    body, count = site.graph("body"), site.int("num_scan_inputs")
    operands = site.operands()
    n = len(operands) - count
    stacked = len(body.output) - n
    axes, ends = _ints(site, "scan_input_axes", count), _ints(site, "scan_input_directions", count)
    out_axes, out_ends = _ints(site, "scan_output_axes", stacked), _ints(site, "scan_output_directions", stacked)
    sequences = [_turned(site, v, a, e) for v, a, e in zip(operands[n:], axes, ends)]
    states = operands[:n]
    block = Block(arg_types=[*(v.type for v in states), *(slice_type(v.type) for v in sequences)])
    block.add_op(YieldOp.create(operands=_written(site, body, block)))
    fixed = _captured(block)
    op = ScanOp.of(block, states, sequences, fixed, shape_of(sequences[0].type)[0], location=site.location)
    op.verify()
    results = list(site.append(op))
    return [*results[:n], *(_back(site, v, a, e) for v, a, e in zip(results[n:], out_axes, out_ends))]


def _ints(site: Site, name: str, count: int) -> tuple[int, ...]:
    return site.ints(name, ()) or (0,) * count


def _turned(site: Site, v: SSAValue, axis: int, reverse: int) -> SSAValue:
    """A value with its slices along dimension 0, from the first one a loop takes."""
    rank = len(shape_of(v.type))
    a = normal_axis(axis, rank)
    if a:
        v = site.emit(TransposeOp, v, perm=(a, *(i for i in range(rank) if i != a)))
    return _reversed(site, v) if reverse else v


def _back(site: Site, v: SSAValue, axis: int, reverse: int) -> SSAValue:
    """What a loop stacked along dimension 0, along another one."""
    v, rank = _reversed(site, v) if reverse else v, len(shape_of(v.type))
    a = normal_axis(axis, rank)
    order = [*range(1, a + 1), 0, *range(a + 1, rank)]
    return site.emit(TransposeOp, v, perm=tuple(order)) if a else v


def _reversed(site: Site, v: SSAValue) -> SSAValue:
    shape = shape_of(v.type)
    rest = len(shape) - 1
    return site.emit(SliceOp, v, start=(shape[0] - 1, *(0,) * rest), size=shape, step=(-1, *(1,) * rest))


def _written(site: Site, body: GraphProto, block: Block) -> list[SSAValue]:
    """The nodes of a body as operations of a block; its outputs."""
    importer, program = site.importer, site.importer.program
    outer, scope = program.block, importer.scope
    program.block = block
    # Constants from outside are written anew in the body, so that the names outside keep theirs.
    literals = {name: v for name, v in scope.items() if isinstance(v, Literal)}
    importer.scope = scope.new_child({**literals, **dict(zip((i.name for i in body.input), block.args))})
    try:
        found = importer.branch(body, site.node)
        if any(v is None for v in found):
            raise Unknown
        return [v if isinstance(v, SSAValue) else program.emit_literal(v) for v in found if v is not None]
    finally:
        program.block, importer.scope = outer, scope


def _captured(block: Block) -> Sequence[SSAValue]:
    """Values from outside that a body reads, which become its last arguments."""
    fixed: dict[SSAValue, SSAValue] = {}
    for op in block.ops:
        for i, v in enumerate(op.operands):
            if (v.owner if isinstance(v.owner, Block) else v.owner.parent) is not block:
                fixed[v] = fixed.get(v) or block.insert_arg(v.type, len(block.args))
                op.operands[i] = fixed[v]
    return list(fixed)
