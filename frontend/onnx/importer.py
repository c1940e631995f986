"""Walk an ONNX graph and write the `dnn` program it means, reporting everything that stands in the way at once."""

from __future__ import annotations

import os
from collections import ChainMap, Counter
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import FunctionProto, GraphProto
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, LocationAttr, ModuleOp, StringAttr, TensorType
from xdsl.ir import SSAValue

from dnnc.frontend.onnx import domains, load
from dnnc.frontend.onnx.graph import Node, Versions, function_body, nodes_of, opset_versions
from dnnc.frontend.onnx.program import INLINE, Program, sanitized
from dnnc.frontend.onnx.schema_functions import has_function, schema_function
from dnnc.frontend.onnx.signature import Signature, declared_types, inferred_types, real_inputs
from dnnc.frontend.onnx.site import Mistake, Refused, Site, Unknown, named
from dnnc.frontend.onnx.tensors import External, Literal, UnsupportedType, dense, literal
from dnnc.frontend.onnx.upgrade import NEWEST, upgraded
from dnnc.ir.diagnostics import Collector, DnncError, Finding, counted, nearest
from dnnc.ir.dnn.domains import RuleFailed, Rules
from dnnc.ir.types import dtype, shape_of
from dnnc.ir.weights import ABSENT, WeightStore, store_of

REFERENCE = "docs/reference/onnx.md"  # written from `TABLE`, see tools/docs/onnx.py

Value = SSAValue | Literal | None  # None: made by a node that was refused, type unknown


def import_onnx(
    source: str | os.PathLike[str] | onnx.ModelProto,
    ctx: Context,
    dims: Mapping[str, int] | None = None,
    weights: bool = True,
) -> ModuleOp:
    """The program `main` of an ONNX model, its weights in the store of `ctx`, read when first used.

    `dims` gives values to symbolic dimensions by name. Without `weights`, files of external data need not be there: the
    module then names them in its attribute `dnn.absent`, and serves to count only.

    DnncError when the model is wrong, UnsupportedError (a
    NotImplementedError) when something in it is not supported; both carry every finding.
    """
    model = load.model(source)
    path = None if isinstance(source, onnx.ModelProto) else Path(source)
    return Importer(model, path, store_of(ctx), weights).run(dims or {})


class Importer:
    """One import: what names stand for, the program that grows, the findings."""

    def __init__(self, model: onnx.ModelProto, path: Path | None, store: WeightStore, weights: bool = True):
        self.model = model
        self.path = path
        self.external = External(path.parent if path is not None else None, weights)
        self.program = Program(store)
        self.scope: ChainMap[str, Value] = ChainMap()
        self.findings = Collector()
        self.known: dict[str, Rules] = {}  # rules by domain
        self.refused: list[str] = []  # operators, one entry a node
        self.functions = {(f.domain, f.name, f.overload): f for f in model.functions}
        self.calls: list[tuple[str, str, str]] = []  # functions being imported, outermost first
        self.count = 0  # nodes seen
        self.guessed = False  # whether shapes rest on a dimension nobody bound, so that they prove nothing
        self.serial = 0
        self.declared = declared_types(model.graph)
        self._reads: Counter[str] | None = None

    def run(self, dims: Mapping[str, int]) -> ModuleOp:
        """Import the main graph."""
        graph = self.model.graph
        versions = self.versions()
        signature = Signature.of(graph, dims, self.findings, self.place)
        self.guessed = bool(self.findings.errors)
        for name, type_ in signature.inputs:
            value = self.scope[name] = self.program.argument(type_)
            value.name_hint = sanitized(name)
        for i in real_inputs(graph):
            self.scope.setdefault(i.name, None)  # an input whose type is not supported
        self.constants(graph)
        self.walk(nodes_of(graph.node, versions))
        if not graph.output:
            message = "expected at least one output, not none. Name the tensors wanted as outputs of the graph."
            self.findings.error(self.place("graph"), message, "E0231")
        outputs = [self.output(o.name) for o in graph.output]
        self.raise_findings()
        names = [name for name, _ in signature.inputs], [o.name for o in graph.output]
        module = self.program.module([v for v in outputs if v is not None], *names)
        if self.external.absent:
            module.attributes[ABSENT] = ArrayAttr([StringAttr(f) for f in self.external.absent])
        return module

    def versions(self) -> Versions:
        """Opset versions of the model, verified."""
        versions = opset_versions(self.model.opset_import)
        load.check_versions(self.model, versions)
        return versions or {"": 1}

    # Walking

    def constants(self, graph: GraphProto) -> None:
        """Put the initializers of a graph into the scope."""
        for t in graph.initializer:
            self.define_constant(t.name, lambda t=t: literal(t, self.external))
        for t in graph.sparse_initializer:
            self.define_constant(t.values.name, lambda t=t: dense(t, t.values.name))

    def define_constant(self, name: str, make) -> None:
        """Put one initializer into the scope; note what is wrong with it."""
        try:
            self.scope[name] = make()
        except UnsupportedType as e:
            self.scope[name] = None
            self.findings.refuse(
                self.place(f"tensor '{name}'"),
                f"expected a numeric element type, not {e}. Convert the tensor in the model.",
                "E0216",
            )
        except DnncError as e:
            self.scope[name] = None
            for f in e.findings:
                self.findings.error(self.place(f.where), f.message, f.code)

    def walk(self, nodes: Iterable[Node]) -> None:
        """Import nodes in order."""
        for node in nodes:
            self.count += 1
            try:
                if not any(node.outputs):
                    raise Mistake("expected an output, not none.", "E0209")
                for part in upgraded(node, Around(self)):
                    self.node(part)
            except Refused as e:
                self.refuse(node, str(e), e.code)
            except Mistake as e:
                if not self.guessed:
                    self.findings.error(self.place(f"node '{node.name}'"), f"{node.operator()}: {e}", e.code)
                self.give_up(node)
            except DnncError as e:  # a constant that cannot be read or evaluated
                self.findings.errors += [Finding(self.place(f.where), f.message, f.code) for f in e.findings]
                self.give_up(node)
            except Unknown:
                self.check_support(node)
                self.give_up(node)

    def node(self, node: Node) -> None:
        """Import one node of today's operators."""
        rule = self.rules(node.domain).get(node.op)
        function = self.functions.get(node.key)
        if function is None:
            check_arity(node)
        if function is None and rule is None:
            function = schema_function(node, self.type)
        if function is not None:
            for name, value in zip(node.outputs, self.call(function, node)):
                if name:
                    self.scope[name] = value
            return
        if rule is None:
            raise Refused(self.no_such_operator(node), "E0205")
        site = Site(node, self)  # pyright: ignore[reportArgumentType]
        try:
            results = rule(site)
        except RuleFailed as e:
            raise Refused(str(e), "E0523") from e
        if site.unread():
            names = ", ".join(f"'{n}'" for n in site.unread())
            raise Refused(f"expected no attribute {names}, which dnnc does not know here. Export without it.", "E0206")
        self.results(node, [results] if isinstance(results, (SSAValue, Literal)) else results)

    def rules(self, domain: str) -> Rules:
        """The rules of a domain's operators."""
        if domain not in self.known:
            self.known[domain] = domains.rules(domain)
        return self.known[domain]

    def results(self, node: Node, values: Sequence[SSAValue | Literal | None]) -> None:
        """Name the results of a node."""
        for name, value in zip(node.outputs, values):
            if name and value is not None:
                self.define(name, value)
        missing = [o for o in node.outputs[len(values) :] if o]
        if missing:
            raise Refused(
                f"expected no output {', '.join(map(repr, missing))}, which dnnc does not make. Export without it.",
                "E0208",
            )

    def define(self, name: str, value: SSAValue | Literal) -> None:
        """Give a value its name; a name is given once."""
        if self.scope.get(name) is not None:
            raise Mistake(f"expected a new name for its output, not '{name}', which another tensor has.", "E0218")
        self.scope[name] = value
        if isinstance(value, SSAValue) and value.name_hint is None:
            value.name_hint = sanitized(name)

    def call(self, function: FunctionProto, node: Node) -> list[Value]:
        """Import a function's nodes in place of a call; returns its outputs."""
        if node.key in self.calls:
            raise Mistake("expected a function that does not call itself.", "E0220")
        outer = self.scope
        inner = {name: self.lookup(actual) for name, actual in zip(function.input, node.inputs) if actual}
        self.scope = ChainMap(inner)
        self.calls.append(node.key)
        try:
            self.walk(function_body(function, node))
            return [self.scope.get(name) for name in function.output]
        finally:
            self.scope = outer
            self.calls.pop()

    def apply(
        self,
        operator: str,
        node: Node,
        operands: Sequence[SSAValue | None],
        attributes: Mapping[str, Any],
        results: int = 1,
    ) -> list[SSAValue]:
        """Import an operator of today's default domain on values, as part of a node; returns its results."""
        outer = self.scope
        names = tuple("" if v is None else f"operand {i}" for i, v in enumerate(operands))
        outputs = tuple(f"result {i}" for i in range(results))
        self.scope = ChainMap(dict(zip(names, operands)))
        try:
            self.node(Node(operator, "", NEWEST, node.name, names, outputs, attributes))
            return [self.value(name) for name in outputs]
        finally:
            self.scope = outer

    def branch(self, graph: GraphProto, node: Node) -> list[Value]:
        """Import a subgraph's nodes in place; returns its outputs."""
        self.scope = self.scope.new_child()
        try:
            self.constants(graph)
            versions = {**self.versions(), "": node.version}
            self.walk(nodes_of(graph.node, versions, prefix=f"{node.name}/"))
            return [self.lookup(o.name) for o in graph.output]
        finally:
            self.scope = self.scope.parents

    # Findings

    def place(self, what: str) -> str:
        """Where a finding is, with the file when there is one."""
        return f"{self.path.name}: {what}" if self.path is not None else what

    def no_such_operator(self, node: Node) -> str:
        """Why an operator is refused."""
        if node.domain:
            return (
                f"operators of the domain '{node.domain}' are not supported. A plug-in may add them (docs/plugins.md)."
            )
        if not node.op:
            return "expected the name of an operator, not none. Export the model again."
        hint = "" if onnx.defs.has(node.op) else nearest(node.op, self.rules(""))
        return f"the operator is not supported.{hint}"

    def refuse(self, node: Node, reason: str, code: str) -> None:
        """Note that a node is not supported, and go on with the types its outputs would have."""
        version = f" (opset {node.version})" if node.version else " (opset undeclared)"
        self.findings.refuse(self.place(f"node '{node.name}'"), f"{node.operator()}{version}: {reason}", code)
        self.refused.append(node.operator())
        self.give_up(node, self.inferred(node))

    def check_support(self, node: Node) -> None:
        """Note an operator that is not supported although its operands are unknown."""
        known = node.op in self.rules(node.domain) or (node.domain == "" and has_function(node))
        if not known and node.key not in self.functions:
            self.refuse(node, self.no_such_operator(node), "E0205")

    def give_up(self, node: Node, inferred: Mapping[str, TensorType] | None = None) -> None:
        """Stand-ins for the outputs of a node that could not be imported, by the types ONNX infers or the model states."""
        types = {**self.declared, **(inferred or {})}
        for name in node.outputs:
            if name and not isinstance(self.scope.get(name), SSAValue):
                self.scope[name] = self.program.stand_in(types[name]) if name in types else None

    def inferred(self, node: Node) -> dict[str, TensorType]:
        """Types ONNX infers for a node's outputs, when those of all its operands are known.

        Only asked about nodes that are not wrong: ONNX's inference can bring the process down over wrong ones.
        """
        names = [i for i in node.inputs if i]
        operands = [self.scope.get(i) for i in names]
        if any(v is None for v in operands):
            return {}
        types = {name: self.type(name) for name in names}
        small = [
            n for n, v in zip(names, operands) if v not in self.program.guessed and prod(types[n].get_shape()) <= INLINE
        ]
        values = {name: self.values(name) for name in small}
        return inferred_types(node, types, {name: v for name, v in values.items() if v is not None})

    def raise_findings(self) -> None:
        """Raise what was found, the count of each refused operator first."""
        if self.refused:
            what = f"{len(self.refused)} of {self.count} nodes are not supported: {counted(self.refused)}."
            message = f"{what} Export the model without them; {REFERENCE} lists what is."
            summary = Finding(self.place("model"), message, "E0200")
            self.findings.unsupported.insert(0, summary)
        self.findings.raise_if_any()

    # Values

    def lookup(self, name: str) -> Value:
        """What a name stands for."""
        if name not in self.scope:
            raise Mistake(
                f"expected the name of a tensor, not '{name}', which nothing makes.{nearest(name, self.scope)}", "E0217"
            )
        return self.scope[name]

    def value(self, name: str, location: LocationAttr | None = None) -> SSAValue:
        """The value of a name; a constant becomes part of the program on its first use."""
        found = self.lookup(name)
        if found is None:
            raise Unknown
        if isinstance(found, Literal):
            found = self.program.emit_literal(found, location)
            self.replace(name, found)
        return found

    def replace(self, name: str, value: SSAValue) -> None:
        """Rebind a name in the scope that defines it."""
        next(m for m in self.scope.maps if name in m)[name] = value

    def type(self, name: str) -> TensorType:
        """Type of a name."""
        found = self.lookup(name)
        if found is None:
            raise Unknown
        type_ = found.type
        assert isinstance(type_, TensorType)
        return type_

    def values(self, name: str) -> np.ndarray | None:
        """Values of a name when they are known now, evaluated exactly as the program would."""
        found = self.lookup(name)
        if found is None or found in self.program.guessed:
            raise Unknown
        if isinstance(found, Literal):
            return found.load()
        return self.program.values(found)

    def output(self, name: str) -> SSAValue | None:
        """The value of a graph output; None when unknown."""
        try:
            return self.value(name, named(name))
        except Unknown:
            return None
        except Mistake as e:
            self.findings.error(self.place(f"output '{name}'"), str(e), e.code)
            return None

    def is_read(self, name: str) -> bool:
        """Whether any node of the model or its outputs read a name."""
        if self._reads is None:
            self._reads = Counter(o.name for o in self.model.graph.output)
            _count_reads(self.model.graph, self._reads)
            for f in self.model.functions:
                self._reads.update(f.output)
                for n in f.node:
                    self._reads.update(n.input)
        return name in self._reads


class Around:
    """What upgrade rules may ask."""

    def __init__(self, importer: Importer):
        self.importer = importer

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor."""
        return shape_of(self.importer.type(name))

    def dtype(self, name: str) -> np.dtype:
        """Numpy type of a tensor."""
        return dtype(self.importer.type(name).element_type)

    def values(self, name: str) -> np.ndarray:
        """Values of a constant tensor."""
        values = self.importer.values(name)
        if values is None:
            raise Refused(f"expected a constant, not '{name}', which is computed at run time.", "E0212")
        return values

    def constant(self, array: np.ndarray) -> str:
        """Name of a new constant tensor."""
        name = self.fresh("const")
        self.importer.scope[name] = Literal.of(array)
        return name

    def fresh(self, hint: str) -> str:
        """A tensor name not in use."""
        self.importer.serial += 1
        return f"{hint}<{self.importer.serial}>"


def _count_reads(graph: GraphProto, reads: Counter[str]) -> None:
    for n in graph.node:
        reads.update(n.input)
        for a in n.attribute:
            for g in [a.g] if a.HasField("g") else a.graphs:
                reads.update(o.name for o in g.output)
                _count_reads(g, reads)


def check_arity(node: Node) -> None:
    """Verify the number of operands of an ONNX operator, as its newest version takes them."""
    if node.domain or not onnx.defs.has(node.op):
        return
    schema = onnx.defs.get_schema(node.op)
    given, least, most = len(node.inputs), schema.min_input, schema.max_input
    if not least <= given <= most:
        expected = f"{least} inputs" if least == most else f"{least} to {most} inputs"
        raise Mistake(f"expected {expected}, not {given}.", "E0209")
