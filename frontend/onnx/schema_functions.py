"""Operators that ONNX itself defines by simpler ones: imported by that definition when the dialect has no operation for them."""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import FunctionProto, NodeProto, helper
from xdsl.dialects.builtin import TensorType

from dnnc.frontend.onnx.graph import Node
from dnnc.ir.types import dtype, shape_of


def schema_function(node: Node, type_of: Callable[[str], TensorType]) -> FunctionProto | None:
    """ONNX's definition of an operator as a function, for operands of these types; None when it has none."""
    try:
        schema = onnx.defs.get_schema(node.op, node.version, node.domain)
    except onnx.defs.SchemaError:
        return None
    if schema.has_function:
        return schema.function_body
    if not schema.has_context_dependent_function:
        return None
    types = [_type_proto(type_of(i)) if i else b"" for i in node.inputs]
    body = schema.get_context_dependent_function(_proto(node).SerializeToString(), types)
    return FunctionProto.FromString(body) if body else None


def has_function(node: Node) -> bool:
    """Whether ONNX defines an operator by others."""
    try:
        schema = onnx.defs.get_schema(node.op, node.version, node.domain)
    except onnx.defs.SchemaError:
        return False
    return schema.has_function or schema.has_context_dependent_function


def _type_proto(type_: TensorType) -> bytes:
    number = helper.np_dtype_to_tensor_dtype(dtype(type_.element_type))
    return helper.make_tensor_type_proto(number, shape_of(type_)).SerializeToString()


def _proto(node: Node) -> NodeProto:
    return helper.make_node(node.op, node.inputs, node.outputs, name=node.name, domain=node.domain, **node.attributes)
