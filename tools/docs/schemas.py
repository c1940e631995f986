"""Schemas of what is declared elsewhere: the report's figures from its columns, targets from the dataclasses of the hardware."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from dnnc.backends.report.column import Column
from dnnc.backends.report.columns import COLUMNS
from dnnc.backends.report.document import SCHEMA
from dnnc.backends.report.memory import MEMORY_COLUMNS
from dnnc.backends.report.schedule import SCHEDULE_COLUMNS, SCHEDULE_SCHEMA, SCHEDULE_TOTALS, STACK_COLUMNS
from dnnc.backends.report.totals import TOTALS
from dnnc.backends.report.zoo import ZOO_COLUMNS, ZOO_SCHEMA
from dnnc.ir.arch import Accelerator, Memory
from tools.docs.markdown import sentence

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TYPES = {int: "integer", float: "number", str: "string"}
Schema = dict[str, Any]


def record(description: str, properties: Schema, required: Sequence[str] | None = None) -> Schema:
    """An object with exactly these keys, all of them required unless told otherwise."""
    keys = list(properties if required is None else required)
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": keys,
        "additionalProperties": False,
    }


def array(description: str, items: Schema) -> Schema:
    """An array."""
    return {"type": "array", "description": description, "items": items}


def text(description: str) -> Schema:
    """A string."""
    return {"type": "string", "description": description}


def figures(description: str, columns: Sequence[Column[Any]]) -> Schema:
    """An object with the figure of each column; null where a figure has no meaning."""
    return record(description, {c.key: figure(c) for c in columns})


def figure(column: Column[Any]) -> Schema:
    """One figure, with its unit."""
    unit = {"unit": column.unit} if column.unit else {}
    return {"type": ["number", "string", "boolean", "null"], **unit, "description": column.doc}


def headings(description: str) -> Schema:
    """The list that says what each figure is."""
    keys = ("key", "header", "unit", "doc")
    return array(description, record("A figure.", {k: text(f"Its {k}.") for k in keys}))


def document(title: str, body: Schema) -> str:
    """A schema as the text of its file."""
    return json.dumps({"$schema": DRAFT, "title": title, **body}, indent=2, ensure_ascii=False) + "\n"


def report() -> str:
    """The schema of `dnnc report --json`, of a network, of a program, and with --zoo."""
    number = {"type": "integer"}
    roof = ("clock_mhz", "macs_per_cycle", "depthwise_macs_per_cycle", "dram_bytes_per_cycle", "on_chip_bytes")
    target = record(
        "The accelerator; null without one.", {"name": text("Its name."), "description": text("A line on it.")}
    )
    target["type"] = ["object", "null"]
    target["properties"] |= {k: {**number, "description": f"{k.replace('_', ' ')}."} for k in roof}
    target["required"] = list(target["properties"])

    def sheet(description: str, name: str, layers: Sequence[Column[Any]], whole: Sequence[Column[Any]]) -> Schema:
        fields = {
            "schema": {"const": name, "description": "Raised when a key goes or changes its meaning."},
            "name": text("The network's name."),
            "target": target,
            "columns": headings("What each figure of a layer is."),
            "total_columns": headings("What each figure of the network is."),
            "layers": array("The layers, in order.", figures("Figures of one layer.", layers)),
            "totals": figures("Figures of the network.", whole),
            "notes": array("What a reader could take wrongly.", {"type": "string"}),
        }
        return record(description, fields)

    one = sheet("What a network costs.", SCHEMA, COLUMNS, TOTALS)
    runs = sheet("What a compiled network costs as it runs.", SCHEDULE_SCHEMA, SCHEDULE_COLUMNS, SCHEDULE_TOTALS)
    spaces = array("Memory as planned; empty for a program file.", figures("Figures of one space.", MEMORY_COLUMNS))
    stacks = array("Stacks of layers that run together.", figures("Figures of one stack.", STACK_COLUMNS))
    runs["properties"] |= {"stacks_columns": headings("What each figure of a stack is."), "stacks": stacks}
    runs["properties"] |= {"memory_columns": headings("What each figure of a space is."), "memory": spaces}
    runs["required"] += ["stacks_columns", "stacks", "memory_columns", "memory"]
    zoo = record(
        "With --zoo: the example networks beside published counts.",
        {
            "schema": {"const": ZOO_SCHEMA, "description": "Raised when a key goes or changes its meaning."},
            "columns": headings("What each figure is."),
            "networks": array("The networks.", figures("Figures of one network.", ZOO_COLUMNS)),
        },
    )
    return document(
        "What `dnnc report --json` prints", {"description": "The analytical costs.", "oneOf": [one, runs, zoo]}
    )


def targets() -> str:
    """The schema of `dnnc targets --json`: the tables of a target's file, and where it comes from."""
    one = hardware(Accelerator)
    one["properties"]["from"] = text("`dnnc`, or the package that adds it, with its version.")
    one["required"].append("from")
    return document("What `dnnc targets --json` lists", array("Every accelerator dnnc knows by name.", one))


def hardware(kind: type) -> Schema:
    """An object of a dataclass of `ir/arch.py`, without what has its default; memories stand in a table by their names."""
    hints = get_type_hints(kind)
    properties: Schema = {}
    for f in fields(kind):
        inner = next((t for t in (hints[f.name], *get_args(hints[f.name])) if is_dataclass(t)), None)
        if inner is Memory:
            of = hardware(Memory)
            properties[f.name] = {"type": "object", "description": "The on-chip memories.", "additionalProperties": of}
        elif inner is not None:
            properties[f.name] = hardware(inner)  # pyright: ignore[reportArgumentType]
        elif not (kind is Memory and f.name == "name"):
            properties[f.name] = value(hints[f.name], f)
    left_out = {f.name for f in fields(kind) if f.default is not MISSING}
    return record(sentence(kind), properties, [name for name in properties if name not in left_out])


def value(kind: Any, field: Field[Any]) -> Schema:
    """A number within its bounds, a word out of its choices, or a list of such words."""
    doc = field.metadata["doc"]
    if kind in (int, float):
        bounds = {"minimum": field.metadata["low"], "maximum": field.metadata["high"]}
        return {"type": TYPES[kind], "description": f"{doc[0].upper()}{doc[1:]}.", **bounds}
    word: Schema = {"type": "string"}
    if choices := field.metadata["choices"]:
        word["enum"] = list(choices)
    said = f"{doc[0].upper()}{doc[1:]}."
    return word | {"description": said} if kind is str else array(said, word)
