"""Passes of functions and of patterns: what a user writes in a few lines becomes a pass like any other.

def drop_dead(module, ctx, *, keep: int = 0): ...        ->    drop-dead{keep=0}
@pattern
def relu_twice(op: ReluOp, rewriter): ...                ->    relu-twice
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any, get_type_hints

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.rewriting import apply_laws
from dnnc.passes.pipeline.options import dashed, required

EXPECTED = "a pass, a pattern, a function f(module, ctx), a name, or a pipeline of these"


class NotAPass(ValueError):
    """A thing no pass can be made of; the message says why."""


def pattern(law: Callable[[Any, PatternRewriter], None]) -> RewritePattern:
    """The pattern of a function `law(op: ReluOp, rewriter)`, tried on every operation of the class its first argument names."""
    first = next(iter(inspect.signature(law).parameters), None)
    kind = get_type_hints(law).get(first or "")
    if not (isinstance(kind, type) and issubclass(kind, Operation)):
        message = (
            f"expected its first argument to name a class of operations, as in 'op: ReluOp', not {kind or 'none'}."
        )
        raise DnncError(Finding(f"pattern '{law.__name__}'", message, "E0507"))

    def match_and_rewrite(self: RewritePattern, op: Operation, rewriter: PatternRewriter, /) -> None:
        if isinstance(op, kind):
            law(op, rewriter)

    members = {"match_and_rewrite": match_and_rewrite, "__doc__": law.__doc__, "__module__": law.__module__}
    return type(law.__name__, (RewritePattern,), {**members, "__qualname__": law.__qualname__})()


def pass_of(thing: Any) -> ModulePass:
    """The pass a thing stands for, options at their defaults unless it holds them; NotAPass says why there is none."""
    if isinstance(thing, ModulePass):
        return thing
    if isinstance(thing, RewritePattern) and is_dataclass(thing):
        return kind_of(type(thing))(**{f.name: getattr(thing, f.name) for f in fields(thing)})
    kind = kind_of(thing)
    if needed := required(kind):
        raise NotAPass(
            f"expected the option {needed[0]} of pass '{kind.name}', not none. Give an instance, or its text."
        )
    return kind()


@cache
def kind_of(thing: Any) -> type[ModulePass]:
    """The class of passes a class, a pattern or a function stands for."""
    if isinstance(thing, type) and issubclass(thing, ModulePass):
        return _checked(thing)
    if isinstance(thing, RewritePattern) or (isinstance(thing, type) and issubclass(thing, RewritePattern)):
        return _of_pattern(thing)
    if inspect.isfunction(thing):
        return _of_function(thing)
    raise NotAPass(f"expected {EXPECTED}, not {thing!r}.")


def _checked(kind: type[ModulePass]) -> type[ModulePass]:
    if not isinstance(getattr(kind, "name", None), str):
        raise NotAPass(f'expected a name in class {kind.__name__}, as in name = "merge-clips", not none.')
    loose = [n for n in vars(kind).get("__annotations__", ()) if n not in kind.__dataclass_fields__ and n != "name"]
    if loose:
        raise NotAPass(
            f"expected @dataclass(frozen=True) above class {kind.__name__}, which has the option {loose[0]}."
        )
    return kind


def _of_pattern(thing: RewritePattern | type[RewritePattern]) -> type[ModulePass]:
    law = thing if isinstance(thing, type) else type(thing)
    own = fields(law) if isinstance(thing, type) and is_dataclass(law) else ()
    names = [f.name for f in own]

    def apply(self: ModulePass, ctx: Context, op: ModuleOp) -> None:
        made = law(**{n: getattr(self, n) for n in names}) if isinstance(thing, type) else thing
        apply_laws(op, [made])

    hints = get_type_hints(law, include_extras=True) if own else {}
    options = [(f.name, hints[f.name], field(default=f.default, default_factory=f.default_factory)) for f in own]  # pyright: ignore
    return _kind(law, options, apply, thing)


def _of_function(function: Callable[..., None]) -> type[ModulePass]:
    parameters = list(inspect.signature(function).parameters.values())
    options = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    if len(parameters) - len(options) != 2:
        raise NotAPass(
            f"expected a function {function.__name__}(module, ctx), its options after a *, not {_call(function)}."
        )
    hints = get_type_hints(function, include_extras=True)
    untyped = [p.name for p in options if p.name not in hints]
    if untyped:
        raise NotAPass(
            f"expected a type for the option {untyped[0]} of {function.__name__}, as in {untyped[0]}: int, not none."
        )

    def apply(self: ModulePass, ctx: Context, op: ModuleOp) -> None:
        result = function(op, ctx, **{p.name: getattr(self, p.name) for p in options})
        if result is not None:
            got = type(result).__name__
            message = f"expected it to change the module in place and return nothing, not {got}."
            raise DnncError(Finding(f"pass '{self.name}'", message, "E0505"))

    declared = [(p.name, hints[p.name], field(default=MISSING if p.default is p.empty else p.default)) for p in options]
    return _kind(function, declared, apply, function)


def _call(function: Callable[..., None]) -> str:
    return f"{function.__name__}{inspect.signature(function)}"


def _kind(
    named: Any, options: list[tuple[str, Any, Any]], apply: Callable[..., None], definition: Any
) -> type[ModulePass]:
    """A class of passes: its name is that of the function or pattern, with dashes."""
    members: Mapping[str, Any] = {
        "name": pass_name(named.__name__),
        "apply": apply,
        "definition": staticmethod(definition) if inspect.isfunction(definition) else definition,
        "__doc__": inspect.getdoc(named) or f"{named.__name__} of {named.__module__}.",
        "__module__": named.__module__,
    }
    made = make_dataclass(
        named.__name__, options, bases=(ModulePass,), namespace=dict(members), frozen=True, kw_only=True
    )
    made.__qualname__ = named.__qualname__
    return made


def pass_name(name: str) -> str:
    """`merge_clips` and `MergeClips` as the name of a pass: `merge-clips`."""
    return dashed(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)).lower().strip("-")
