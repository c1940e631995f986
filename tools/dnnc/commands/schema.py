"""Print the JSON Schema of what a command writes with --json."""

from __future__ import annotations

from argparse import Namespace

from dnnc import console, schemas
from dnnc.arguments import Parser, one_of

EXAMPLES = ("dnnc schema check", "dnnc schema report")


def declare(p: Parser) -> None:
    """Its arguments."""
    names = schemas.names()
    p.add_argument(
        "of", nargs="?", metavar="COMMAND", choices=names, type=one_of(names), help="the command; none lists them"
    )


def run(args: Namespace) -> None:
    """A schema, or the commands that have one."""
    console.say(schemas.text(args.of) if args.of else "\n".join(schemas.names()))
