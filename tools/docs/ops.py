"""The page of the graph dialect's operations, from their classes."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, UnitAttr
from xdsl.ir import Attribute
from xdsl.irdl import IRDLOperation, OptOperandDef, VarOperandDef

from dnnc.ir.dnn import FAMILIES, OPS
from dnnc.ir.dnn.attributes import Int, Ints, Key, Param, Real, Reals, WindowAttr, Word
from tools.docs.markdown import block, literal, page, paragraphs, sentence, table

SEGMENTS = "operandSegmentSizes"

# What stands for a value of each kind of parameter in a line of syntax.
PLACEHOLDERS: dict[type[Attribute], str] = {
    Int: "integer",
    Ints: "[integers]",
    Real: "number",
    Reals: "[numbers]",
    Word: "word",
    Key: '"key"',
    WindowAttr: "<[kernel], stride [..], pad [..], dilation [..], ceil>",
    DenseIntOrFPElementsAttr: "dense<..>",
    Attribute: "type",
}


def parameters(op: type[IRDLOperation]) -> dict[str, Any]:
    """Parameters of an operation by name, without the bookkeeping of its operands."""
    return {n: d for n, d in op.get_irdl_definition().properties.items() if n != SEGMENTS}


def kind_of(definition: Any) -> type[Attribute]:
    """The attribute class of a parameter."""
    return getattr(definition.constr, "attr", Attribute)


def required(definition: Any) -> bool:
    """Whether a parameter must be given."""
    return type(definition).__name__ == "PropertyDef"


def syntax(op: type[IRDLOperation]) -> str:
    """A line of syntax: `%y = dnn.conv %x, %w [, bias(%bias)] window = <..> [groups = integer]`."""
    definition = op.get_irdl_definition()
    always, optional = [], []
    for name, d in definition.operands:
        if isinstance(d, OptOperandDef):
            optional.append(f"[, {name}(%{name})]")
        else:
            always.append(f"[%{name}..]" if isinstance(d, VarOperandDef) else f"%{name}")
    words = [op.name, *([", ".join(always)] if always else []), *optional]
    for name, d in parameters(op).items():
        kind = kind_of(d)
        text = name if kind is UnitAttr else f"{name} = {PLACEHOLDERS[kind]}"
        words.append(text if required(d) else f"[{text}]")
    words += ["{ ^bb0(..): .. }"] * bool(definition.regions)
    results = ", ".join(f"%{name}" for name, _ in definition.results)
    return (f"{results} = " if results else "") + " ".join(words).replace(" [,", "[,")


def default_text(definition: Any) -> str:
    """The default of a parameter: its value, `absent`, or nothing when it must be given."""
    if required(definition):
        return "required"
    value = definition.default_value
    return literal(value.text()) if isinstance(value, Param) else "absent"


def title(module: ModuleType) -> str:
    """The name of a family."""
    return module.__name__.rsplit(".", 1)[1]


def family(module: ModuleType) -> Iterator[str]:
    """The section of one family: its sentence, its operations."""
    ops = [op for op in OPS if op.__module__ == module.__name__]
    yield f"## {title(module).capitalize()}"
    yield " ".join((module.__doc__ or "").split())
    plain = [
        op for op in ops if not parameters(op) and len(paragraphs(op)) == 1 and not op.get_irdl_definition().regions
    ]
    if plain:
        yield table(["operation", "meaning"], ([literal(syntax(op)), sentence(op)] for op in plain))
    for op in ops:
        if op not in plain:
            yield from operation(op)


def operation(op: type[IRDLOperation]) -> Iterator[str]:
    """The section of one operation."""
    yield f"### {op.name}"
    yield "\n\n".join(" ".join(p.split()) for p in paragraphs(op))
    yield block(syntax(op))
    if parameters(op):
        rows = (
            [
                literal(name),
                "flag" if kind_of(d) is UnitAttr else PLACEHOLDERS[kind_of(d)].replace('"', ""),
                default_text(d),
            ]
            for name, d in parameters(op).items()
        )
        yield table(["parameter", "value", "default"], rows)


INTRODUCTION = """The dialect `dnn` is a network as its layers: tensors of static shape, value semantics, one operation a layer.
Text is `%result = operation %operands parameter = value : (operand types) -> result types`; brackets mark what may be left
out, the types are left out below. Each operation runs on the reference interpreter by its formula."""


def text() -> str:
    """The page."""
    counts = table(
        ["family", "operations"],
        (
            [f"[{n}](#{n})", sum(op.__module__ == f.__name__ for op in OPS)]
            for f in FAMILIES
            for n in [f.__name__.rsplit(".", 1)[1]]
        ),
    )
    sections = [part for module in FAMILIES for part in family(module)]
    return page("Operations of the graph dialect", "the classes in `ir/dnn/`", INTRODUCTION, counts, *sections)
