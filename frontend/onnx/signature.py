"""Types at the edge of a graph: the inputs of a network with its symbolic dimensions bound, and types ONNX infers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import onnx
from onnx import GraphProto, ModelProto, TensorProto
from xdsl.dialects.builtin import TensorType

from dnnc.frontend.onnx.tensors import UnsupportedType, dimensions, value_type
from dnnc.ir.diagnostics import Collector
from dnnc.ir.types import dtype, element_type, shape_of, tensor

_SMALL = 1024  # elements up to which a tensor is kept for shape inference


@dataclass(frozen=True)
class Signature:
    """Names and types of a network's inputs, initializers left out."""

    inputs: tuple[tuple[str, TensorType], ...]

    @staticmethod
    def of(graph: GraphProto, dims: Mapping[str, int], findings: Collector) -> Signature:
        """The inputs of a graph; dimensions without a value, and types without a counterpart, are noted."""
        inputs: list[tuple[str, TensorType]] = []
        unbound: dict[str, str] = {}
        names: set[str] = set()
        for i in real_inputs(graph):
            try:
                kind, shape = value_type(i.type)
            except UnsupportedType as e:
                findings.refuse(f"input '{i.name}'", f"type {e} is not supported.")
                continue
            keys = [d if isinstance(d, str) else f"{i.name}.{k}" for k, d in enumerate(shape) if not isinstance(d, int)]
            names.update(keys)
            unbound.update((k, i.name) for k in keys if k not in dims)
            # A dimension without a value counts as 1, so that the rest of the graph can be checked too.
            known = [d if isinstance(d, int) else dims.get(_key(i.name, k, d), 1) for k, d in enumerate(shape)]
            inputs.append((i.name, tensor(element_type(kind), tuple(known))))
        for name in sorted(set(dims) - names):
            have = f"has {', '.join(sorted(names))}" if names else "has none without a value"
            findings.error("model", f"expected the name of a dimension, not '{name}'. The model {have}.")
        for name, value in dims.items():
            if value < 0:
                findings.error("model", f"expected a value of at least 0 for dimension '{name}', not {value}.")
        for key, where in unbound.items():
            message = f"expected a value for dimension '{key}', not none. Give it with --dim {key}=VALUE."
            findings.error(f"input '{where}'", message)
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


def placeholder_types(model: ModelProto, inputs: Mapping[str, TensorType]) -> dict[str, TensorType]:
    """Static types that ONNX's shape inference gives a model's tensors, its large weights left out."""
    light = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    graph, source = light.graph, model.graph
    graph.name = "types"
    graph.node.extend(source.node)
    graph.value_info.extend(source.value_info)
    graph.output.extend(source.output)
    for name, type_ in inputs.items():
        number = onnx.helper.np_dtype_to_tensor_dtype(dtype(type_.element_type))
        graph.input.append(onnx.helper.make_tensor_value_info(name, number, shape_of(type_)))
    for t in source.initializer:
        if t.data_location != TensorProto.EXTERNAL and prod(t.dims) <= _SMALL:
            graph.initializer.append(t)
        else:
            graph.input.append(onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims))
    try:
        inferred = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError):  # what it cannot read stays unknown
        inferred = graph
    return _static_types([*inferred.value_info, *inferred.output])


def _static_types(values: list[onnx.ValueInfoProto]) -> dict[str, TensorType]:
    types: dict[str, TensorType] = {}
    for v in values:
        try:
            kind, shape = value_type(v.type)
        except UnsupportedType:
            continue
        ranked = v.type.tensor_type.HasField("shape")
        if ranked and all(isinstance(d, int) for d in shape):
            types[v.name] = tensor(element_type(kind), tuple(d for d in shape if isinstance(d, int)))
    return types
