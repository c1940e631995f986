"""A dnn module as a list of layers: what each operation or group reads, holds, computes and writes, as plain numbers."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from dnnc.backends.report.traffic import Traffic, Use, graph_traffic
from dnnc.ir.diagnostics import Finding, UnsupportedError, counted, node_names, where
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import ConvDims, ConvOp, ConvTransposeOp, MatmulOp, loop_dims
from dnnc.ir.dnn.movement import Movement, ShapeOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import bits, nbytes, shape_of, type_name

CONTRACTIONS = (ConvOp, ConvTransposeOp, MatmulOp)
ROLES = ("weight", "bias", "parameter")
"""What a constant is to the operation that uses it: multiplied, added to the sums, or anything else."""


@dataclass(frozen=True)
class Constant:
    """A constant a layer reads; two uses of the same stored array have the same `id`."""

    id: Hashable
    role: str
    family: str
    elements: int
    bytes: int


@dataclass(frozen=True)
class Contraction:
    """The multiply-accumulates of one operation: `family` is conv, fc, or product when no operand is constant.

    `bits` is the narrower of its two operands; `direct` says that both come from outside the layer.
    """

    family: str
    kind: str
    dims: ConvDims
    macs: int
    bits: int
    reuse: tuple[int, int]
    direct: bool


@dataclass(frozen=True)
class Layer:
    """What one operation or group of @main costs whatever the machine.

    `host` marks what stays off an accelerator: float islands, and conversions at the border of the integer part.
    """

    name: str
    nodes: str
    kind: str
    element: str
    output: tuple[int, ...]
    macs: int
    ops: int
    contractions: tuple[Contraction, ...]
    constants: tuple[Constant, ...]
    input_elements: int
    input_bytes: int
    output_elements: int
    output_bytes: int
    traffic: Traffic
    reads: tuple[SSAValue, ...]
    writes: tuple[SSAValue, ...]
    host: bool

    @property
    def only(self) -> Contraction | None:
        """The contraction, when there is exactly one."""
        return self.contractions[0] if len(self.contractions) == 1 else None

    def count(self, *roles: str, family: str = "") -> int:
        """Elements of its constants of some roles (and family)."""
        return sum(c.elements for c in self.constants if c.role in roles and family in ("", c.family))


def layers_of(block: Block) -> list[Layer]:
    """The layers of @main in order.

    Constants, what is computed from constants alone, and views (which move nothing) are not layers. UnsupportedError
    counts operations of other dialects.
    """
    refused = [op for op in block.ops if not isinstance(op, DnnOp | ReturnOp)]
    if refused:
        got = counted(op.name for op in refused)
        raise UnsupportedError(
            Finding(
                where(refused[0].location, "module"),
                f"operations of the dnn dialect were expected, not {got}. Report the module before it is tiled.",
                "E0905",
            )
        )
    known = constants_of(block)
    return [_layer(op, known) for op in block.ops if isinstance(op, DnnOp) and is_layer(op, known)]


def is_layer(op: DnnOp, known: set[SSAValue]) -> bool:
    """Whether an operation runs and moves data at run time."""
    return not any(r in known for r in op.results) and not (isinstance(op, Movement) and op.is_view())


def constants_of(block: Block) -> set[SSAValue]:
    """Values known at compile time: constants, shapes, and whatever is computed from those alone."""
    known: set[SSAValue] = set()
    for op in block.ops:
        if isinstance(op, ConstOp | ShapeOp) or (
            isinstance(op, DnnOp) and op.operands and known.issuperset(op.operands)
        ):
            known.update(op.results)
    return known


def root(value: SSAValue) -> SSAValue:
    """The value behind any views: the data that is stored."""
    while isinstance(value.owner, Movement) and value.owner.is_view():
        value = value.owner.operands[0]
    return value


def kept(value: SSAValue) -> SSAValue:
    """What is stored of a constant: the integers or codes that it is dequantized from."""
    made = value.owner
    return made.x if isinstance(made, DequantizeOp) and isinstance(made.x.owner, ConstOp) else value


def _uses(op: DnnOp) -> Iterator[Use]:
    """Every use, by the operation or inside the group or loop, of a value from outside (or of a constant inside)."""
    if not isinstance(op, GroupOp):
        yield from (Use(v, op, i) for i, v in enumerate(op.operands))
        inner = [o for o in op.walk() if o is not op and isinstance(o, DnnOp)]
        yield from (Use(v, o, i) for o in inner for i, v in enumerate(o.operands) if isinstance(v.owner, ConstOp))
        return
    outer: dict[SSAValue, SSAValue] = dict(zip(op.body.block.args, op.inputs))
    for inner in op.body_ops():
        outer |= {r: r for r in inner.results if isinstance(inner, ConstOp)}
        yield from (Use(outer[v], inner, i) for i, v in enumerate(inner.operands) if v in outer)


def _layer(op: DnnOp, known: set[SSAValue]) -> Layer:
    body = [o for o in (op.body_ops() if isinstance(op, GroupOp) else [op]) if not isinstance(o, ConstOp)]
    uses = [Use(kept(u.value), u.op, u.operand) for u in _uses(op)]
    known = known | {u.value for u in uses if isinstance(u.value.owner, ConstOp)}
    work = op.work()
    reads = tuple(dict.fromkeys(root(u.value) for u in uses if u.value not in known))
    nodes = node_names(op.location) or [where(op.location, op.name)]
    first = op.results[0].type
    assert isinstance(first, TensorType)
    return Layer(
        name=nodes[0],
        nodes="+".join(nodes),
        kind="+".join(_kind(o) for o in body),
        element=type_name(first.element_type),
        output=shape_of(first),
        macs=work.macs,
        ops=work.ops,
        contractions=tuple(_contraction(o, uses, known) for o in body if isinstance(o, CONTRACTIONS)),
        constants=_constants(uses, known),
        input_elements=sum(prod(shape_of(v.type)) for v in reads),
        input_bytes=sum(nbytes(v.type) for v in reads),
        output_elements=op.elements(),
        output_bytes=sum(nbytes(r.type) for r in op.results),
        traffic=graph_traffic(uses, known, op.results),
        reads=reads,
        writes=tuple(op.results),
        host=isinstance(op, QuantizeOp | DequantizeOp) or ISLAND in op.attributes,
    )


def _kind(op: Operation) -> str:
    depthwise = isinstance(op, ConvOp) and op.dims().depthwise
    return "depthwise_conv" if depthwise else op.name.removeprefix("dnn.")


def _family(op: DnnOp, known: set[SSAValue], uses: list[Use]) -> str:
    if isinstance(op, ConvOp | ConvTransposeOp):
        return "conv"
    constant = any(u.op is op and u.operand < 2 and u.value in known for u in uses)
    return "fc" if constant else "product"


def _contraction(op: ConvOp | ConvTransposeOp | MatmulOp, uses: list[Use], known: set[SSAValue]) -> Contraction:
    dims = loop_dims(op)
    direct = {u.operand for u in uses if u.op is op and u.operand < 2} == {0, 1}
    taps, strides = prod(dims.RS), 1 if isinstance(op, ConvTransposeOp) else prod(dims.U)
    width = min(bits(op.element(0)), bits(op.element(1)))
    return Contraction(_family(op, known, uses), _kind(op), dims, op.work().macs, width, (taps, strides), direct)


def _constants(uses: list[Use], known: set[SSAValue]) -> tuple[Constant, ...]:
    """The distinct constants a layer reads, each in its weightiest role."""
    found: dict[Hashable, Constant] = {}
    for u in uses:
        if u.value in known:
            stored = root(u.value)
            role = _role(u)
            family = _family(u.op, known, uses) if isinstance(u.op, CONTRACTIONS) else ""
            new = Constant(_identity(stored), role, family, prod(shape_of(stored.type)), nbytes(stored.type))
            found[new.id] = weightier(found.get(new.id, new), new)
    return tuple(found.values())


def weightier(a: Constant, b: Constant) -> Constant:
    """Of two uses of one constant the one that comes first in `ROLES`."""
    return min(a, b, key=lambda c: ROLES.index(c.role))


def _role(use: Use) -> str:
    if not isinstance(use.op, CONTRACTIONS):
        return "parameter"
    return "bias" if use.op.bias is not None and use.operand == 2 else "weight"


def _identity(value: SSAValue) -> Hashable:
    """Equal for constants that are the same entry of the weight store."""
    key = value.owner.key if isinstance(value.owner, ConstOp) else None
    return value if key is None else key.data
