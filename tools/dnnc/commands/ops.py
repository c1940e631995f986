"""List the operations dnnc knows."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc ops", "dnnc ops --json")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.json(p)


def run(args: Namespace) -> None:
    """Every operation with its sentence."""
    from dnnc.ir.dnn import OPS

    if args.json:
        console.json([{"name": o.name, "summary": _first(o)} for o in OPS])
        return
    for o in OPS:
        console.say(f"{o.name:24}{_first(o)}")


def _first(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]
