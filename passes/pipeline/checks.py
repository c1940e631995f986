"""What must hold of a module when a pass has run, and who is to blame when it does not."""

from __future__ import annotations

from operator import is_
from typing import Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import VerifyException

from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.plugins import brief
from dnnc.ir.stages import check
from dnnc.ir.text import parse, text_of, verify, weight_keys
from dnnc.ir.weights import store_of
from dnnc.passes import REACHES

# each: rules of operations and of the stage reached, after each pass. strict: also that text reads back to the same module and
# that every weight exists. end: rules of operations once, after the last pass.
Verify = Literal["each", "strict", "end"]
EACH: Verify = "each"


class Checks:
    """The checks of one run of a pipeline: a module that a pass leaves as it was is not verified again."""

    def __init__(self, how: Verify) -> None:
        self.how = how
        self.verified: list[object] = []

    def applied(self, one: ModulePass, module: ModuleOp, ctx: Context) -> None:
        """Run a pass and verify what it leaves; errors name it."""
        _run(one, module, ctx)
        if self.how == "end":
            return
        now = _identities(module)
        if len(now) != len(self.verified) or not all(map(is_, now, self.verified)):
            _verified(one, module)
            self.verified = now
        if self.how == "strict":
            _written(one, module, ctx)
            _weighed(one, module, ctx)
        if type(one) in REACHES:
            check(module, REACHES[type(one)])

    def at_end(self, module: ModuleOp) -> None:
        """Verify a module after the last pass, unless each was."""
        if self.how == "end":
            verify(module)


def _identities(module: ModuleOp) -> list[object]:
    """The objects a module is made of, in order: rules read nothing else, and none of them changes in itself."""
    found: list[object] = []
    for op in module.walk():
        found += (op, op.parent, *op.operands, *(r.type for r in op.results))
        for named in (op.properties, op.attributes):
            for name, value in named.items():
                found += (name, value)
        found += (a.type for region in op.regions for block in region.blocks for a in block.args)
    return found


def _run(one: ModulePass, module: ModuleOp, ctx: Context) -> None:
    """Run a pass; what a pass that is not ours raises becomes an error that names it."""
    try:
        one.apply(ctx, module)
    except Exception as e:
        cause = e.__cause__ if isinstance(e, DnncError) else e  # xDSL tells of what a pattern raises by our own error
        if type(one).__module__.startswith("dnnc.") or cause is None or isinstance(cause, (DnncError, VerifyException)):
            raise
        place = f"{e.findings[0].where}: " if isinstance(e, DnncError) else ""
        message = f"expected it to run, not {brief(cause)}. Correct the pass."
        raise DnncError(Finding(f"{place}pass '{one.name}'", message, "E0505")) from e


def _verified(one: ModulePass, module: ModuleOp) -> None:
    try:
        verify(module)
    except DnncError as e:
        raise DnncError(Finding(f.where, f"after pass '{one.name}': {f.message}", f.code) for f in e.findings) from e


def _written(one: ModulePass, module: ModuleOp, ctx: Context) -> None:
    """Verify that the module's text, custom and generic, reads back to the same text."""
    for generic in (False, True):
        text = text_of(module, generic)
        try:
            again = text_of(parse(make_context(store_of(ctx)), text), generic)
        except DnncError as e:
            message = f"expected a module whose text reads back, not one with: {e.findings[0]}"
            raise DnncError(Finding(f"pass '{one.name}'", message, "E0508")) from e
        if again != text:
            old, new = next((a, b) for a, b in zip(text.splitlines(), again.splitlines()) if a != b)
            message = f"expected a module whose text reads back the same, not '{old.strip()}' as '{new.strip()}'."
            raise DnncError(Finding(f"pass '{one.name}'", message, "E0508"))


def _weighed(one: ModulePass, module: ModuleOp, ctx: Context) -> None:
    missing = [key for key in weight_keys(module) if key not in store_of(ctx)]
    if missing:
        message = (
            f"expected weights that exist, not the keys {', '.join(missing)}. Add them with store_of(ctx).add(...)."
        )
        raise DnncError(Finding(f"pass '{one.name}'", message, "E0509"))
