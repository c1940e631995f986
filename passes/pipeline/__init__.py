"""Pipelines: as text (`simplify,fuse-groups{max-ops=4}`), in files, as objects; run over a module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.passes.pipeline.build import passes_of
from dnnc.passes.pipeline.checks import EACH, Verify
from dnnc.passes.pipeline.custom import pattern
from dnnc.passes.pipeline.options import Bytes, options_text
from dnnc.passes.pipeline.pipeline import Hook, Pipeline
from dnnc.passes.pipeline.syntax import Source


def parse(text: str) -> list[ModulePass]:
    """The passes a pipeline's text names; all unknown names and options are reported at once."""
    return passes_of(Source(text))


def read(path: str | Path) -> list[ModulePass]:
    """The passes of a pipeline file (.dnnp): text as on the command line, over several lines, `#` begins a comment."""
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError as e:
        message = "expected a pipeline file, found nothing there. Check the path."
        raise DnncError(Finding(str(path), message, "E0504")) from e
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else f"the byte at {e.start}"
        message = f"expected a pipeline as UTF-8 text, not {reason}. Give a .dnnp file."
        raise DnncError(Finding(str(path), message, "E0504")) from e
    return passes_of(Source(text, str(path)))


def run(
    passes: Sequence[ModulePass] | Pipeline,
    module: ModuleOp,
    ctx: Context,
    after: Hook | None = None,
    verify: Verify = EACH,
) -> None:
    """Apply passes in order; after each, verify the module and check the stage it has reached, then call `after`."""
    Pipeline(passes, after=after).apply(module, ctx, verify)


def names(passes: Sequence[ModulePass]) -> list[str]:
    """Names of passes, in order."""
    return [p.name for p in passes]


__all__ = ["Bytes", "Hook", "Pipeline", "Verify", "names", "options_text", "parse", "pattern", "read", "run"]
