"""Figures of layers and of their whole, in every form a report is written in: text, JSON, CSV, HTML."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar, Generic, TypeVar

from rich.console import Console, ConsoleOptions, RenderResult

from dnnc.backends.report import render
from dnnc.backends.report.column import Column, described, record
from dnnc.backends.report.roofline import Roof
from dnnc.ir.arch import Accelerator

Row = TypeVar("Row")
Whole = TypeVar("Whole")


@dataclass(frozen=True)
class Listing:
    """A table beside that of the layers, under a key of its own in JSON."""

    key: str
    title: str
    columns: Sequence[Column[Any]]
    rows: Sequence[Any]


class Sheet(ABC, Generic[Row, Whole]):
    """A row for each layer, the figures of all of them together, and notes: sentences a reader should know."""

    schema: ClassVar[str]
    columns: ClassVar[Sequence[Column[Any]]]
    total_columns: ClassVar[Sequence[Column[Any]]]
    name: str
    notes: tuple[str, ...]

    @property
    @abstractmethod
    def rows(self) -> tuple[Row, ...]:
        """The layers in order."""

    @property
    @abstractmethod
    def whole(self) -> Whole:
        """What the totals are of."""

    @property
    @abstractmethod
    def accelerator(self) -> Accelerator | None:
        """The target, when there is one."""

    @property
    @abstractmethod
    def title(self) -> str:
        """The line above the table."""

    @property
    def listings(self) -> Sequence[Listing]:
        """Tables that follow the figures of the whole."""
        return ()

    @property
    def totals(self) -> dict[str, Any]:
        """The figures of the whole by key."""
        return record(self.total_columns, self.whole)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it.

        `schema`, `name`, `target` (null without one), `columns` and `total_columns` (key, header, unit, doc of each
        figure), `layers` (a mapping by key for each), `totals` (a mapping), `notes` (sentences); for a listing
        its key and `..._columns`.
        """
        listings: dict[str, Any] = {}
        for one in self.listings:
            listings[f"{one.key}_columns"] = described(one.columns)
            listings[one.key] = [record(one.columns, row) for row in one.rows]
        return {
            "schema": self.schema,
            "name": self.name,
            "target": _target(self.accelerator),
            "columns": described(self.columns),
            "total_columns": described(self.total_columns),
            "layers": [record(self.columns, row) for row in self.rows],
            "totals": self.totals,
            **listings,
            "notes": list(self.notes),
        }

    def json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def csv(self) -> str:
        """The layers as CSV (RFC 4180, lines end in LF): a line of keys, then a line a layer; empty where no figure."""
        return render.csv_text(self.columns, self.rows)

    def text(self, wide: bool = False) -> str:
        """The report as plain text, every line as long as it must be; `wide` shows every column."""
        return render.plain_text(lambda console, options: self._parts(wide))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._parts(False)

    def _parts(self, wide: bool) -> RenderResult:
        yield render.heading(self.title)
        yield render.table(self.columns, self.rows, self._last_line(), wide)
        yield render.pairs(self.total_columns, self.whole)
        for one in self.listings:
            if one.rows:
                yield render.heading(f"\n{one.title}")
                yield render.table(one.columns, one.rows, wide=wide)
        for note in self.notes:
            yield render.line(f"note: {note}")

    def _last_line(self) -> dict[str, str]:
        """The totals that stand below a column of the same key."""
        return {"name": "total", **{c.key: c.show(c.of(self.whole)) for c in self.total_columns}}

    def _repr_html_(self) -> str:
        layers = render.html(self.title, self.columns, self.rows, self._last_line())
        notes = "".join(f"<p>note: {escape(note)}</p>\n" for note in self.notes)
        more = "".join(render.html(one.title, one.columns, one.rows) for one in self.listings if one.rows)
        return layers + render.html_pairs(self.total_columns, self.whole) + more + notes


def _target(arch: Accelerator | None) -> dict[str, Any] | None:
    if arch is None:
        return None
    roof = Roof.of(arch)
    return {
        "name": roof.name,
        "description": arch.description,
        "clock_mhz": roof.clock_mhz,
        "macs_per_cycle": roof.macs_per_cycle,
        "depthwise_macs_per_cycle": roof.depthwise_macs_per_cycle,
        "dram_bytes_per_cycle": roof.bytes_per_cycle,
        "on_chip_bytes": roof.on_chip_bytes,
    }
