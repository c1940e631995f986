"""Applying rewrite laws: bounded sweeps through a gate; locations and notes follow what replaces an operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from xdsl.dialects.builtin import UNKNOWN_LOC, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, PatternRewriterListener, PatternRewriteWalker, RewritePattern

from dnnc.ir.diagnostics import DnncError, Finding, InternalError, where

SWEEPS = 64


class Gate(Protocol):
    """What every rewrite goes through while it is set: it may count rewrites, and refuse them."""

    def opens(self, law: str, op: Operation) -> bool:
        """Whether a law may be tried on an operation; asked before it is known whether the law matches."""
        ...

    def passed(self, law: str) -> None:
        """A law that was let through has been applied."""
        ...


_GATE: ContextVar[Gate | None] = ContextVar("gate", default=None)


@contextmanager
def gated(gate: Gate) -> Iterator[None]:
    """Let the rewrites made inside go through a gate."""
    token = _GATE.set(gate)
    try:
        yield
    finally:
        _GATE.reset(token)


def allowed(law: str, op: Operation) -> bool:
    """Whether a rewrite that would now happen may; a pass that is not a list of laws asks once for each of its rewrites."""
    gate = _GATE.get()
    if gate is None:
        return True
    opens = gate.opens(law, op)
    if opens:
        gate.passed(law)
    return opens


class _FirstMatch(RewritePattern):
    """Tries laws in order and counts which fired."""

    def __init__(self, laws: Sequence[RewritePattern], spared: Callable[[Operation], bool] | None):
        self.laws, self.spared = laws, spared
        self.fired: Counter[str] = Counter()
        self.gate = _GATE.get()

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if self.spared is not None and self.spared(op):
            return
        for law in self.laws:
            if self.gate is not None and not self.gate.opens(type(law).__name__, op):
                return
            try:
                law.match_and_rewrite(op, rewriter)
            except DnncError:
                raise
            except Exception as e:
                raise _broken(law, op, e) from e
            if rewriter.has_done_action:
                self._count(type(law).__name__)
                return

    def _count(self, law: str) -> None:
        self.fired[law] += 1
        if self.gate is not None:
            self.gate.passed(law)


def apply_laws(
    module: ModuleOp,
    laws: Sequence[RewritePattern],
    sweeps: int = SWEEPS,
    spared: Callable[[Operation], bool] | None = None,
) -> Counter[str]:
    """Sweep over the module until no law applies to an operation that is not `spared`; how often each fired.

    Raises InternalError naming the laws that still fire after the bound: two of them undo each other.
    """
    total: Counter[str] = Counter()
    pattern = _FirstMatch(laws, spared)
    for _ in range(sweeps):
        pattern.fired.clear()
        walker = PatternRewriteWalker(pattern, apply_recursively=False, listener=note_keeper())
        if not walker.rewrite_module(module):
            return total
        total += pattern.fired
    raise InternalError(
        f"expected the rewrite laws to settle within {sweeps} sweeps, still firing: {', '.join(pattern.fired)}. "
        "Two of them undo each other; please report this with the model.",
        "E0999",
    )


def _broken(law: RewritePattern, op: Operation, e: Exception) -> InternalError:
    text = f"expected the law {type(law).__name__} to apply or not, not {type(e).__name__}: {e}."
    return InternalError(
        Finding(where(op.location, op.name), f"{text} Correct the law, or report it with the model.", "E0999")
    )


def note_keeper() -> PatternRewriterListener:
    """A listener that hands on what is noted on a replaced operation.

    Operations inserted for it get its location, and the ones that make its values its attributes (calibrated ranges).
    """
    fresh: list[Operation] = []

    def inserted(op: Operation) -> None:
        fresh.append(op)

    def replaced(op: Operation, values: Sequence[SSAValue | None]) -> None:
        for new in fresh:
            if new.location == UNKNOWN_LOC:
                new.location = op.location
            if any(v is not None and v.owner is new for v in values):
                new.attributes.update(op.attributes)
        fresh.clear()

    return PatternRewriterListener(operation_insertion_handler=[inserted], operation_replacement_handler=[replaced])
