"""List the accelerators dnnc knows."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc targets", "dnnc targets --json")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.json(p)


def run(args: Namespace) -> None:
    """The bundled accelerators."""
    from dnnc.backends.npu.catalog import bundled, load_target
    from dnnc.ir.arch import to_mapping

    found = {n: load_target(n) for n in bundled()}
    if args.json:
        console.json([to_mapping(a) for a in found.values()])
        return
    for name, a in found.items():
        console.say(f"{name:12}{a.description}")
