"""A pipeline as an object: passes in order, with functions to call before and after each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, overload

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.passes.pipeline.build import passes_of
from dnnc.passes.pipeline.checks import EACH, Checks, Verify
from dnnc.passes.pipeline.custom import NotAPass, pass_of
from dnnc.passes.pipeline.options import written
from dnnc.passes.pipeline.registry import text_name
from dnnc.passes.pipeline.syntax import Source

Hook = Callable[[ModulePass, ModuleOp], None]


class Program(Protocol):
    """What a pipeline runs on: a module with its context, as `dnnc.Network` is."""

    module: ModuleOp
    ctx: Context

    def clone(self) -> Self:
        """A copy whose module may be changed."""
        ...


@dataclass
class Hooks:
    """Functions called before and after each pass, with the pass and the module."""

    before: list[Hook] = field(default_factory=list)
    after: list[Hook] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """A pass and the hooks of the pipelines it stands in, the outermost first."""

    one: ModulePass
    hooks: tuple[Hooks, ...]


class Pipeline:
    """Passes in order. Items: passes, their classes, names and texts, patterns, functions f(module, ctx), other pipelines.

    `before` and `after` are called with each pass and the module around it; more may be appended to the lists of these names.
    `str` gives text that reads back to an equal pipeline.
    """

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # two are equal when their passes are

    def __init__(
        self,
        items: Iterable[Any] | str = (),
        *,
        before: Hook | Iterable[Hook] | None = None,
        after: Hook | Iterable[Hook] | None = None,
    ):
        self._hooks = Hooks(_several(before), _several(after))
        parts = [items] if isinstance(items, (str, Pipeline)) else list(items)
        findings: list[Finding] = []
        self.steps = tuple(s for i, item in enumerate(parts) for s in self._steps(i, item, findings))
        if findings:
            raise DnncError(findings)

    def _steps(self, i: int, item: Any, findings: list[Finding]) -> list[Step]:
        try:
            if isinstance(item, Pipeline):
                return [Step(s.one, (self._hooks, *s.hooks)) for s in item.steps]
            passes = passes_of(Source(item)) if isinstance(item, str) else [pass_of(item)]
            return [Step(one, (self._hooks,)) for one in passes]
        except DnncError as e:
            findings += e.findings
        except (NotAPass, TypeError) as e:
            findings.append(Finding(f"pipeline item {i}", str(e), "E0507"))
        return []

    @property
    def before(self) -> list[Hook]:
        """Functions called before each pass."""
        return self._hooks.before

    @property
    def after(self) -> list[Hook]:
        """Functions called after each pass, once what it left is verified."""
        return self._hooks.after

    @property
    def passes(self) -> list[ModulePass]:
        """The passes, in order."""
        return [s.one for s in self.steps]

    def __iter__(self) -> Iterator[ModulePass]:
        return iter(self.passes)

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, at: int) -> ModulePass: ...
    @overload
    def __getitem__(self, at: slice) -> Pipeline: ...
    def __getitem__(self, at: int | slice) -> ModulePass | Pipeline:
        """A pass, or the pipeline of a range of them, with their hooks."""
        if isinstance(at, int):
            return self.steps[at].one
        part = Pipeline()
        part.steps = self.steps[at]
        return part

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pipeline) and self.passes == other.passes

    def __str__(self) -> str:
        return ",".join(written(s.one, text_name(type(s.one))) for s in self.steps)

    def __repr__(self) -> str:
        return f"Pipeline({str(self)!r})"

    def run(self, network: Any, in_place: bool = False, verify: Verify = EACH) -> Any:
        """The network after all passes: a new one, or the given one `in_place`. Each pass's result is verified."""
        result = network if in_place else network.clone()
        self.apply(result.module, result.ctx, verify)
        return result

    def apply(self, module: ModuleOp, ctx: Context, verify: Verify = EACH) -> None:
        """Apply the passes to a module in order; after each, verify it and check the stage it has reached."""
        checks = Checks(verify)
        for step in self.steps:
            for hooks in step.hooks:
                for hook in hooks.before:
                    hook(step.one, module)
            checks.applied(step.one, module, ctx)
            for hooks in step.hooks:
                for hook in hooks.after:
                    hook(step.one, module)
        checks.at_end(module)


def _several(hooks: Hook | Iterable[Hook] | None) -> list[Hook]:
    if hooks is None:
        return []
    return [hooks] if callable(hooks) else list(hooks)
