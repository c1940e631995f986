"""A dnn module as plain data: a node a layer, an edge for each use of a value, a group for what runs as one unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Operation, SSAValue

from dnnc.ir.diagnostics import node_names, where
from dnnc.ir.dnn.attributes import Key, Param, Real, WindowAttr
from dnnc.ir.dnn.base import SEGMENTS, DnnOp
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp, MatmulOp, loop_dims
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import input_names, output_names
from dnnc.ir.types import QuantType, nbytes, shape_of, type_name

FAMILY = {
    "contraction": "contraction",
    "activation": "activation",
    "elementwise": "elementwise",
    "function": "elementwise",
    "logic": "elementwise",
    "reduction": "reduction",
    "composite": "normalization",
    "movement": "movement",
    "indexing": "movement",
    "resampling": "movement",
    "quantize": "quantization",
}
"""The colour of an operation by the module of `ir/dnn` that defines it."""


_SEEN_IN_TYPE = (SEGMENTS, "to", "shape", "value")
"""Parameters that the box need not repeat: they are in the type of the result, or a value."""


@dataclass(frozen=True)
class Constant:
    """A constant operand: the operand's name, the key of its weights (none when written out), type, bytes."""

    role: str
    key: str | None
    type: str
    bytes: int


@dataclass(frozen=True)
class Node:
    """An operation, an input or an output of the network; `group` is the id of what encloses it."""

    id: str
    kind: str
    op: str
    family: str
    name: str
    facts: str
    shape: str
    type: str
    macs: int = 0
    ops: int = 0
    output_bytes: int = 0
    weight_bytes: int = 0
    constants: tuple[Constant, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    location: str = ""
    group: str | None = None


@dataclass(frozen=True)
class Edge:
    """One use of a value: result `result` of node `source` is the operand `operand` of node `target`."""

    source: str
    target: str
    result: int
    operand: str
    shape: str
    type: str
    bytes: int

    @property
    def value(self) -> tuple[str, int]:
        """The value used."""
        return self.source, self.result


@dataclass(frozen=True)
class Group:
    """Nodes that run as one unit."""

    id: str
    name: str


@dataclass(frozen=True)
class Graph:
    """A network as nodes in order of execution, inputs first and outputs last; `hidden` counts layers left out."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Group, ...]
    hidden: int = 0

    @property
    def layers(self) -> list[Node]:
        """The nodes that are operations."""
        return [n for n in self.nodes if n.kind == "op"]

    def head(self, count: int) -> Graph:
        """The graph with its first `count` operations alone, whole groups, and no outputs; itself when it is no larger."""
        layers = self.layers
        if len(layers) <= count:
            return self
        open_group = layers[count].group
        kept = [n for n in layers[:count] if open_group is None or n.group != open_group]
        kept = kept or [n for n in layers if n.group == open_group]
        ids = {n.id for n in (*kept, *(n for n in self.nodes if n.kind == "input"))}
        edges = tuple(e for e in self.edges if e.source in ids and e.target in ids)
        nodes = tuple(n for n in self.nodes if n.id in ids)
        groups = tuple(g for g in self.groups if any(n.group == g.id for n in nodes))
        return replace(self, nodes=nodes, edges=edges, groups=groups, hidden=len(layers) - len(kept))


def graph_of(function: FuncOp, name: str) -> Graph:
    """The graph of a function of dnn operations."""
    return _Reader(function).graph(name)


class _Reader:
    """Walks a function once; `values` says which node made a value, `constants` which values are constants."""

    def __init__(self, function: FuncOp):
        self.function = function
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.groups: list[Group] = []
        self.values: dict[SSAValue, tuple[str, int]] = {}
        self.constants: dict[SSAValue, ConstOp] = {}

    def graph(self, name: str) -> Graph:
        block = self.function.body.block
        for value, label in zip(block.args, input_names(self.function)):
            node = self.border("input", label, value.type)
            self.values[value] = (node.id, 0)
        for op in block.ops:
            if isinstance(op, GroupOp):
                self.group(op)
            elif isinstance(op, ReturnOp):
                self.returned(op)
            else:
                self.operation(op)
        return Graph(name, tuple(self.nodes), tuple(self.edges), tuple(self.groups))

    def border(self, kind: str, label: str, type_: Attribute) -> Node:
        node = Node(self.new_id(), kind, kind, kind, label, "", *texts(type_), output_bytes=nbytes(type_))
        self.nodes.append(node)
        return node

    def new_id(self) -> str:
        return f"n{len(self.nodes)}"

    def returned(self, op: ReturnOp) -> None:
        for value in op.operands:
            if value in self.constants and value not in self.values:
                self.values[value] = (self.constant_node(self.constants[value]).id, 0)
        for value, label in zip(op.operands, output_names(self.function)):
            node = self.border("output", label, value.type)
            self.edge(value, node.id, "")

    def group(self, op: GroupOp) -> None:
        group = Group(f"g{len(self.groups)}", label_of(op))
        self.groups.append(group)
        for inner, outer in zip(op.body.block.args, op.inputs):
            self.alias(inner, outer)
        for one in op.body_ops():
            self.operation(one, group.id)
        for outer, inner in zip(op.outputs, op.yielded()):
            self.alias(outer, inner)

    def alias(self, new: SSAValue, old: SSAValue) -> None:
        if old in self.constants:
            self.constants[new] = self.constants[old]
        else:
            self.values[new] = self.values[old]

    def operation(self, op: Operation, group: str | None = None) -> None:
        if isinstance(op, ConstOp):
            self.constants[op.result] = op
            return
        names = operand_names(op)
        constants = tuple(constant(r, self.constants[v]) for r, v in zip(names, op.operands) if v in self.constants)
        node = node_of(op, self.new_id(), constants, group)
        self.nodes.append(node)
        for role, value in zip(names, op.operands):
            if value not in self.constants:
                self.edge(value, node.id, role)
        self.values.update((r, (node.id, i)) for i, r in enumerate(op.results))

    def edge(self, value: SSAValue, target: str, operand: str) -> None:
        source, result = self.values[value]
        self.edges.append(Edge(source, target, result, operand, *texts(value.type), nbytes(value.type)))

    def constant_node(self, op: ConstOp) -> Node:
        node = node_of(op, self.new_id(), (constant("value", op),), None)
        self.nodes.append(node)
        return node


def node_of(op: Operation, id_: str, constants: tuple[Constant, ...], group: str | None) -> Node:
    """The node of an operation."""
    work = op.work() if isinstance(op, DnnOp) else None
    return Node(
        id=id_,
        kind="op",
        op=kind_of(op),
        family=FAMILY.get(type(op).__module__.rpartition(".")[2], "movement"),
        name=label_of(op),
        facts=facts(op),
        shape=" ".join(texts(r.type)[0] for r in op.results),
        type=", ".join(dict.fromkeys(texts(r.type)[1] for r in op.results)),
        macs=work.macs if work else 0,
        ops=work.ops if work else 0,
        output_bytes=sum(nbytes(r.type) for r in op.results),
        weight_bytes=sum(c.bytes for c in constants),
        constants=constants,
        attributes=tuple(attributes(op)),
        location=where(op.location),
        group=group,
    )


def kind_of(op: Operation) -> str:
    """The operation's name without its dialect; a depthwise convolution is named as one."""
    depthwise = isinstance(op, ConvOp) and op.dims().depthwise
    return "depthwise conv" if depthwise else op.name.removeprefix("dnn.").replace("_", " ")


def label_of(op: Operation) -> str:
    """Names of the nodes an operation was made from, else of its result, else its place."""
    names = node_names(op.location)
    hint = op.results[0].name_hint if op.results else None
    return " + ".join(names) or hint or where(op.location)


def texts(type_: Attribute) -> tuple[str, str]:
    """Shape and element type in short: `1x64x56x56` and `f32`, or `i8, scale 0.0123, zero 3`, or `i8, 64 scales`."""
    if not isinstance(type_, TensorType):
        return "", str(type_)
    return "x".join(map(str, shape_of(type_))) or "scalar", element_text(type_.element_type)


def element_text(element: Attribute) -> str:
    """An element type in short; a quantized one with its scale in three digits and its zero point."""
    if not isinstance(element, QuantType):
        return type_name(element)
    q, stored = element.data, type_name(element.storage)
    if q.axis is not None:
        return f"{stored}, {len(q.scales)} scales"
    return f"{stored}, scale {q.scales[0]:.3g}" + (f", zero {q.zeros[0]}" if q.zeros[0] else "")


def facts(op: Operation) -> str:
    """What distinguishes an operation from others of its kind: loop bounds of a contraction, else its parameters."""
    if isinstance(op, ConvOp | ConvTransposeOp | MatmulOp):
        return loop_dims(op).text()
    shown = ((k, v) for k, v in op.properties.items() if k not in _SEEN_IN_TYPE and not isinstance(v, Key))
    return ", ".join(parameter(v, 3) if k == "window" else f"{k} {parameter(v, 3)}" for k, v in shown)


def attributes(op: Operation) -> Iterator[tuple[str, str]]:
    """Parameters of an operation and marks on it, as text."""
    for name, value in (*op.properties.items(), *op.attributes.items()):
        if name != SEGMENTS and not isinstance(value, Key):
            yield name, parameter(value)


def parameter(value: Attribute, digits: int = 0) -> str:
    """A parameter as text, a window in the field's letters; real numbers in so many digits, or exactly."""
    match value:
        case UnitAttr():
            return "yes"
        case WindowAttr():
            return window_text(value)
        case Real() if digits:
            return f"{value.data:.{digits}g}"
        case Param():
            return value.text()
        case _:
            return element_text(value)


def window_text(attr: WindowAttr) -> str:
    """`R3x3 U2 pad 1`: filter, stride, padding, dilation, blocks; what is default is left out."""
    w = attr.data
    parts = [f"R{'x'.join(map(str, w.kernel))}"]
    written = (("U", w.stride, 1), ("pad ", w.pad, 0), ("dilation ", w.dilation, 1), ("block ", w.block, 0))
    for word, values, default in written:
        if any(v != default for v in values):
            parts.append(word + (str(values[0]) if len(set(values)) == 1 else "x".join(map(str, values))))
    return " ".join([*parts, *(["ceil"] if w.ceil else [])])


def operand_names(op: Operation) -> Sequence[str]:
    """The declared name of each operand, numbered where the operation takes several under one name."""
    if not isinstance(op, DnnOp):
        return [str(i) for i in range(len(op.operands))]
    names = [name for name, _ in op.get_irdl_definition().operands]
    grouped = op.grouped(list(op.operands))
    return [
        f"{name} {i}" if isinstance(values, list) else name
        for name, values in zip(names, grouped)
        for i, _ in enumerate(values if isinstance(values, list) else [values] * (values is not None))
    ]


def constant(role: str, op: ConstOp) -> Constant:
    """A constant as an operand."""
    shape, element = texts(op.result.type)
    return Constant(role, op.key.data if op.key is not None else None, f"{shape} {element}", nbytes(op.result.type))
