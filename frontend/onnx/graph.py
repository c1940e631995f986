"""An ONNX graph as plain Python: what the importer walks, free of protobuf and of who wrote the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, helper

from dnnc.ir.diagnostics import DnncError, Finding

DEFAULT_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class Reference:
    """An attribute of a function's node that takes its value from the call: the name of the call's attribute."""

    name: str


@dataclass(frozen=True)
class Node:
    """One node: operator, the opset it is to be read by, names of tensors ("" for an absent one), attribute values.

    `name` is what messages and locations call it; several nodes may share one when one node became many.
    """

    op: str
    domain: str
    version: int
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    overload: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What a model's own functions are found by."""
        return self.domain, self.op, self.overload

    def input(self, i: int) -> str:
        """Name of the i-th input, "" when absent."""
        return self.inputs[i] if i < len(self.inputs) else ""

    def with_attributes(self, drop: Iterable[str] = (), **values: Any) -> Node:
        """The node with attributes taken away and set."""
        kept = {k: v for k, v in self.attributes.items() if k not in set(drop)}
        return replace(self, attributes={**kept, **values})

    def with_input(self, i: int, name: str) -> Node:
        """The node with its i-th input set, absent ones before it filled in."""
        inputs = list(self.inputs) + [""] * (i + 1 - len(self.inputs))
        inputs[i] = name
        return replace(self, inputs=tuple(inputs))

    def operator(self) -> str:
        """Operator with its domain, as messages name it."""
        return self.op if self.domain in DEFAULT_DOMAINS else f"{self.domain}.{self.op}"


Versions = Mapping[str, int]


def opset_versions(imports: Iterable[onnx.OperatorSetIdProto]) -> dict[str, int]:
    """Opset version by domain, the default domain under ""."""
    versions: dict[str, int] = {}
    for entry in imports:
        domain = "" if entry.domain in DEFAULT_DOMAINS else entry.domain
        versions[domain] = max(entry.version, versions.get(domain, 0))
    return versions


def nodes_of(protos: Iterable[NodeProto], versions: Versions, prefix: str = "") -> list[Node]:
    """Nodes in an order where each comes after those it reads; names made unique and put behind `prefix`."""
    nodes = [_node(p, versions) for p in protos]
    taken: dict[str, int] = {}
    for node in nodes:
        taken[node.name] = taken.get(node.name, 0) + 1
    named = [n if n.name and taken[n.name] == 1 else replace(n, name=first_output(n)) for n in nodes]
    return ordered([replace(n, name=prefix + n.name) for n in named])


def first_output(node: Node) -> str:
    """Name of the first tensor a node makes, its operator when it makes none."""
    return next((o for o in node.outputs if o), node.op)


def _node(p: NodeProto, versions: Versions) -> Node:
    domain = "" if p.domain in DEFAULT_DOMAINS else p.domain
    attributes = {a.name: attribute_value(a) for a in p.attribute}
    return Node(
        p.op_type, domain, versions.get(domain, 0), p.name, tuple(p.input), tuple(p.output), attributes, p.overload
    )


def node_proto(node: Node) -> NodeProto:
    """A node as ONNX writes it."""
    typed: dict[str, Any] = {
        k: v for k, v in node.attributes.items() if not isinstance(v, list) or v
    }  # an empty list has no type
    return helper.make_node(node.op, node.inputs, node.outputs, name=node.name, domain=node.domain, **typed)


def attribute_value(a: AttributeProto) -> Any:
    """The value of an attribute: numbers, text, lists of them; tensors and graphs as they are, not copied."""
    if a.ref_attr_name:
        return Reference(a.ref_attr_name)
    kind = a.type
    if kind == AttributeProto.STRING:
        return a.s.decode(errors="replace")
    if kind == AttributeProto.STRINGS:
        return [s.decode(errors="replace") for s in a.strings]
    if kind == AttributeProto.UNDEFINED:
        return _untyped_value(a)
    value = helper.get_attribute_value(a)
    return list(value) if isinstance(value, (list, tuple)) else value


def _untyped_value(a: AttributeProto) -> Any:
    """The value of an attribute without a type tag, as files of IR version 1 have them: the field that is set."""
    for name in ("f", "i", "s", "t", "g"):
        if a.HasField(name):
            value = getattr(a, name)
            return value.decode(errors="replace") if name == "s" else value
    for name in ("floats", "ints", "strings", "tensors"):
        if len(getattr(a, name)):
            return list(getattr(a, name))
    return []


def outer_names(graph: GraphProto) -> set[str]:
    """Names a subgraph reads from outside."""
    made = {t.name for t in graph.initializer} | {i.name for i in graph.input}
    made |= {o for n in graph.node for o in n.output}
    read: set[str] = {o.name for o in graph.output}
    for n in graph.node:
        read |= set(n.input)
        for a in n.attribute:
            for g in [a.g] if a.type == AttributeProto.GRAPH else a.graphs:
                read |= outer_names(g)
    return {r for r in read - made if r}


def reads(node: Node) -> set[str]:
    """Names a node needs: its inputs, and what its subgraphs read from outside."""
    names = {i for i in node.inputs if i}
    for value in node.attributes.values():
        if isinstance(value, GraphProto):
            names |= outer_names(value)
    return names


def ordered(nodes: list[Node]) -> list[Node]:
    """The nodes in an order where each comes after those it reads, otherwise as given; an error names a cycle."""
    maker = {o: i for i, n in enumerate(nodes) for o in n.outputs if o}
    needs = [{maker[r] for r in reads(n) if r in maker} for n in nodes]
    if all(max(need, default=-1) < i for i, need in enumerate(needs)):
        return nodes
    done: set[int] = set()
    result: list[Node] = []
    for root in range(len(nodes)):
        path = {} if root in done else {root: None}  # a stack that answers `in` at once
        while path:
            i = next(reversed(path))
            needs[i] -= done
            if not needs[i]:
                del path[i]
                done.add(i)
                result.append(nodes[i])
                continue
            following = min(needs[i])
            if following in path:
                _cycle([nodes[k] for k in [*path][[*path].index(following) :]])
            path[following] = None
    return result


def _cycle(nodes: list[Node]) -> None:
    names = " -> ".join(f"'{n.name}'" for n in [*nodes, nodes[0]])
    raise DnncError(Finding("graph", f"expected a graph without cycles, not one where {names}.", "E0219"))


def function_body(function: FunctionProto, call: Node) -> list[Node]:
    """The nodes of a function with the call's attributes in place, named `call/node`; inputs the call leaves out are ""."""
    defaults = {a.name: attribute_value(a) for a in function.attribute_proto}
    given = {**defaults, **call.attributes}
    nodes = nodes_of(function.node, opset_versions(function.opset_import), prefix=f"{call.name}/")
    absent = {name for k, name in enumerate(function.input) if not call.input(k)}
    present = lambda names: tuple("" if i in absent else i for i in names)  # noqa: E731
    return [replace(n, inputs=present(n.inputs), attributes=_bound(n.attributes, given)) for n in nodes]


def _bound(attributes: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with references replaced by the call's values; one the call leaves out is left out."""
    out: dict[str, Any] = {}
    for name, value in attributes.items():
        if not isinstance(value, Reference):
            out[name] = value
        elif value.name in given:
            out[name] = given[value.name]
    return out
