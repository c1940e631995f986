"""The page of passes, pipelines and stages, from their declarations."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields

from xdsl.passes import ModulePass

from dnnc.ir.stages import STAGES
from dnnc.passes import OPTIONAL, PASSES, PIPELINES
from tools.docs.markdown import block, literal, page, sentence, table


def one_pass(kind: type[ModulePass]) -> Iterator[str]:
    """The section of one pass: what it does, before and after, options."""
    yield f"## {kind.name}"
    first, _, example = inspect.cleandoc(sys.modules[kind.__module__].__doc__ or "").partition("\n\n")
    yield " ".join(first.split())
    yield " ".join(inspect.cleandoc(kind.__doc__ or "").split())
    if example:
        yield block(example)
    options = [f for f in fields(kind) if f.name != "name"]  # pyright: ignore[reportArgumentType]
    if options:
        rows = ([literal(f.name.replace("_", "-")), str(f.type), default_text(f.default)] for f in options)
        yield table(["option", "type", "default"], rows)


def default_text(value: object) -> str:
    """The default of an option, or that it has none."""
    return "required" if value is MISSING else literal(option_text(value))


def option_text(value: object) -> str:
    """A default as it is written on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


def pipelines() -> str:
    """Every pipeline with its passes in order."""
    return table(["pipeline", "passes"], ([literal(n), ", ".join(p.name for p in ps)] for n, ps in PIPELINES.items()))


def text() -> str:
    """The page."""
    links = table(
        ["pass", "what it does"], ([f"[{n}](#{n})", sentence(sys.modules[p.__module__])] for n, p in PASSES.items())
    )
    alone = ", ".join(literal(p.name) for p in OPTIONAL)
    return page(
        "Passes, pipelines, stages",
        "`passes/` and `ir/stages.py`",
        "`dnnc-opt FILE -p 'simplify,fuse-groups{max-ops=4}'` runs passes and pipelines by name, options in braces. "
        "[pipelines.md](../pipelines.md) shows pipelines in files and in Python, and passes of your own.",
        links,
        "## Pipelines",
        pipelines(),
        f"In no pipeline: {alone}.",
        "## Stages",
        "What holds after each stage; `dnnc-opt --stage NAME` checks it.",
        table(["stage", "what holds"], ([literal(s.name), s.promise] for s in STAGES)),
        *(part for kind in PASSES.values() for part in one_pass(kind)),
    )
