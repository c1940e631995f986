"""List the passes and pipelines dnnc knows."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc passes", "dnnc passes --json")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.json(p)


def run(args: Namespace) -> None:
    """Passes with their sentence, pipelines with their passes."""
    from dnnc.passes import PASSES, PIPELINES
    from dnnc.passes.pipeline import options_text

    if args.json:
        rows = [{"name": n, "summary": _first(p), "options": options_text(p)} for n, p in PASSES.items()]
        console.json({"passes": rows, "pipelines": {n: [p.name for p in ps] for n, ps in PIPELINES.items()}})
        return
    for name, p in PASSES.items():
        console.say(f"{name:20}{_first(p)}")
    for name, ps in PIPELINES.items():
        console.say(f"\n{name} = {','.join(p.name for p in ps)}")


def _first(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]
