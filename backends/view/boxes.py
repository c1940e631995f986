"""What stands in the box of a layer, and how large the box is."""

from __future__ import annotations

from dataclasses import dataclass

from dnnc.backends.view.graph import Node
from dnnc.backends.view.measure import fitted, si, width

SIZE = 12.0
HEAD = 22.0
ROW = 16.0
PAD = 9.0
_LEAST, _MOST = 96.0, 260.0


@dataclass(frozen=True)
class Box:
    """A heading and lines below it, each with the class of its style."""

    title: str
    rows: tuple[tuple[str, str], ...]
    width: float
    height: float


def box_of(node: Node) -> Box:
    """The box of a node: operation; name; loop bounds or parameters; output; MACs and constants."""
    inner = _MOST - 2 * PAD
    title = fitted(node.op, inner, SIZE, bold=True)
    lines = [("name", node.name), ("facts", node.facts), ("type", _output(node)), ("cost", _cost(node))]
    rows = tuple((kind, fitted(text, inner, SIZE)) for kind, text in lines if text)
    widest = max([width(title, SIZE, bold=True), *(width(text, SIZE) for _, text in rows)])
    return Box(title, rows, max(_LEAST, round(widest + 2 * PAD)), HEAD + ROW * len(rows) + 7)


def _output(node: Node) -> str:
    return f"{node.shape} {node.type}"


def _cost(node: Node) -> str:
    parts = [si(node.macs, "MACs")] * (node.macs > 0) + [si(node.weight_bytes, "B")] * (node.weight_bytes > 0)
    return ", ".join(parts)
