"""The page of what `--json` prints, from the schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dnnc import schemas
from tools.docs.markdown import literal, page, table

Schema = dict[str, Any]


def text() -> str:
    """The page."""
    return page(
        "JSON",
        "`tools/dnnc/schemas/`",
        "Every command that prints a table prints JSON with `--json`; `dnnc schema COMMAND` prints its JSON Schema "
        "(draft 2020-12). A field with `?` is not always there.",
        *(part for name in schemas.names() for part in command(name)),
    )


def command(name: str) -> Iterator[str]:
    """The section of a command."""
    schema = json.loads(schemas.text(name))
    yield f"## dnnc {name} --json"
    yield schema["description"]
    for variant in schema.get("oneOf", [schema]):
        rows = list(fields(variant, "", schema.get("$defs", {})))
        if variant is not schema:
            yield variant["description"]
        yield table(["field", "type", "unit", "meaning"], rows)


def fields(schema: Schema, path: str, defs: Schema) -> Iterator[list[str]]:
    """A row for each field, those of nested objects by their path."""
    schema = defs[schema["$ref"].rsplit("/", 1)[1]] | schema if "$ref" in schema else schema
    if path:
        yield [literal(path), kind(schema), schema.get("unit", ""), schema.get("description", "")]
    for key, inner in schema.get("properties", {}).items():
        optional = "" if key in schema["required"] else "?"
        yield from fields(inner, f"{path}.{key}{optional}" if path else f"{key}{optional}", defs)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from fields(schema["additionalProperties"], f"{path}.<name>", defs)
    if "items" in schema:
        yield from items(schema["items"], f"{path}[]", defs)


def items(schema: Schema, path: str, defs: Schema) -> Iterator[list[str]]:
    """Rows of an array's elements; plain values need none of their own."""
    for variant in schema.get("anyOf", [schema]):
        if "properties" in variant or "$ref" in variant:
            yield from fields(variant, path, defs)


def kind(schema: Schema) -> str:
    """The type of a field, with the values it may have."""
    if "const" in schema:
        return literal(json.dumps(schema["const"]))
    if "enum" in schema:
        return ", ".join(literal(v) for v in schema["enum"])
    types = schema.get("type", "")
    if types == "array" and isinstance(schema["items"].get("type"), str) and "properties" not in schema["items"]:
        return f"array of {schema['items']['type']}"
    return types if isinstance(types, str) else ", ".join(types)
