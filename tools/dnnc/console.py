"""What the command prints: tables and colour for people, plain aligned text for pipes, JSON for programs."""

from __future__ import annotations

import json as jsonlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN = ("dumb", "unknown")
LAST = 24  # least width of a last column that is folded


@dataclass
class Level:
    """How much is said: `verbose` adds phases and their times, `quiet` leaves only errors, warnings and what was asked for."""

    verbose: bool = False
    quiet: bool = False


level = Level(quiet=True)  # as a library, nothing; the command says what it wants


def styled(stream: TextIO) -> bool:
    """Whether a stream takes tables and colour: a terminal that can, or any when FORCE_COLOR asks for it."""
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return stream.isatty() and os.environ.get("TERM") not in PLAIN


def pretty(stream: TextIO, least: int = 0) -> Console:
    """A terminal's console, at least so wide; without any colour or weight under NO_COLOR."""
    from rich.console import Console

    colour = None if os.environ.get("NO_COLOR") else "auto"
    out = Console(file=stream, force_terminal=True, color_system=colour, highlight=False, markup=False, emoji=False)
    out.width = max(out.width, least)
    return out


def say(text: str) -> None:
    """What was asked for: lines on stdout."""
    print(text, end="" if text.endswith("\n") else "\n")


def tell(text: str) -> None:
    """What was done: lines on stdout, which -q leaves out."""
    if not level.quiet:
        say(text)


def hint(text: str) -> None:
    """What to do next: a faint line on stderr, for people only."""
    if not level.quiet and styled(sys.stderr) and sys.stdout.isatty():
        pretty(sys.stderr).print(text, style="dim", soft_wrap=True)


def note(text: str) -> None:
    """Lines asked for beside the output: on stderr."""
    print(text, file=sys.stderr)


def detail(text: str) -> None:
    """A line on stderr that only -v shows."""
    if level.verbose:
        note(text)


def json(value: Any) -> None:
    """A value as JSON."""
    say(json_text(value))


def json_text(value: Any) -> str:
    """The text of a value as JSON."""
    return jsonlib.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def show(drawn: RenderableType, text: Callable[[], str], folds: bool = False) -> None:
    """A drawing on a terminal, never cut: it may be as wide as its text unless it folds; its text anywhere else."""
    if styled(sys.stdout):
        pretty(sys.stdout, 0 if folds else max(map(len, text().splitlines())) + 1).print(drawn)
    else:
        say(text())


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows under their headings; numbers stand right, a long last column is folded on a terminal."""
    if styled(sys.stdout):
        _draw(head, *_cells(head, rows))
    else:
        say(table_text(head, rows))


def table_text(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The same as plain aligned text, every line as long as it must be."""
    cells, right = _cells(head, rows)
    return aligned([head, *cells], right)


def _cells(head: Sequence[str], rows: Sequence[Sequence[object]]) -> tuple[list[list[str]], list[bool]]:
    """Texts of the cells, and which columns are numbers."""
    right = [all(map(_number, column)) for column in zip(*rows)] or [False] * len(head)
    return [[cell(value) for value in row] for row in rows], right


def _number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def aligned(lines: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Cells in columns two blanks apart."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right)).rstrip() for line in lines
    )


def cell(value: object) -> str:
    """A value of a table: thousands separated, three digits behind the point, `-` for none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _draw(head: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for i, (name, number) in enumerate(zip(head, right)):
        last = i == len(head) - 1 and not number
        out.add_column(name, justify="right" if number else "left", no_wrap=not last, overflow="fold")
    for row in cells:
        out.add_row(*map(Text, row))
    firm = sum(max(map(len, column)) + 2 for column in list(zip(head, *cells))[: None if right[-1] else -1])
    pretty(sys.stdout, firm + (1 if right[-1] else LAST)).print(out)


def write(path: str | None, content: str) -> None:
    """Text into a file, or printed when none is named."""
    if path is None:
        say(content)
        return
    save(path, content)
    tell(f"{path}  {len(content.encode()):,} bytes")


def save(path: str, content: str) -> None:
    """Text into a file, whole or not at all."""
    from dnnc.ir.weights import atomic_file

    with atomic_file(path) as f:
        f.write(content.encode())


def error(kind: str, message: str, who: str = "dnnc") -> None:
    """A failure, on stderr, its kind in red on a terminal."""
    if not styled(sys.stderr):
        note(f"{who}: {kind}: {message}")
        return
    from rich.text import Text

    text = Text.assemble((f"{who}: {kind}:", "bold red"), " ", message)
    text.highlight_regex(r"(?m)\[E0\d{3}\]$", "dim")
    pretty(sys.stderr).print(text, soft_wrap=True)
