"""What every `dnn` operation has: one `infer` for builder, verifier and importer, a numpy meaning, a work count, a text form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, NoReturn

import numpy as np
from xdsl.dialects.builtin import DenseArrayBase, LocationAttr, TensorType, UnitAttr, i32
from xdsl.ir import Attribute, Operation, OpResult, SSAValue
from xdsl.irdl import IRDLOperation, OptOperandDef, VarOperandDef, traits_def
from xdsl.irdl.operations import SSAValues  # pyright: ignore[reportPrivateImportUsage]
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure

from dnnc.ir.codes import Code, FixedType
from dnnc.ir.diagnostics import BrokenRule, DnncError, Finding, expect, rule_code, where
from dnnc.ir.dnn.attributes import Param
from dnnc.ir.types import QuantType, shape_of, storable, tensor_text, type_name

SEGMENTS = "operandSegmentSizes"


@dataclass(frozen=True)
class Work:
    """What an operation costs whatever the machine: multiply-accumulates, other operations, elements produced."""

    macs: int = 0
    ops: int = 0
    elements: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.macs + other.macs, self.ops + other.ops, self.elements + other.elements)


class DnnOp(IRDLOperation):
    """Base of the dialect's operations.

    A subclass declares operands and parameters with irdl fields and defines `infer`, `evaluate` and, unless it is
    pure data movement, `work`.
    """

    CODES: ClassVar[bool] = False  # whether it takes values of a code (`dnnc.ir.codes`) as they are
    traits = traits_def(Pure())

    def __init__(
        self,
        *operands: SSAValue | Operation | Sequence[SSAValue] | None,
        location: LocationAttr | None = None,
        **params: Any,
    ):
        """Operands in order of declaration (None for an absent one); parameters by name, as Python values."""
        definition = self.get_irdl_definition()
        flat: list[SSAValue] = []
        sizes: list[int] = []
        given = list(operands) + [None] * (len(definition.operands) - len(operands))
        for value in given:
            group = () if value is None else value if isinstance(value, (list, tuple)) else (SSAValue.get(value),)  # pyright: ignore
            flat.extend(group)
            sizes.append(len(group))
        properties: dict[str, Attribute] = {}
        for name, value in params.items():
            attribute = _as_attribute(definition.properties[name].constr, value)
            if attribute is not None and attribute != definition.properties[name].default_value:
                properties[name] = attribute
        if SEGMENTS in definition.properties or _needs_segments(type(self)):
            properties[SEGMENTS] = _segments(sizes)
        Operation.__init__(self, operands=flat, properties=properties, location=location)
        self.results = SSAValues(OpResult(t, self, i) for i, t in enumerate(self.result_types_inferred()))

    # Meaning

    def infer(self) -> Attribute | Sequence[Attribute]:
        """Result type(s) from operand types and parameters; raises BrokenRule saying what was expected."""
        raise NotImplementedError

    def evaluate(self, *operands: Any) -> Any:
        """Result array(s) from operand arrays, in order of declaration; None for an absent operand, a list for a variadic one."""
        raise NotImplementedError

    def keeps_type(self) -> bool:
        """Whether results hold elements of the operands as they are, chosen by place or by order.

        Floating-point operands and results then share one type, and a quantized type passes through exactly.
        """
        return False

    def work(self) -> Work:
        """Work count; by default one elementary operation for each element produced."""
        n = self.elements()
        return Work(ops=n, elements=n)

    # Access

    def result_types_inferred(self) -> tuple[Attribute, ...]:
        """`infer` as a tuple."""
        types = self.infer()
        return tuple(types) if isinstance(types, (list, tuple)) else (types,)  # pyright: ignore

    def shape(self, operand: int = 0) -> tuple[int, ...]:
        """Shape of an operand."""
        return shape_of(self.operands[operand].type)

    def element(self, operand: int = 0) -> Attribute:
        """Element type of an operand."""
        type_ = self.operands[operand].type
        assert isinstance(type_, TensorType)
        return type_.element_type

    def elements(self) -> int:
        """Number of elements of all results."""
        return sum(int(np.prod(shape_of(r.type), dtype=np.int64)) for r in self.results)

    def grouped(self, values: Sequence[Any]) -> list[Any]:
        """Flat per-operand values regrouped by declaration: a value, None, or a list."""
        out: list[Any] = []
        sizes = self._sizes()
        start = 0
        for (_, d), n in zip(self.get_irdl_definition().operands, sizes):
            part = list(values[start : start + n])
            start += n
            optional = isinstance(d, OptOperandDef)
            out.append((part[0] if part else None) if optional else part if isinstance(d, VarOperandDef) else part[0])
        return out

    def _sizes(self) -> list[int]:
        definition = self.get_irdl_definition().operands
        stored = self.properties.get(SEGMENTS)
        if stored is not None:
            return list(stored.get_values())  # pyright: ignore
        fixed = sum(not isinstance(d, VarOperandDef) for _, d in definition)
        rest = len(self.operands) - fixed
        return [rest if isinstance(d, VarOperandDef) else 1 for _, d in definition]

    def run(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Evaluate on flat operand arrays; returns a flat list of results, each an ndarray."""
        out = self.evaluate(*self.grouped(values))
        return [np.asarray(o) for o in (out if isinstance(out, (list, tuple)) else (out,))]

    # Verifying and errors

    def verify_(self) -> None:
        for value in (*self.operands, *self.results):
            check_tensor(value.type)
            self._check_code(value)
        inferred = self.result_types_inferred()
        actual = tuple(r.type for r in self.results)
        if inferred != actual:
            want, got = (", ".join(_type_text(t) for t in ts) for ts in (inferred, actual))
            raise BrokenRule(f"expected result {want}, not {got}.", "E0405")

    def _check_code(self, value: SSAValue) -> None:
        element = value.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(element, Code) and not self.CODES:
            raise BrokenRule(f"expected real numbers, not {type_name(element)}. Dequantize first.", "E0428")
        if isinstance(element, FixedType) and value.owner is self:
            todo = "Choose a zero point that is a whole number."
            raise BrokenRule(f"expected a real zero point at graph inputs only, not {element} here. {todo}", "E0430")

    def emit_error(self, message: str, underlying_error: Exception) -> NoReturn:
        """Raise a located DnncError in place of xDSL's dump of the whole module."""
        if isinstance(underlying_error, DnncError):  # says itself where it is
            raise underlying_error
        text = " ".join(message.removeprefix("Operation does not verify: ").split())
        place = where(self.location, self.name)
        raise DnncError(Finding(place, f"'{self.name}' {text}", rule_code(underlying_error))) from underlying_error

    # Text: `dnn.conv %x, %w, bias(%b) window = <[3, 3]> groups = 2 : (...) -> ...`

    def print(self, printer: Printer) -> None:
        definition = self.get_irdl_definition()
        parts: list[tuple[str, Sequence[SSAValue], str]] = []
        start = 0
        for (name, d), n in zip(definition.operands, self._sizes()):
            group = self.operands[start : start + n]
            start += n
            if isinstance(d, OptOperandDef):
                if group:
                    parts.append((f"{name}(", group, ")"))
            elif isinstance(d, VarOperandDef):
                parts.append(("[", group, "]"))
            else:
                parts.append(("", group, ""))
        for i, (before, group, after) in enumerate(parts):
            printer.print_string((", " if i else " ") + before)
            printer.print_list(group, printer.print_ssa_value)
            printer.print_string(after)
        for name, d in definition.properties.items():
            value = self.properties.get(name)
            if value is not None and name != SEGMENTS and value != d.default_value:
                printer.print_string(f" {name}")
                if not isinstance(value, UnitAttr):
                    printer.print_string(" = ")
                    if isinstance(value, Param):
                        printer.print_string(value.text())
                    else:
                        printer.print_attribute(value)
        self.print_regions(printer)
        if self.attributes:
            printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" : ")
        printer.print_function_type(self.operand_types, self.result_types)

    def print_regions(self, printer: Printer) -> None:
        """Text of the regions; none for most operations."""

    @classmethod
    def parse_regions(cls, parser: Parser) -> list[Any]:
        """Parse what `print_regions` wrote."""
        return []

    @classmethod
    def parse(cls, parser: Parser):
        definition = cls.get_irdl_definition()
        groups = _parse_operands(parser, definition.operands)
        properties = _parse_properties(parser, definition.properties)
        regions = cls.parse_regions(parser)
        attributes = parser.parse_optional_attr_dict_with_keyword()
        parser.parse_punctuation(":")
        pos = parser.pos
        function = parser.parse_function_type()
        flat = parser.resolve_operands([v for g in groups for v in g], function.inputs.data, pos)
        if SEGMENTS in definition.properties or _needs_segments(cls):
            properties[SEGMENTS] = _segments([len(g) for g in groups])
        return cls.create(
            operands=flat,
            result_types=function.outputs.data,
            properties=properties,
            attributes=attributes.data if attributes else {},
            regions=regions,
        )


@cache
def check_tensor(type_: Attribute) -> None:
    """Verify that a type is a tensor of static shape whose elements we know."""
    static = isinstance(type_, TensorType) and min(type_.get_shape(), default=0) >= 0
    expect(static, "a tensor of static shape", type_, "Bind every dimension.", code="E0406")
    assert isinstance(type_, TensorType)
    element = type_.element_type
    expect(storable(element), "elements of a known type", element, code="E0407")
    if isinstance(element, QuantType) and element.axis is not None:
        size, shape = element.scale.size, type_.get_shape()
        fits = -1 < element.axis < len(shape) and shape[element.axis] == size
        expect(fits, f"dimension {element.axis} of size {size}, one scale each", tensor_text(type_), code="E0408")
    if isinstance(element, Code):
        element.check(type_.get_shape())


def _needs_segments(cls: type[DnnOp]) -> bool:
    return any(getattr(o, "attribute_name", None) == SEGMENTS for o in cls.get_irdl_definition().options)


def _segments(sizes: Sequence[int]) -> Attribute:
    return DenseArrayBase.from_list(i32, list(sizes))


def _as_attribute(constraint: Any, value: Any) -> Attribute | None:
    if value is None or value is False:
        return None
    if isinstance(value, Attribute):
        return value
    kind = constraint.attr
    return UnitAttr() if kind is UnitAttr else kind(value)


def _parse_operands(parser: Parser, definitions: Sequence[tuple[str, Any]]) -> list[list[Any]]:
    groups: dict[str, list[Any]] = {name: [] for name, _ in definitions}
    always = [(name, d) for name, d in definitions if not isinstance(d, OptOperandDef)]
    for i, (name, d) in enumerate(always):
        if i:
            parser.parse_punctuation(",")
        if isinstance(d, VarOperandDef):
            groups[name] = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_unresolved_operand)
        else:
            groups[name] = [parser.parse_unresolved_operand()]
    optional = [name for name, d in definitions if isinstance(d, OptOperandDef)]
    while parser.parse_optional_punctuation(","):
        name = parser.parse_keyword_in(optional)
        with parser.in_parens():
            groups[name] = [parser.parse_unresolved_operand()]
    return list(groups.values())


def _parse_properties(parser: Parser, definitions: dict[str, Any]) -> dict[str, Attribute]:
    properties: dict[str, Attribute] = {}
    names = [n for n in definitions if n != SEGMENTS]
    while (name := parser.parse_optional_keyword_in(names)) is not None:
        kind = getattr(definitions[name].constr, "attr", None)
        if kind is UnitAttr:
            properties[name] = UnitAttr()
            continue
        parser.parse_punctuation("=")
        is_param = isinstance(kind, type) and issubclass(kind, Param)
        properties[name] = kind(kind.read(parser)) if is_param else parser.parse_attribute()  # pyright: ignore
    return properties


def _type_text(t: Attribute) -> str:
    return tensor_text(t) if isinstance(t, TensorType) else str(t)
