"""A figure of a report, declared once: text, JSON, CSV and HTML all derive from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")
Value = int | float | str | bool | None


def plain(value: Value) -> str:
    """A value for people: thousands separated, a ratio in three digits, `-` for none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else _whole(value)


def _whole(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.0f}"


_LONGEST = 48


def elided(value: Value) -> str:
    """A name for people: of a long one its beginning and its end, of many their first and last; exporters join names."""
    text = plain(value)
    names = text.split(", ")
    if len(names) > 3:
        return f"{elided(names[0])}, ..., {elided(names[-1])} ({len(names)})"
    half = _LONGEST // 2 - 2
    return ", ".join(n if len(n) <= _LONGEST else f"{n[:half]}...{n[-half:]}" for n in names)


def si(value: Value) -> str:
    """A large number in three digits with its SI prefix: 1.58 G."""
    if not isinstance(value, int | float):
        return plain(value)
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}"
    return plain(value)


def thousandths(value: Value) -> str:
    """A ratio near one in three decimals."""
    return f"{value:,.3f}" if isinstance(value, float) else plain(value)


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One figure of each row: its key in JSON and CSV, its heading and unit, its definition, and how to compute it.

    `of` gives None where the figure has no meaning. `text` says whether the table for people shows it, `show` how.
    """

    key: str
    header: str
    unit: str
    doc: str
    of: Callable[[Row], Value]
    text: bool = True
    show: Callable[[Value], str] = plain


def record(columns: Sequence[Column[Row]], row: Row) -> dict[str, Value]:
    """The figures of one row by key."""
    return {c.key: c.of(row) for c in columns}


def described(columns: Sequence[Column[Any]]) -> list[dict[str, str]]:
    """What each column is, for JSON: key, heading, unit, one sentence."""
    return [{"key": c.key, "header": c.header, "unit": c.unit, "doc": c.doc} for c in columns]
