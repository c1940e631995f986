"""Messages with their place: file:line:column, the sentence, the line itself and a caret under it."""

from __future__ import annotations

from collections.abc import Iterable

from dnnc.frontend.dsl.tree import Source, Span
from dnnc.ir.diagnostics import Finding

_WIDTH = 100  # of the line shown


class Mistake(Exception):
    """Something in the text is wrong: where, the sentence that says so, and the code of its kind."""

    def __init__(self, at: Span, message: str, code: str):
        self.at = at
        self.code = code
        super().__init__(message)


class Unknown(Exception):
    """A value is needed that a mistake reported before has left without meaning."""


def finding(source: Source, at: Span, message: str, code: str, calls: Iterable[tuple[Source, Span]] = ()) -> Finding:
    """A located message; `calls` are the calls that led there, innermost first."""
    lines = [message, *excerpt(source, at)]
    for where, call in calls:
        lines.append(f"  called from {where.name}:{call.line}:{call.column}: {where.lines[call.line - 1].strip()}")
    return Finding(f"{source.name}:{at.line}:{at.column}", "\n".join(lines), code)


def excerpt(source: Source, at: Span) -> list[str]:
    """The line and a caret under the place; of a long line only the part around it."""
    line = source.lines[at.line - 1].rstrip("\r").replace("\t", " ") if at.line <= len(source.lines) else ""
    start = max(0, at.column - 1 - _WIDTH // 2) if len(line) > _WIDTH else 0
    shown = line[start : start + _WIDTH]
    width = max(1, min(at.width, len(shown) - (at.column - 1 - start)))
    return [f"  {shown}".rstrip(), f"  {' ' * (at.column - 1 - start)}{'^' + '~' * (width - 1)}"]


def either(names: Iterable[str]) -> str:
    """`a, b or c`."""
    names = list(names)
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
