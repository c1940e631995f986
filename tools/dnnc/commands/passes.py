"""List the passes and pipelines dnnc knows."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc passes", "dnnc passes --json")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.json(p)


def run(args: Namespace) -> None:
    """Passes with their sentence, pipelines with their passes; those of plug-ins too."""
    from dnnc.passes import PASSES, PIPELINES
    from dnnc.passes.pipeline.registry import PLUGINS

    rows = [_row(name, kind, "dnnc") for name, kind in PASSES.items()]
    rows += [_row(name, kind, str(PLUGINS.origin(name))) for name, kind in PLUGINS.all().items()]
    pipelines = {name: [p.name for p in kinds] for name, kinds in PIPELINES.items()}
    if args.json:
        console.json({"passes": rows, "pipelines": pipelines})
        return
    console.table(["pass", "what it does"], [[r["name"], _told(r)] for r in rows])
    console.say("")
    console.table(["pipeline", "passes"], [[name, ", ".join(names)] for name, names in pipelines.items()])


def _row(name: str, kind: type, origin: str) -> dict[str, Any]:
    from dnnc.passes.pipeline.options import declared, type_text

    options = [{"name": n, "type": type_text(f)} for n, f in declared(kind).items()]
    return {"name": name, "summary": _sentence(kind), "options": options, "from": origin}


def _told(row: dict[str, Any]) -> str:
    options = ", ".join(o["name"] for o in row["options"])
    return (
        row["summary"]
        + (f" Options: {options}." if options else "")
        + (f" ({o})" if (o := row["from"]) != "dnnc" else "")
    )


def _sentence(kind: type) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((kind.__doc__ or "").strip().partition("\n\n")[0].split())
