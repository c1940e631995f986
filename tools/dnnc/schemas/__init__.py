"""What each command writes with --json, as JSON Schema (draft 2020-12): one file a command."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """The commands that have a schema."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def text(name: str) -> str:
    """The schema of a command."""
    return (FOLDER / f"{name}.json").read_text("utf-8")
