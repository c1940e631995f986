"""A node being imported, as the rules see it: operands, attributes, constants, and the builder of operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import GraphProto, SparseTensorProto, TensorProto
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.utils.exceptions import VerifyException

from dnnc.frontend.onnx.graph import Node
from dnnc.frontend.onnx.schema_functions import schema_function
from dnnc.frontend.onnx.tensors import Literal, UnsupportedType, numpy_type
from dnnc.ir.diagnostics import BeyondDialect, rule_code
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.types import dtype, element_type, shape_of

if TYPE_CHECKING:
    from dnnc.frontend.onnx.importer import Importer

_REQUIRED = object()


class _Coded(Exception):
    def __init__(self, message: str, code: str):
        super().__init__(message)
        self.code = code


class Refused(_Coded):
    """The node is valid ONNX but dnnc does not support it; the message is the reason."""


class Mistake(_Coded):
    """The node is wrong; the message says what was expected."""


class Unknown(Exception):
    """The node reads a tensor of unknown type, made by a node that was refused: nothing can be said about it."""


class Site:
    """One node, its scope and the program under construction.

    Every attribute a rule does not read is reported, so none is dropped in silence.
    """

    def __init__(self, node: Node, importer: Importer):
        self.node = node
        self.importer = importer
        self.read: set[str] = set()
        self.location = named(node.name)
        self.store = importer.program.store

    # Operands

    def has(self, i: int) -> bool:
        """Whether the i-th input is given."""
        return bool(self.node.input(i))

    def operand(self, i: int) -> SSAValue:
        """The i-th input as a value of the program."""
        name = self.node.input(i)
        if not name:
            raise Mistake(f"expected input {self.input_name(i)}, not an absent one.", "E0209")
        return self.importer.value(name, self.location)

    def optional(self, i: int) -> SSAValue | None:
        """The i-th input, None when absent."""
        return self.operand(i) if self.has(i) else None

    def operands(self) -> list[SSAValue]:
        """All inputs; none may be absent."""
        if not self.node.inputs:
            raise Mistake("expected at least one input, not none.", "E0209")
        return [self.operand(i) for i in range(len(self.node.inputs))]

    def type(self, i: int = 0) -> Attribute:
        """Type of the i-th input, without making it part of the program."""
        name = self.node.input(i)
        if not name:
            raise Mistake(f"expected input {self.input_name(i)}, not an absent one.", "E0209")
        return self.importer.type(name)

    def shape(self, i: int = 0) -> tuple[int, ...]:
        """Shape of the i-th input."""
        return shape_of(self.type(i))

    def element(self, i: int = 0) -> Attribute:
        """Element type of the i-th input."""
        return self.type(i).element_type  # pyright: ignore[reportAttributeAccessIssue]

    def dtype(self, i: int = 0) -> np.dtype:
        """Numpy type of the i-th input."""
        return dtype(self.element(i))

    def rank(self, i: int = 0) -> int:
        """Number of dimensions of the i-th input."""
        return len(self.shape(i))

    def input_name(self, i: int) -> str:
        """The name the ONNX specification gives the i-th input, with its number."""
        try:
            inputs = onnx.defs.get_schema(self.node.op, self.node.version, self.node.domain).inputs
            return f"'{inputs[min(i, len(inputs) - 1)].name}'"
        except onnx.defs.SchemaError:
            return str(i)

    # Constants

    def constant(self, i: int) -> np.ndarray:
        """Values of the i-th input; refused when they are known only at run time."""
        name = self.node.input(i)
        if not name:
            raise Mistake(f"expected input {self.input_name(i)}, not an absent one.", "E0209")
        values = self.importer.values(name)
        if values is None:
            raise Refused(
                f"expected a constant as input {self.input_name(i)}, not '{name}', which is computed at run time.",
                "E0212",
            )
        return values

    def optional_constant(self, i: int) -> np.ndarray | None:
        """Values of the i-th input, None when it is absent."""
        return self.constant(i) if self.has(i) else None

    def known(self, i: int) -> np.ndarray | None:
        """Values of the i-th input, None when it is absent or known only at run time."""
        return self.importer.values(self.node.input(i)) if self.has(i) else None

    def integers(self, i: int) -> tuple[int, ...]:
        """A constant input as a tuple of integers."""
        values = self.constant(i)
        if not np.issubdtype(values.dtype, np.integer):
            raise Mistake(f"expected integers as input {self.input_name(i)}, not {values.dtype}.", "E0213")
        return tuple(int(v) for v in values.reshape(-1))

    def scalar(self, i: int) -> Any:
        """A constant input of one element as a Python number."""
        return self.one(i).item()

    def whole(self, i: int) -> int:
        """A constant input of one element as an integer, whatever its type."""
        value = self.scalar(i)
        if not math.isfinite(value) or value != int(value):
            raise Mistake(f"expected a whole number as input {self.input_name(i)}, not {value}.", "E0213")
        return int(value)

    def matrix(self, i: int = 0) -> tuple[int, int]:
        """The last two dimensions of the i-th input."""
        if self.rank(i) < 2:
            raise Mistake(f"expected input {self.input_name(i)} of rank 2 or more, not {self.rank(i)}.", "E0418")
        return self.shape(i)[-2], self.shape(i)[-1]

    def one(self, i: int) -> np.ndarray:
        """A constant input of one element as an array of rank 0."""
        values = self.constant(i)
        if values.size != 1:
            raise Mistake(f"expected one element as input {self.input_name(i)}, not {list(values.shape)}.", "E0213")
        return values.reshape(())

    # Attributes

    def _attribute(self, name: str, default: Any, kind: str, types: tuple[type, ...]) -> Any:
        self.read.add(name)
        value = self.node.attributes.get(name)
        if value is None:
            if default is _REQUIRED:
                raise Mistake(f"expected an attribute '{name}', not none.", "E0210")
            return default
        if not isinstance(value, types) or isinstance(value, bool):
            raise Mistake(f"expected {kind} as attribute '{name}', not {_brief(value)}.", "E0211")
        return value

    def int(self, name: str, default: Any = _REQUIRED) -> int:
        """An integer attribute."""
        return self._attribute(name, default, "an integer", (int,))

    def flag(self, name: str, default: bool = False) -> bool:
        """An integer attribute that says yes or no."""
        return bool(self.int(name, int(default)))

    def float(self, name: str, default: Any = _REQUIRED) -> float:
        """A real attribute."""
        return self._attribute(name, default, "a real number", (float, int))

    def string(self, name: str, default: Any = _REQUIRED) -> str:
        """A text attribute."""
        return self._attribute(name, default, "a text", (str,))

    def word(self, name: str, default: str, *allowed: str) -> str:
        """A text attribute that is one of a few."""
        value = self.string(name, default)
        if value not in (default, *allowed):
            raise Refused(f"expected '{name}' to be one of {', '.join((default, *allowed))}, not '{value}'.", "E0207")
        return value

    def ints(self, name: str, default: Any = _REQUIRED) -> tuple[int, ...]:
        """An attribute that is a list of integers."""
        value = self._attribute(name, default, "a list of integers", (list, tuple))
        if value is default:
            return default
        if not all(isinstance(v, int) for v in value):
            raise Mistake(f"expected a list of integers as attribute '{name}', not {_brief(value)}.", "E0211")
        return tuple(value)

    def floats(self, name: str, default: Any = _REQUIRED) -> tuple[float, ...]:
        """An attribute that is a list of real numbers."""
        return tuple(self._attribute(name, default, "a list of real numbers", (list, tuple)))

    def strings(self, name: str, default: Any = _REQUIRED) -> tuple[str, ...]:
        """An attribute that is a list of texts."""
        return tuple(self._attribute(name, default, "a list of texts", (list, tuple)))

    def tensor(self, name: str) -> TensorProto:
        """A tensor attribute."""
        return self._attribute(name, _REQUIRED, "a tensor", (TensorProto,))

    def sparse(self, name: str) -> SparseTensorProto:
        """A sparse tensor attribute."""
        return self._attribute(name, _REQUIRED, "a sparse tensor", (SparseTensorProto,))

    def graph(self, name: str) -> GraphProto:
        """A subgraph attribute."""
        return self._attribute(name, _REQUIRED, "a graph", (GraphProto,))

    def given(self, name: str) -> bool:
        """Whether an attribute is given."""
        return name in self.node.attributes

    def ignore(self, *names: str) -> None:
        """Attributes that have no meaning for the result."""
        self.read.update(names)

    def unread(self) -> list[str]:
        """Attributes no one asked for."""
        return [name for name in self.node.attributes if name not in self.read]

    def element_type(self, number: int) -> Attribute:
        """The element type an ONNX type number means."""
        try:
            return element_type(numpy_type(number))
        except UnsupportedType as e:
            raise Refused(f"expected a numeric element type, not {e}.", "E0216") from e

    # Results

    def wants(self, i: int) -> bool:
        """Whether somebody may read the i-th output."""
        return i < len(self.node.outputs) and bool(self.node.outputs[i])

    def only_first(self, why: str) -> None:
        """Refuse outputs beyond the first."""
        extra = [o for o in self.node.outputs[1:] if o and self.importer.is_read(o)]
        if extra:
            raise Refused(f"expected one output, not also {', '.join(map(repr, extra))}: {why}.", "E0208")

    def build(self, kind: type[DnnOp], *operands: Any, **params: Any) -> Sequence[SSAValue]:
        """Append an operation; returns its results. A wrong construction is the model's mistake."""
        try:
            op = kind(*operands, location=self.location, **params)
        except BeyondDialect as e:
            raise Refused(str(e), rule_code(e)) from e
        except VerifyException as e:
            raise Mistake(str(e), rule_code(e)) from e
        return self.importer.program.append(op)

    def by_definition(self) -> list[SSAValue]:
        """The results by the function with which ONNX defines the operator."""
        self.ignore(*self.node.attributes)
        function = schema_function(self.node, self.importer.type)
        if function is None:
            raise Refused(
                f"expected one output in this opset, not also {', '.join(map(repr, self.node.outputs[1:]))}. Use a newer opset.",
                "E0208",
            )
        values = self.importer.call(function, self.node)
        if None in values:
            raise Unknown
        return [
            v if isinstance(v, SSAValue) else self.importer.program.emit_literal(v) for v in values if v is not None
        ]

    def apply(self, operator: str, operands: Sequence[SSAValue | None], drop: Sequence[str] = ()) -> SSAValue:
        """The result of an ONNX operator on values, with the attributes of this node but those in `drop`."""
        self.ignore(*self.node.attributes)
        attributes = {name: value for name, value in self.node.attributes.items() if name not in drop}
        return self.importer.apply(operator, self.node, operands, attributes)[0]

    def emit(self, kind: type[DnnOp], *operands: Any, **params: Any) -> SSAValue:
        """Append an operation with one result."""
        return self.build(kind, *operands, **params)[0]

    def append(self, op: DnnOp) -> Sequence[SSAValue]:
        """Append a finished operation; its results."""
        return self.importer.program.append(op)

    def const(self, array: np.ndarray) -> SSAValue:
        """Append a constant."""
        return self.importer.program.emit_literal(
            Literal.of(np.asarray(array), f"{self.node.name}.const"), self.location
        )

    def like(self, value: float, i: int = 0) -> SSAValue:
        """A rank-0 constant of the element type of the i-th input."""
        return self.const(np.array(value).astype(self.dtype(i)))


def named(name: str) -> NameLoc:
    """The location of what a node of this name means."""
    return NameLoc(StringAttr(name), NoneAttr())


def _brief(value: Any) -> str:
    text = type(value).__name__ if not isinstance(value, (int, float, str, list, tuple)) else repr(value)
    return text if len(text) < 40 else text[:37] + "..."
