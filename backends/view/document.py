"""A view of a module: its data once, then as a picture, as a page, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.view import nest, svg
from dnnc.backends.view.graph import Graph, graph_of
from dnnc.backends.view.page import graph_items, page, schedule_items
from dnnc.backends.view.schedule import Schedule, schedule_of
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import Sched
from dnnc.ir.weights import atomic_file

SCHEMA = "dnnc.view/1"
"""Raised when a key goes or changes its meaning; new keys leave it alone."""

NOTEBOOK_LAYERS = 150
"""How many layers a notebook shows of a graph; a page shows all."""


@dataclass(frozen=True)
class View:
    """A network at some stage, to look at: a graph of layers, or once it is tiled the schedule of each layer."""

    data: Graph | Schedule
    title: str

    @property
    def summary(self) -> str:
        """The sums of the network in a line."""
        return svg.summary(self.data) if isinstance(self.data, Graph) else nest.summary(self.data)

    def svg(self) -> str:
        """A self-contained picture, in light and dark."""
        return (
            svg.picture(self.data, self.title) if isinstance(self.data, Graph) else nest.picture(self.data, self.title)
        )

    def html(self) -> str:
        """A self-contained page to move, zoom and search in, with all details of a layer that is clicked."""
        items = graph_items(self.data) if isinstance(self.data, Graph) else schedule_items(self.data)
        return page(self.title, self.summary, self.svg(), items)

    def to_dict(self) -> dict[str, Any]:
        """The data as JSON has it: `schema`, `title`, `level` (graph or schedule) and what `Graph` or `Schedule` holds."""
        level = "graph" if isinstance(self.data, Graph) else "schedule"
        return {"schema": SCHEMA, "title": self.title, "level": level, **asdict(self.data)}

    def json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: str | Path) -> None:
        """Write a picture (.svg), a page (.html) or the data (.json)."""
        makers = {".svg": self.svg, ".html": self.html, ".json": self.json}
        ending = Path(path).suffix
        if ending not in makers:
            message = f"expected a file to view as .svg, .html or .json, not '{ending}'. Name one of these."
            raise DnncError(Finding(str(path), message, "E0906"))
        with atomic_file(path) as f:
            f.write(makers[ending]().encode())

    def _repr_html_(self) -> str:
        shown = View(self.data.head(NOTEBOOK_LAYERS), self.title)
        return f'<div style="max-height:640px;overflow:auto">{shown.svg()}</div>'


def view(module: ModuleOp, name: str = "network", stage: str = "") -> View:
    """The view of a module; `stage` says in the title what has been done to it."""
    main = main_function(module)
    title = f"{name}, {stage}" if stage else name
    if any(isinstance(op, tuple(Sched.operations)) for op in main.body.block.ops):
        return View(schedule_of(module, name), title)
    return View(graph_of(main, name), title)
