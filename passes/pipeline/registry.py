"""What a name in a pipeline stands for: a pass or a pipeline of dnnc, one of a plug-in, or a function by `module:name`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from xdsl.passes import ModulePass

from dnnc.passes import PASSES, PIPELINES

Kinds = tuple[type[ModulePass], ...]


def find(name: str) -> type[ModulePass] | Kinds | None:
    """The pass, or the passes of the pipeline, of a name; None for an unknown one."""
    return PIPELINES.get(name) or PASSES.get(name)


def unknown(name: str, defined: Sequence[str] = ()) -> str:
    """Message for a name that is neither a pass nor a pipeline, with the nearest ones."""
    known = [*defined, *PIPELINES, *PASSES]
    near = difflib.get_close_matches(name, known, 3) or known
    return f"expected a pass or a pipeline, not '{name}'. Did you mean {' or '.join(near)}?"
