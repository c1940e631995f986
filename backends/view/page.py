"""A picture as a page of its own: move, zoom, search, and a panel with everything known of a layer; nothing is fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from dnnc.backends.view.graph import Constant, Graph, Node
from dnnc.backends.view.schedule import Buffer, Nest, Schedule

Item = dict[str, Any]


def page(title: str, summary: str, picture: str, items: Mapping[str, Item]) -> str:
    """The page of a picture; `items` describes what can be chosen in it, by the id of its drawing."""
    folder = files("dnnc.backends.view")
    read = {name: (folder / name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")}
    data = json.dumps({"items": items}, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return Template(read["page.html"]).substitute(
        title=escape(title),
        summary=escape(summary),
        style=read["page.css"],
        picture=picture,
        data=data,
        script=read["page.js"],
    )


def graph_items(graph: Graph) -> dict[str, Item]:
    """The layers of a graph for the panel."""
    groups = {g.id: g.name for g in graph.groups}
    items = {n.id: _item(n.name or n.op, n.op, _of_node(n, groups)) for n in graph.nodes}
    for edge in graph.edges:
        for here, there, side in ((edge.target, edge.source, "producers"), (edge.source, edge.target, "consumers")):
            if there not in items[here][side]:
                items[here][side].append(there)
    return items


def schedule_items(schedule: Schedule) -> dict[str, Item]:
    """The layers of a schedule for the panel."""
    return {nest.id: _item(nest.name, "layer", _of_nest(nest)) for nest in schedule.layers}


def _item(name: str, kind: str, details: Sequence[tuple[str, object]]) -> Item:
    return {"name": name, "kind": kind, "details": [d for d in details if d[1]], "producers": [], "consumers": []}


def _of_node(n: Node, groups: Mapping[str, str]) -> list[tuple[str, object]]:
    return [
        ("output", f"{n.shape} {n.type}, {n.output_bytes:,} bytes"),
        ("loop bounds", n.facts if n.macs else ""),
        *((name, value) for name, value in n.attributes),
        ("constants", [_constant(c) for c in n.constants]),
        ("MACs", f"{n.macs:,}" if n.macs else ""),
        ("other operations", f"{n.ops:,}" if n.ops else ""),
        ("runs as one unit with", groups[n.group] if n.group else ""),
        ("source", n.location),
    ]


def _constant(c: Constant) -> str:
    key = f"{c.key}, " if c.key else ""
    return f"{c.role}: {key}{c.type}, {c.bytes:,} bytes"


def _of_nest(nest: Nest) -> list[tuple[str, object]]:
    steps = list(nest.walk())
    moved = {kind: sum(s.bytes for s in steps if s.kind == kind) for kind in ("load", "store")}
    return [
        ("MACs", f"{sum(s.macs for s in steps):,}"),
        ("bytes loaded", f"{moved['load']:,}"),
        ("bytes stored", f"{moved['store']:,}"),
        ("computes run", f"{sum(s.runs for s in steps if s.kind == 'compute'):,}"),
        ("buffers", [_buffer(b) for b in nest.buffers]),
    ]


def _buffer(b: Buffer) -> str:
    place = "" if b.offset is None else f" at {b.offset:,}"
    return f"{b.label} in {b.space}{place}: {b.shape} {b.type}, {b.bytes:,} bytes" + (
        f" in {b.copies} copies" if b.copies > 1 else ""
    )
