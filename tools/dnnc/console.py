"""What the command prints: tables and colour for people, plain aligned text for pipes, JSON for programs."""

from __future__ import annotations

import json as jsonlib
import sys
from typing import Any


def say(text: str) -> None:
    """A line, or lines, of output."""
    print(text, end="" if text.endswith("\n") else "\n")


def json(value: Any) -> None:
    """A value as JSON."""
    say(jsonlib.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def write(path: str | None, content: str) -> None:
    """Text into a file, or printed when none is named."""
    if path is None:
        say(content)
        return
    from dnnc.ir.weights import atomic_file

    with atomic_file(path) as f:
        f.write(content.encode())
    say(f"{path}  {len(content.encode()):,} bytes")


def error(kind: str, message: str) -> None:
    """A failure, on stderr."""
    print(f"dnnc: {kind}: {message}", file=sys.stderr)


def note(text: str) -> None:
    """A line, or lines, beside the output: on stderr."""
    print(text, file=sys.stderr)
