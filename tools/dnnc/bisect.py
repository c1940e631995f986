"""From a pass that goes wrong to the one rewrite that does, and to a network of a few operations on which it still does."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TextIO

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from dnnc.api import Network
from dnnc.cut import Observed, Piece, shrink
from dnnc.ir.diagnostics import DnncError, Finding, InternalError, where
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.rewriting import gated
from dnnc.ir.stages import check
from dnnc.ir.text import save, verify, weight_keys, weights_path
from dnnc.memo import Memo
from dnnc.numerics import Checker, Difference, Reference, is_integer, is_schedule, run
from dnnc.passes import REACHES
from dnnc.passes.pipeline.options import written
from dnnc.passes.pipeline.registry import text_name
from dnnc.stimuli import Stimulus

Passes = tuple[ModulePass, ...]


@dataclass(frozen=True)
class Symptom:
    """How a pass goes wrong; two are the same when their kinds are."""

    kind: str
    text: str


@dataclass
class Prefix:
    """A gate that lets the first `limit` rewrites through, and keeps the program as it was before the last of them."""

    module: ModuleOp
    limit: float = inf
    count: int = 0
    law: str = ""
    op: Operation | None = None
    before: ModuleOp | None = None
    twin: Operation | None = None
    """The operation of `before` that the last law was tried on."""

    def opens(self, law: str, op: Operation) -> bool:
        """Note where a rewrite may happen, while any may."""
        if self.count >= self.limit:
            return False
        self.law, self.op = law, op
        if self.count == self.limit - 1:
            self._keep(op)
        return True

    def passed(self, law: str) -> None:
        """Count it."""
        self.count += 1

    def _keep(self, op: Operation) -> None:
        if self.before is None:
            self.before = self.module.clone()
            self._twins = dict(zip(self.module.walk(), self.before.walk()))
        self.twin = self._twins.get(op)


@dataclass(frozen=True)
class Rewrite:
    """The first application of a law that went wrong."""

    law: str
    place: str
    number: int
    total: int
    before: ModuleOp
    op: Operation | None


@dataclass(frozen=True)
class Account:
    """What a search found; `str` is what the command prints."""

    passes: Passes
    symptom: Symptom
    stimulus: Stimulus
    rewrite: Rewrite | None
    whole: int
    piece: Piece
    piece_symptom: Symptom

    def __str__(self) -> str:
        rows = [("pass", text_of_passes(self.passes))]
        if self.rewrite is not None:
            r = self.rewrite
            rows.append(("rewrite", f"{r.law} at {r.place}: number {r.number} of {r.total}"))
        else:
            rows.append(("rewrite", "the pass as a whole: it does not tell its rewrites apart"))
        rows.append(("shows", f"on {self.stimulus.name}: {self.symptom.text}"))
        ops = operations(self.piece.module)
        rows.append(("cut to", f"{len(ops)} of {self.whole} operations: {', '.join(_placed(op) for op in ops)}"))
        rows.append(("shows", f"in the cut: {self.piece_symptom.text}"))
        return "\n".join(f"{name:8} {text}" for name, text in rows)


def text_of_passes(passes: Passes) -> str:
    """Passes as the command line takes them."""
    return ",".join(written(one, text_name(type(one))) for one in passes)


def _placed(op: Operation) -> str:
    return f"{op.name} ({where(op.location, 'no location')})"


def operations(module: ModuleOp) -> list[Operation]:
    """The operations of @main, without constants and the return."""
    return [op for op in main_function(module).body.block.ops if not isinstance(op, (ConstOp, ReturnOp))]


def bisect(
    module: ModuleOp, passes: Sequence[ModulePass], ctx: Context, given: Sequence[Stimulus] | None = None
) -> Account | None:
    """Run passes until one goes wrong and search for the least that does; None when all are right.

    DnncError when a pass refuses the program.
    """
    if is_schedule(module):
        raise DnncError(
            Finding("module", "expected a network, not a schedule. Give the module before `tile`.", "E0531")
        )
    checker = Checker.of(module, ctx, given)
    before, since = module.clone(), ()
    for one in passes:
        since = (*since, one)
        stimulus = checker.references[0].stimulus
        symptom = applied((one,), module, ctx)
        if symptom is None:
            stimulus, symptom = _compared(checker, one, module)
        if symptom is not None:
            return Search(since, ctx, checker.memo, before, stimulus, symptom).account()
        if not is_schedule(module):
            before, since = module.clone(), ()
    return None


def _compared(checker: Checker, one: ModulePass, module: ModuleOp) -> tuple[Stimulus, Symptom | None]:
    first = checker.references[0].stimulus
    try:
        found = checker.find(one, module)
    except Exception as e:  # whatever evaluating a wrong program raises
        return first, unrunnable(e)
    return (first, None) if found is None else (found[0].stimulus, changed(found[1]))


def applied(passes: Passes, module: ModuleOp, ctx: Context, gate: Prefix | None = None) -> Symptom | None:
    """Run passes on a module; what breaks by itself. A gated run need not reach its stage.

    DnncError when a pass refuses what the user wrote: no fault of its own.
    """
    for one in passes:
        try:
            with gated(gate) if gate is not None else nullcontext():
                one.apply(ctx, module)
        except Exception as e:  # a pass may raise anything
            if isinstance(e, DnncError) and not isinstance(e, InternalError):
                raise
            return Symptom(f"raises {type(e).__name__}", _error_text(e))
        try:
            verify(module)
        except DnncError as e:
            return Symptom("breaks a rule", str(e))
        try:
            if gate is None and type(one) in REACHES:
                check(module, REACHES[type(one)])
        except DnncError as e:
            return Symptom("misses its stage", _error_text(e))
    return None


def _error_text(e: Exception) -> str:
    return f"{type(e).__name__}: {(str(e).splitlines() or [''])[0]}"


def changed(difference: Difference) -> Symptom:
    """The symptom of an output that differs."""
    return Symptom("changes results", f"output '{difference.output}', {difference}")


def unrunnable(e: Exception) -> Symptom:
    """The symptom of a program that cannot be evaluated any more."""
    return Symptom("cannot be run", _error_text(e))


@dataclass
class Search:
    """The search below one wrong pass, on the one stimulus that shows it."""

    passes: Passes
    ctx: Context
    memo: Memo
    before: ModuleOp
    stimulus: Stimulus
    symptom: Symptom

    def account(self) -> Account:
        """First the rewrite, then the network."""
        rewrite = self.rewrite()
        start = Observed.of(rewrite.before if rewrite else self.before, self.ctx, self.stimulus, self.memo)
        ops = self.neighbourhood(start, rewrite.op if rewrite else None)
        if ops is None:  # the pass as a whole mends on this program what the rewrite did
            start = Observed.of(self.before, self.ctx, self.stimulus, self.memo)
            ops = start.ops
        piece = self.reduced(start, ops)
        symptom = self.seen(piece) or self.symptom
        whole = len(operations(self.before))
        return Account(self.passes, self.symptom, self.stimulus, rewrite, whole, piece, symptom)

    def rewrite(self) -> Rewrite | None:
        """The rewrite between the longest run of rewrites found right and one more, found wrong; by halves."""
        reference = Reference.of(self.before, self.ctx, self.stimulus, self.memo)
        gate = self.trial(inf, reference)[0]
        right, wrong = 0, gate.count + 1
        if not gate.law or self.trial(0, reference)[1]:
            return None
        while wrong - right > 1:
            middle = (right + wrong) // 2
            if self.trial(middle, reference)[1]:
                wrong = middle
            else:
                right = middle
        last = self.trial(wrong, reference)[0]
        if last.before is None or last.op is None:
            return None
        place = where(last.op.location, last.op.name)
        return Rewrite(last.law, place, wrong, max(gate.count, wrong), last.before, _top(last.twin, last.before))

    def trial(self, limit: float, reference: Reference) -> tuple[Prefix, bool]:
        """Run the passes up to a number of rewrites; whether they then show the symptom."""
        module = self.before.clone()
        gate = Prefix(module, limit)
        return gate, self.same(self.outcome(module, reference, gate))

    def outcome(self, module: ModuleOp, reference: Reference, gate: Prefix | None = None) -> Symptom | None:
        """What is wrong after the passes."""
        try:
            symptom = applied(self.passes, module, self.ctx, gate)
        except DnncError:
            return None
        if symptom is not None or self.symptom.kind not in ("changes results", "cannot be run"):
            return symptom
        try:
            difference = reference.difference(run(module, self.ctx, reference.stimulus.inputs, self.memo))
        except Exception as e:  # whatever evaluating a wrong program raises
            return unrunnable(e)
        return None if difference is None else changed(difference)

    def same(self, symptom: Symptom | None) -> bool:
        """Whether what is wrong is what was wrong before."""
        return symptom is not None and symptom.kind == self.symptom.kind

    def neighbourhood(self, start: Observed, op: Operation | None) -> list[Operation] | None:
        """The narrowest part around an operation on which the passes still go wrong."""
        parts = start.around(op) if op is not None else iter([start.ops])
        return next((ops for ops in parts if self.fails(start, ops, start.results(ops))), None)

    def reduced(self, start: Observed, ops: list[Operation]) -> Piece:
        """Without operations and outputs that are not needed to go wrong."""
        ops = shrink(ops, lambda part: self.fails(start, part, start.results(part)))
        outputs = shrink(start.results(ops), lambda part: self.fails(start, ops, part))
        ops = shrink(ops, lambda part: self.fails(start, part, _made(part, outputs)))
        return start.piece(ops, _made(ops, outputs))

    def fails(self, start: Observed, ops: Sequence[Operation], outputs: Sequence[SSAValue]) -> bool:
        """Whether the passes go wrong on these operations alone."""
        return bool(ops and outputs) and self.same(self.seen(start.piece(ops, outputs)))

    def seen(self, piece: Piece) -> Symptom | None:
        """What the passes do to a piece; what it gave before is known."""
        module = piece.module.clone()
        reference = Reference(
            piece.module, piece.stimulus, piece.names, piece.outputs, is_integer(piece.module), self.memo
        )
        return self.outcome(module, reference)


def _made(ops: Sequence[Operation], outputs: Sequence[SSAValue]) -> list[SSAValue]:
    return [v for v in outputs if v.owner in ops]


def _top(op: Operation | None, module: ModuleOp) -> Operation | None:
    """The operation of @main that holds an operation."""
    block = main_function(module).body.block
    while op is not None and op.parent is not block:
        op = op.parent_op()
    return op


def report(
    module: ModuleOp,
    passes: Sequence[ModulePass],
    ctx: Context,
    given: Sequence[Stimulus] | None,
    path: Path,
    out: TextIO,
) -> bool:
    """Search, write what was found and print it; whether a pass goes wrong."""
    account = bisect(module, passes, ctx, given)
    if account is None:
        print("every pass keeps what the program computes", file=out)
        return False
    print(f"{account}\n{write(account, ctx, path)}", file=out)
    return True


def write(account: Account, ctx: Context, path: Path) -> str:
    """Write the network, its weights and its inputs; the files' names and the command that shows the fault again."""
    module = account.piece.module
    inputs = path.with_suffix(".npz")
    save(module, ctx, path)
    names = Network(module, ctx).inputs()
    np.savez(inputs, **dict(zip(names, account.piece.stimulus.inputs)))  # pyright: ignore[reportArgumentType]
    files = [path, *([weights_path(path)] if weight_keys(module) else []), inputs]
    command = ["dnnc-opt", str(path), "-p", text_of_passes(account.passes), "--check-numerics", "--inputs", str(inputs)]
    return f"written  {', '.join(map(str, files))}\nagain    {shlex.join(command)}"
