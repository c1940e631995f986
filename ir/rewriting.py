"""Applying rewrite laws: bounded sweeps, and locations that follow what replaces an operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from xdsl.dialects.builtin import UNKNOWN_LOC, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, PatternRewriterListener, PatternRewriteWalker, RewritePattern

from dnnc.ir.diagnostics import InternalError

SWEEPS = 64


class _FirstMatch(RewritePattern):
    """Tries laws in order and counts which fired."""

    def __init__(self, laws: Sequence[RewritePattern]):
        self.laws = laws
        self.fired: Counter[str] = Counter()

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        for law in self.laws:
            law.match_and_rewrite(op, rewriter)
            if rewriter.has_done_action:
                self.fired[type(law).__name__] += 1
                return


def apply_laws(module: ModuleOp, laws: Sequence[RewritePattern], sweeps: int = SWEEPS) -> Counter[str]:
    """Sweep over the module until no law applies; how often each fired.

    Raises InternalError naming the laws that still fire after the bound: two of them undo each other.
    """
    total: Counter[str] = Counter()
    for _ in range(sweeps):
        pattern = _FirstMatch(laws)
        walker = PatternRewriteWalker(pattern, apply_recursively=False, listener=location_keeper())
        if not walker.rewrite_module(module):
            return total
        total += pattern.fired
    raise InternalError(
        f"expected the rewrite laws to settle within {sweeps} sweeps, still firing: {', '.join(pattern.fired)}. "
        "Two of them undo each other; please report this with the model."
    )


def location_keeper() -> PatternRewriterListener:
    """A listener that gives operations inserted for a replaced one its location."""
    fresh: list[Operation] = []

    def inserted(op: Operation) -> None:
        if op.location == UNKNOWN_LOC:
            fresh.append(op)

    def replaced(op: Operation, _: Sequence[SSAValue | None]) -> None:
        for new in fresh:
            new.location = op.location
        fresh.clear()

    return PatternRewriterListener(operation_insertion_handler=[inserted], operation_replacement_handler=[replaced])
