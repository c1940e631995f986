"""The commands of `dnnc`, one a module of the same name. To add one: its module, and its name here.

A module's docstring says what the command does. `EXAMPLES` are command lines that work, `declare` names its arguments and
imports nothing heavy, `run` does the work: what it needs is imported there, so that `dnnc --help` answers at once.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from dnnc.arguments import Parser

NAMES = (
    "compile",
    "run",
    "report",
    "view",
    "memory",
    "check",
    "diff",
    "eval",
    "scheme",
    "trace",
    "dis",
    "asm",
    "verify",
    "targets",
    "passes",
    "ops",
    "explain",
    "version",
    "completion",
    "schema",
)


class Command(Protocol):
    """What the module of a command holds."""

    __doc__: str
    EXAMPLES: tuple[str, ...]
    declare: Callable[[Parser], None]
    run: Callable[[Namespace], None]


def command(name: str) -> Command:
    """The module of a command."""
    return import_module(f"dnnc.commands.{name}")  # pyright: ignore[reportReturnType]
