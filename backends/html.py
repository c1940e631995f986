"""Tables for notebooks: they take the colours of the page around them, so they read alike in light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

# The class stands twice in each rule to outweigh the rules notebooks have for all tables.
_STYLE = """<style>
table.dnnc.dnnc { border-collapse: collapse; color: inherit; background: transparent; margin: 4px 0 12px; }
table.dnnc.dnnc caption { text-align: left; font-weight: 600; padding: 4px 8px; }
table.dnnc.dnnc th, table.dnnc.dnnc td { padding: 2px 8px; text-align: left; white-space: nowrap; color: inherit;
  background: transparent; border: 0; border-bottom: 1px solid rgba(128, 128, 128, 0.35); }
table.dnnc.dnnc .number { text-align: right; font-variant-numeric: tabular-nums; }
table.dnnc.dnnc tfoot td { font-weight: 600; border-top: 2px solid rgba(128, 128, 128, 0.6); }
table.dnnc.dnnc .unit { font-weight: 400; opacity: 0.75; }
table.dnnc.dnnc thead th { vertical-align: bottom; }
table.dnnc.dnnc thead .unit { display: block; }
</style>"""


@dataclass(frozen=True)
class Head:
    """The head of a column: its name and unit, what it means, and whether it holds numbers."""

    name: str
    unit: str = ""
    hint: str = ""
    number: bool = False

    def html(self) -> str:
        """The cell."""
        unit = f'<span class="unit">{escape(self.unit)}</span>' if self.unit else ""
        hint = f' title="{escape(self.hint)}"' if self.hint else ""
        return f"<th{_kind(self.number)}{hint}>{escape(self.name)}{unit}</th>"


def table(heads: Sequence[Head], rows: Iterable[Sequence[str]], caption: str = "", total: Sequence[str] = ()) -> str:
    """A table with its style; `total` is a last line that stands out. Numbers stand right."""
    foot = f"<tfoot>{_row(heads, total)}</tfoot>\n" if total else ""
    body = "\n".join(_row(heads, row) for row in rows)
    title = f"<caption>{escape(caption)}</caption>\n" if caption else ""
    head = "".join(h.html() for h in heads)
    return (
        f'{_STYLE}\n<div style="overflow-x:auto">\n<table class="dnnc">\n{title}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n{foot}</table>\n</div>\n"
    )


def facts(rows: Iterable[tuple[str, str, str]], caption: str = "") -> str:
    """Name, figure and unit of each fact, a line each."""
    cells = (
        f'<tr><th>{escape(name)}</th><td class="number">{escape(value)}</td><td class="unit">{escape(unit)}</td></tr>'
        for name, value, unit in rows
    )
    title = f"<caption>{escape(caption)}</caption>\n" if caption else ""
    return f'{_STYLE}\n<table class="dnnc">\n{title}<tbody>\n' + "\n".join(cells) + "\n</tbody></table>\n"


def _row(heads: Sequence[Head], cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td{_kind(h.number)}>{escape(c)}</td>" for h, c in zip(heads, cells)) + "</tr>"


def _kind(number: bool) -> str:
    return ' class="number"' if number else ""
