"""Types at the edge of a graph: the inputs of a network with its symbolic dimensions bound, and types ONNX infers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, numpy_helper
from xdsl.dialects.builtin import TensorType

from dnnc.frontend.onnx.graph import Node, node_proto
from dnnc.frontend.onnx.schema_functions import type_proto
from dnnc.frontend.onnx.tensors import UnsupportedType, dimensions, value_type
from dnnc.ir.diagnostics import Collector
from dnnc.ir.types import element_type, tensor

# What ONNX's inference raises for a node it cannot read.
_NO_INFERENCE = (
    onnx.defs.SchemaError,
    onnx.shape_inference.InferenceError,
    onnx.checker.ValidationError,
    ValueError,
    IndexError,
    RuntimeError,
)


@dataclass(frozen=True)
class Signature:
    """Names and types of a network's inputs, initializers left out."""

    inputs: tuple[tuple[str, TensorType], ...]

    @staticmethod
    def of(
        graph: GraphProto, dims: Mapping[str, int], findings: Collector, place: Callable[[str], str] = str
    ) -> Signature:
        """The inputs of a graph; what has no value or no counterpart is noted, where `place` says it is."""
        inputs: list[tuple[str, TensorType]] = []
        unbound: dict[str, str] = {}
        names: set[str] = set()
        for i in real_inputs(graph):
            try:
                kind, shape = value_type(i.type)
            except UnsupportedType as e:
                findings.refuse(
                    place(f"input '{i.name}'"),
                    f"expected a tensor of a numeric element type, not {e}. Convert it in the model.",
                    "E0216",
                )
                continue
            if not i.type.tensor_type.HasField("shape"):
                message = "expected a shape, not none. Export it with the shape of its samples."
                findings.error(place(f"input '{i.name}'"), message, "E0232")
            keys = [d if isinstance(d, str) else f"{i.name}.{k}" for k, d in enumerate(shape) if not isinstance(d, int)]
            names.update(keys)
            unbound.update((k, i.name) for k in keys if k not in dims)
            # A dimension without a value counts as 1, so that the rest of the graph can be checked too.
            known = [d if isinstance(d, int) else dims.get(_key(i.name, k, d), 1) for k, d in enumerate(shape)]
            inputs.append((i.name, tensor(element_type(kind), tuple(known))))
        for name in sorted(set(dims) - names):
            have = f"has {', '.join(sorted(names))}" if names else "has none without a value"
            findings.error(
                place("model"), f"expected the name of a dimension, not '{name}'. The model {have}.", "E0215"
            )
        for name, value in dims.items():
            if value < 0:
                findings.error(
                    place("model"), f"expected a value of at least 0 for dimension '{name}', not {value}.", "E0215"
                )
        for key, where in unbound.items():
            message = f"expected a value for dimension '{key}', not none. Give it with --dim {key}=VALUE."
            findings.error(place(f"input '{where}'"), message, "E0214")
        return Signature(tuple(inputs))


def _key(name: str, axis: int, dim: str | int | None) -> str:
    """What `dims` calls a dimension: its name, or `input.axis` when it has none."""
    return dim if isinstance(dim, str) else f"{name}.{axis}"


def real_inputs(graph: GraphProto) -> list[onnx.ValueInfoProto]:
    """Inputs of a graph that are not initializers (files of IR version 3 list these as inputs too)."""
    constants = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    return [i for i in graph.input if i.name not in constants]


def symbols(graph: GraphProto) -> list[list[int | str]]:
    """Dimensions of each input, those without a value by the name `dims` calls them; none for what is no tensor."""
    return [
        [d if isinstance(d, int) else _key(i.name, k, d) for k, d in enumerate(dimensions(i.type))]
        for i in real_inputs(graph)
    ]


def declared_types(graph: GraphProto) -> dict[str, TensorType]:
    """Static types that a graph states for its tensors."""
    return static_types({v.name: v.type for v in [*graph.value_info, *graph.output]})


def inferred_types(
    node: Node, types: Mapping[str, TensorType], values: Mapping[str, np.ndarray]
) -> dict[str, TensorType]:
    """Static types ONNX infers for the outputs of a node whose operands have these types, some of them known values."""
    proto = node_proto(node)
    if any(a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for a in proto.attribute):
        return {}
    try:
        schema = onnx.defs.get_schema(node.op, node.version, node.domain)
        operands = {name: onnx.TypeProto.FromString(type_proto(type_)) for name, type_ in types.items()}
        known = {name: numpy_helper.from_array(np.ascontiguousarray(v)) for name, v in values.items()}
        return static_types(onnx.shape_inference.infer_node_outputs(schema, proto, operands, known))
    except _NO_INFERENCE:
        return {}


def static_types(values: Mapping[str, onnx.TypeProto]) -> dict[str, TensorType]:
    """Those types among ONNX's that are tensors of static shape, by name."""
    types: dict[str, TensorType] = {}
    for name, proto in values.items():
        try:
            kind, shape = value_type(proto)
        except UnsupportedType:
            continue
        if proto.tensor_type.HasField("shape") and all(isinstance(d, int) for d in shape):
            types[name] = tensor(element_type(kind), tuple(d for d in shape if isinstance(d, int)))
    return types
