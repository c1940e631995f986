"""dnnc.toml: a project's own defaults of the command line, in `[defaults]` and a table for each command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from dnnc import console
from dnnc.arguments import Parser

NAME = "dnnc.toml"


def find() -> Path | None:
    """The nearest dnnc.toml, in the current folder or above it."""
    here = Path.cwd()
    return next((f for folder in (here, *here.parents) if (f := folder / NAME).is_file()), None)


def apply(p: Parser, name: str, everyone: Callable[[], Mapping[str, Parser]]) -> None:
    """Make the values of the project's file the defaults of a command's parser; all its mistakes are told at once."""
    path = find()
    if path is None:
        return
    from dnnc.ir.toml_file import TomlFile
    from dnnc.project import Project

    console.detail(f"{NAME}: {path}")
    values = Project(TomlFile.read(path), path.parent, everyone()).values(name)
    p.set_defaults(**values)
    for action in p.actions:
        action.required = action.required and action.dest not in values
