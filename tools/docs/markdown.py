"""Pieces of markdown."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence


def page(title: str, source: str, *parts: str) -> str:
    """A page with its title, where it was made from, and its parts."""
    return "\n\n".join([f"# {title}", f"<!-- Written by `make docs` from {source}. -->", *parts]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; bars within cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def sentence(thing: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(paragraphs(thing)[0].split())


def paragraphs(thing: object) -> list[str]:
    """The paragraphs of a docstring."""
    return inspect.cleandoc(vars(thing)["__doc__"]).split("\n\n")


def literal(text: str) -> str:
    """Text as code, on one line."""
    return f"`{text}`" if text else ""


def block(text: str) -> str:
    """Text as a block of code."""
    return f"```\n{text}\n```"
