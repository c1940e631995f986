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
    """Every operation with its family, the package it comes from and its sentence."""
    from dnnc.ir.dnn.domains import operations

    rows = [
        {
            "name": o.name,
            "family": o.__module__.rpartition(".")[2],
            "from": str(origin or "dnnc"),
            "summary": _sentence(o),
        }
        for o, origin in operations()
    ]
    if args.json:
        console.json(rows)
    else:
        console.table(["operation", "family", "from", "meaning"], [list(r.values()) for r in rows])


def _sentence(cls: type) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((cls.__doc__ or "").strip().partition("\n\n")[0].split())
