"""Operators that ONNX itself defines by simpler ones: imported by that definition when the dialect has no operation for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
from onnx import FunctionProto, helper
from xdsl.dialects.builtin import TensorType

from dnnc.frontend.onnx.graph import Node, node_proto
from dnnc.ir.types import dtype, shape_of


def schema_of(node: Node) -> Any:
    """ONNX's description of an operator at the node's opset, None when it has none."""
    try:
        return onnx.defs.get_schema(node.op, node.version, node.domain)
    except onnx.defs.SchemaError:
        return None


def has_function(node: Node) -> bool:
    """Whether ONNX defines an operator by others."""
    schema = schema_of(node)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def schema_function(node: Node, type_of: Callable[[str], TensorType]) -> FunctionProto | None:
    """ONNX's definition of an operator as a function, for operands of these types; None when it has none."""
    schema = schema_of(node)
    if schema is None:
        return None
    if schema.has_function:
        function = FunctionProto()
        function.CopyFrom(schema.function_body)
    elif schema.has_context_dependent_function:
        types = [type_proto(type_of(i)) if i else b"" for i in node.inputs]
        try:
            body = schema.get_context_dependent_function(node_proto(node).SerializeToString(), types)
        except ValueError:  # operands of a kind the definition is not for
            return None
        if not body:
            return None
        function = FunctionProto.FromString(body)
    else:
        return None
    stated = {a.name for a in function.attribute_proto}
    defaults = [a.default_value for a in schema.attributes.values() if a.default_value.name and a.name not in stated]
    function.attribute_proto.extend(defaults)
    return function


def type_proto(type_: TensorType) -> bytes:
    """A tensor type as ONNX writes it."""
    number = helper.np_dtype_to_tensor_dtype(dtype(type_.element_type))
    return helper.make_tensor_type_proto(number, shape_of(type_)).SerializeToString()
