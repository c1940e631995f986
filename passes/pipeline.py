"""Pipelines as text: `simplify,fuse-groups{max-ops=4}`; named pipelines stand for their passes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import parse_pipeline as parse_specs
from xdsl.utils.exceptions import ArgSpecParseError

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.text import verify
from dnnc.passes import PASSES, PIPELINES

AfterPass = Callable[[ModulePass, ModuleOp], None]


def parse(text: str) -> list[ModulePass]:
    """The passes a pipeline's text names; all unknown names and options are reported at once."""
    try:
        specs = list(parse_specs(text))
    except ArgSpecParseError as e:
        reason = str(e).strip().splitlines()[-1].strip(" ^~-") or "a syntax error"
        message = f"expected passes like 'simplify,fuse-groups{{max-ops=4}}', not {text!r} ({reason})."
        raise DnncError(Finding("pipeline", message)) from e
    passes: list[ModulePass] = []
    findings: list[Finding] = []
    for spec in specs:
        if spec.name in PIPELINES:
            passes.extend(p() for p in PIPELINES[spec.name])
        elif spec.name in PASSES:
            try:
                passes.append(PASSES[spec.name].from_pass_spec(spec))
            except Exception as e:
                findings.append(Finding(f"pass '{spec.name}'", f"{e} {options_text(PASSES[spec.name])}"))
        else:
            findings.append(Finding("pipeline", unknown(spec.name)))
    if findings:
        raise DnncError(findings)
    return passes


def unknown(name: str) -> str:
    """Message for a name that is neither a pass nor a pipeline, with the nearest ones."""
    names = [*PIPELINES, *PASSES]
    near = difflib.get_close_matches(name, names, 3) or names
    return f"expected a pass or a pipeline, not '{name}'. Did you mean {' or '.join(near)}?"


def options_text(kind: type[ModulePass]) -> str:
    """The options of a pass, for messages and pages."""
    fields = getattr(kind, "__dataclass_fields__", {})
    names = [f"{name.replace('_', '-')} ({f.type})" for name, f in fields.items() if name != "name"]
    return f"Options: {', '.join(names)}." if names else "It has no options."


def run(passes: Sequence[ModulePass], module: ModuleOp, ctx: Context, after: AfterPass | None = None) -> None:
    """Apply passes in order, verifying the module after each; `after` is called with each pass and the module."""
    for one in passes:
        one.apply(ctx, module)
        verify(module)
        if after is not None:
            after(one, module)


def names(passes: Sequence[ModulePass]) -> list[str]:
    """Names of passes, in order."""
    return [p.name for p in passes]
