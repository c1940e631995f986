"""The page of ONNX operators, from the importer's table and ONNX's own list."""

from __future__ import annotations

import inspect
from typing import Any

import onnx.defs

from dnnc.frontend.onnx.domains import DOMAINS
from dnnc.frontend.onnx.table import TABLE, Rule
from dnnc.ir.dnn import OPS
from tools.docs.markdown import literal, page, table

CLASSES = {op.__name__: op for op in OPS}


def made(rule: Rule) -> list[str]:
    """Names of the operations a rule's code mentions, in its order."""
    given = [v.__name__ for v in inspect.getclosurevars(rule).nonlocals.values() if isinstance(v, type)]
    return [CLASSES[n].name for n in (*given, *rule.__code__.co_names) if n in CLASSES]


def note(name: str, rule: Rule) -> str:
    """What the rule's docstring says beyond the name of the operator."""
    text = " ".join((inspect.getdoc(rule) or "").split("\n\n")[0].split())
    return text.removeprefix(name).lstrip(",;:. ")


def operators() -> dict[str, onnx.defs.OpSchema]:
    """Operators of the default domain, newest definition each."""
    newest: dict[str, onnx.defs.OpSchema] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and (
            schema.name not in newest or newest[schema.name].since_version < schema.since_version
        ):
            newest[schema.name] = schema
    return {name: schema for name, schema in sorted(newest.items()) if not schema.deprecated}


def defined(schema: Any) -> bool:
    """Whether ONNX defines an operator by others."""
    return schema.has_function or schema.has_context_dependent_function


def domains() -> list[str]:
    """A section for each domain but ONNX's own; one list for domains with the same operators."""
    named: dict[tuple[str, ...], list[str]] = {}
    for domain, rules in DOMAINS.items():
        if domain:
            named.setdefault(tuple(sorted(rules)), []).append(domain)
    parts: list[str] = []
    for operators, names in named.items():
        rules = DOMAINS[names[0]]
        own = ([literal(n), ", ".join(map(literal, made(rules[n]))), note(n, rules[n])] for n in operators)
        parts += [
            f"### {', '.join(map(literal, names))} ({len(operators)})",
            table(["operator", "operations", "note"], own),
        ]
    return parts


def text() -> str:
    """The page."""
    known = operators()
    by_function = [name for name, schema in known.items() if name not in TABLE and defined(schema)]
    missing = [n for n in known if n not in TABLE and n not in by_function]
    return page(
        "ONNX operators",
        "`frontend/onnx/table.py` and `frontend/onnx/domains.py`",
        "Operators of older opsets are rewritten as opset 21 writes them first. What is not supported is reported with the name "
        "of the node, the operator and the reason, everything in one run.",
        f"## Imported ({len(TABLE)})",
        table(
            ["operator", "operations", "note"],
            ([literal(n), ", ".join(map(literal, made(rule))), note(n, rule)] for n, rule in sorted(TABLE.items())),
        ),
        f"## Imported by ONNX's own definition ({len(by_function)})",
        "ONNX defines these by other operators; they are imported as far as those are in the list above.",
        ", ".join(map(literal, by_function)) + ".",
        "## Operators of other domains",
        "PULP's are also read where a model gives them no domain.",
        *domains(),
        f"## Not imported ({len(missing)})",
        ", ".join(map(literal, missing)) + ".",
    )
