"""Rows and columns as text, CSV and HTML."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from io import StringIO

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from dnnc.backends.html import Head, facts
from dnnc.backends.html import table as html_table
from dnnc.backends.report.column import Column, Row

_WIDE = 10_000  # characters a line of plain text may have: nothing wraps


class _Lines:
    """What a `__rich_console__` yields."""

    def __init__(self, make: Callable[[Console, ConsoleOptions], RenderResult]):
        self.make = make

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return self.make(console, options)


def plain_text(make: Callable[[Console, ConsoleOptions], RenderResult]) -> str:
    """Rendered without colour, rules and wrapping, and without blanks at the ends of lines."""
    out = StringIO()
    Console(file=out, width=_WIDE, color_system=None, force_terminal=False, legacy_windows=False).print(_Lines(make))
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines() if set(line.strip()) != {"─"})


def line(text: str) -> Text:
    """A line as it stands: brackets in it are no markup."""
    return Text(text)


def heading(text: str) -> Text:
    """A line above a table."""
    return Text(text, style="bold")


def table(
    columns: Sequence[Column[Row]], rows: Sequence[Row], total: Mapping[str, str] | None = None, wide: bool = False
) -> Table:
    """The columns for people (all under `wide`); those without any figure are left out. `total` is the last line."""
    shown = [c for c in columns if (c.text or wide) and any(c.of(r) is not None for r in rows)]
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=total is not None)
    for c in shown:
        unit = f" [{c.unit}]" if c.unit else ""
        number = all(not isinstance(c.of(r), str) for r in rows)
        footer = Text((total or {}).get(c.key, ""))
        out.add_column(Text(c.header + unit), footer=footer, justify="right" if number else "left", no_wrap=True)
    for r in rows:
        out.add_row(*(Text(c.show(c.of(r))) for c in shown))
    return out


def pairs(columns: Sequence[Column[Row]], row: Row) -> Table:
    """One row written downwards: heading, figure, unit."""
    out = Table(box=None, show_header=False, pad_edge=False)
    out.add_column(no_wrap=True)
    out.add_column(justify="right", no_wrap=True)
    out.add_column(no_wrap=True)
    for c in columns:
        if c.text and (value := c.of(row)) is not None:
            out.add_row(Text(c.header), Text(c.show(value)), Text(c.unit))
    return out


def csv_text(columns: Sequence[Column[Row]], rows: Sequence[Row]) -> str:
    """A line of keys, then a line for each row."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(c.key for c in columns)
    writer.writerows([c.of(r) for c in columns] for r in rows)
    return out.getvalue()


def html(
    title: str, columns: Sequence[Column[Row]], rows: Sequence[Row], total: Mapping[str, str] | None = None
) -> str:
    """The columns for people, whose headings explain themselves when pointed at; `total` is the last line."""
    shown = [c for c in columns if c.text and any(c.of(r) is not None for r in rows)]
    heads = [Head(c.header, c.unit, c.doc, all(not isinstance(c.of(r), str) for r in rows)) for c in shown]
    last = [total.get(c.key, "") for c in shown] if total else ()
    return html_table(heads, [[c.show(c.of(r)) for c in shown] for r in rows], title, last)


def html_pairs(columns: Sequence[Column[Row]], row: Row) -> str:
    """One row written downwards."""
    return facts((c.header, c.show(v), c.unit) for c in columns if c.text and (v := c.of(row)) is not None)
