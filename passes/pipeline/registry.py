"""What a name in a pipeline stands for: a pass or a pipeline of dnnc, a pass of a plug-in, or what stands at a place."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xdsl.passes import ModulePass

from dnnc.ir.plugins import Group, Rejected
from dnnc.passes import PASSES, PIPELINES
from dnnc.passes.pipeline.custom import NotAPass, kind_of
from dnnc.passes.pipeline.places import Nowhere, found, place_of

Kinds = tuple[type[ModulePass], ...]


def _accepted(name: str, thing: Any) -> type[ModulePass]:
    """The class of passes an entry point names; a function or pattern takes the entry point's name."""
    try:
        kind = kind_of(thing)
    except (NotAPass, TypeError) as e:
        raise Rejected(str(e)) from e
    if kind.name != name:
        if kind is thing:
            raise Rejected(f"expected a pass named '{name}', not '{kind.name}'. Give both one name.")
        kind.name = name
    return kind


PLUGINS = Group("dnnc.passes", _accepted, lambda: [*PASSES, *PIPELINES])


def find(name: str, folder: Path = Path()) -> type[ModulePass] | Kinds | None:
    """The pass, or the passes of the pipeline, of a name; None for an unknown one. Nowhere, NotAPass: a wrong place."""
    builtin = PIPELINES.get(name) or PASSES.get(name)
    if builtin is None and ":" in name:
        return kind_of(found(name, folder))
    return builtin or PLUGINS.get(name)


def unknown(name: str, defined: Sequence[str] = ()) -> str:
    """Message for a name that is neither a pass nor a pipeline, with the nearest ones."""
    if PLUGINS.refused(name) is not None:
        return (
            f"expected a pass or a pipeline, not '{name}': {PLUGINS.origin(name)} was left out. `dnnc passes` says why."
        )
    known = [*defined, *PIPELINES, *PASSES, *PLUGINS.names()]
    near = difflib.get_close_matches(name, known, 3) or known
    return f"expected a pass or a pipeline, not '{name}'. Did you mean {' or '.join(near)}?"


def text_name(kind: type[ModulePass]) -> str:
    """The name by which a class of passes is found again: its own if it is registered, else its place if it has one."""
    if PASSES.get(kind.name) is kind or (kind.name in PLUGINS.names() and PLUGINS.get(kind.name) is kind):
        return kind.name
    return place_of(vars(kind).get("definition", kind)) or kind.name


__all__ = ["PLUGINS", "Kinds", "Nowhere", "find", "text_name", "unknown"]
