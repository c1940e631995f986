"""Print the versions of dnnc and of what it runs with."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc version", "dnnc version --json")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.json(p)


def run(args: Namespace) -> None:
    """One line each: dnnc, Python, platform, C compiler, dependencies."""
    from dnnc import environment

    facts = environment.facts()
    if args.json:
        console.json(facts)
        return
    lines = {k.replace("_", " "): v for k, v in facts.items() if k != "dependencies"} | facts["dependencies"]
    console.say(console.aligned([[k, v or "not found"] for k, v in lines.items()], [False, False]))
