"""The page of targets: what a TOML file may say, and what those that come with dnnc say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from dnnc.backends.npu.catalog import DEFAULT, bundled, load_target
from dnnc.ir.arch import Accelerator, Memory
from tools.docs.markdown import literal, page, sentence, table

TYPES = {"str": "string", "int": "integer", "float": "number", "tuple[str, ...]": "list of strings, one or more"}
"""The types of fields in the words of TOML."""


def tables(kind: type = Accelerator, path: str = "") -> Iterator[tuple[str, type]]:
    """(key path, dataclass) of every table of the file, the top one first."""
    yield path, kind
    for name, hint in get_type_hints(kind).items():
        inner = next((t for t in (hint, *get_args(hint)) if is_dataclass(t)), None)
        if inner is not None:
            yield from tables(inner, f"{name}.<name>" if inner is Memory else name)  # pyright: ignore[reportArgumentType]


def allowed(field: Field[Any]) -> str:
    """What a field may hold."""
    data = field.metadata
    if "choices" in data:
        return ", ".join(map(literal, data["choices"])) or "text"
    default = "" if field.default is MISSING else f", default {field.default:,}"
    return f"{data['low']:,} to {data['high']:,}{default}"


def described(kind: type) -> list[Field[Any]]:
    """The fields that are values of the file, not tables, nor the name a memory has from its table."""
    return [f for f in fields(kind) if f.metadata and not (kind is Memory and f.name == "name")]  # pyright: ignore


def value_text(value: object) -> str:
    """A value as a reader likes it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def schema() -> Iterator[str]:
    """A table for each table of the file."""
    for path, kind in tables():
        yield f"### {literal(f'[{path}]')}" if path else "### Top of the file"
        yield sentence(kind)
        rows = ([literal(f.name), TYPES[str(f.type)], allowed(f), f.metadata["doc"]] for f in described(kind))
        yield table(["key", "type", "values", "meaning"], rows)


def figures(target: Accelerator) -> Iterator[tuple[str, str]]:
    """(key path, value) of every value of a target."""
    for path, kind in tables():
        if kind is Memory:
            owners = [(f"memory.{m.name}", m) for m in target.memory]
        else:
            owners = [(path, getattr(target, path) if path else target)]
        for name, owner in owners:
            for f in described(kind):
                yield f"{name}.{f.name}".lstrip("."), value_text(getattr(owner, f.name))


def text() -> str:
    """The page."""
    listed = {name: dict(figures(load_target(name))) for name in bundled()}
    keys = list(
        dict.fromkeys(key for values in listed.values() for key in values if key not in ("name", "description"))
    )
    summary = table(["target", "description"], ([literal(n), v["description"]] for n, v in listed.items()))
    compared = table(["key", *listed], ([literal(k), *(v.get(k, "") for v in listed.values())] for k in keys))
    return page(
        "Targets",
        "`ir/arch.py` and `backends/npu/targets/`",
        "A target is a TOML file: `-t NAME` names one that comes with dnnc, `-t FILE.toml` one of your own. Every key below is "
        f"required but those with a default; a wrong or unknown one is an error that names it. The default is {literal(DEFAULT)}.",
        summary,
        "## Keys",
        *schema(),
        "## Values",
        compared,
    )
