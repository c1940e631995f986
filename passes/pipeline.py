"""Pipelines as text: `simplify,fuse-groups{max-ops=4}`; named pipelines stand for their passes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import fields

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec
from xdsl.utils.arg_spec import parse_pipeline as parse_specs
from xdsl.utils.exceptions import ArgSpecParseError

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.stages import check
from dnnc.ir.text import verify
from dnnc.passes import PASSES, PIPELINES, REACHES

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
                passes.append(made(PASSES[spec.name], spec))
            except ValueError as e:
                findings.append(Finding(f"pass '{spec.name}'", f"{e} {options_text(PASSES[spec.name])}"))
        else:
            findings.append(Finding("pipeline", unknown(spec.name)))
    if findings:
        raise DnncError(findings)
    return passes


def made(kind: type[ModulePass], spec: ArgSpec) -> ModulePass:
    """The pass with the options of a spec; ValueError says what is wrong with them."""
    given = spec.normalize_parameter_names().parameters
    for name in given:
        if name not in options(kind):
            raise ValueError(f"expected no option {name.replace('_', '-')}.")
    for name in sorted(kind.required_fields() - {"name"} - set(given)):
        raise ValueError(f"expected the option {name.replace('_', '-')}, not none.")
    try:
        return kind.from_pass_spec(spec)
    except ValueError as e:
        values = ", ".join(f"{name.replace('_', '-')}={','.join(map(str, v))}" for name, v in given.items())
        raise ValueError(f"expected values of the options' types, not {values}.") from e


def unknown(name: str) -> str:
    """Message for a name that is neither a pass nor a pipeline, with the nearest ones."""
    names = [*PIPELINES, *PASSES]
    near = difflib.get_close_matches(name, names, 3) or names
    return f"expected a pass or a pipeline, not '{name}'. Did you mean {' or '.join(near)}?"


def options_text(kind: type[ModulePass]) -> str:
    """The options of a pass, for messages and pages."""
    names = [f"{name.replace('_', '-')} ({kind})" for name, kind in options(kind).items()]
    return f"Options: {', '.join(names)}." if names else "It has no options."


def options(kind: type[ModulePass]) -> dict[str, str]:
    """Names and types of a pass's options."""
    return {f.name: str(f.type) for f in fields(kind) if f.name != "name"}  # pyright: ignore[reportArgumentType]


def run(passes: Sequence[ModulePass], module: ModuleOp, ctx: Context, after: AfterPass | None = None) -> None:
    """Apply passes in order; after each, verify the module and check the stage it has reached, then call `after`."""
    for one in passes:
        one.apply(ctx, module)
        verify(module)
        if type(one) in REACHES:
            check(module, REACHES[type(one)])
        if after is not None:
            after(one, module)


def names(passes: Sequence[ModulePass]) -> list[str]:
    """Names of passes, in order."""
    return [p.name for p in passes]
