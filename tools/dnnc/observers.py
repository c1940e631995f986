"""What `dnnc-opt` shows of a pipeline while it runs: one class a view, each told before and after every pass."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc import console
from dnnc.ir.diagnostics import DnncError, Finding, nearest
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.sched import BufferOp
from dnnc.ir.text import save, save_text, text_of, weight_keys, weights_path
from dnnc.ir.types import bits, nbytes
from dnnc.numerics import Checker
from dnnc.passes.pipeline import Pipeline
from dnnc.stimuli import Stimulus


class Observer:
    """Is told of every pass; sees the module and leaves it as it is."""

    def before(self, one: ModulePass, module: ModuleOp) -> None:
        """A pass is about to run."""

    def after(self, one: ModulePass, module: ModuleOp) -> None:
        """A pass has run, and what it left is verified."""


def observers(
    args: Namespace, first: int, module: ModuleOp, ctx: Context, given: Sequence[Stimulus] | None, out: TextIO
) -> list[Observer]:
    """The views the command line asks for; `first` is the number of the first pass."""
    found: list[Observer] = []
    if args.time_passes:
        found.append(Timed())
    if args.print_after:
        found.append(Printed(args.print_after, args.print_op_generic, args.print_debuginfo, out))
    if args.diff_after:
        found.append(Diffed(args.diff_after))
    if args.stats:
        found.append(Counted(module))
    if args.save_after:
        found.append(Saved(Path(args.save_after), first, ctx))
    if args.check_numerics:
        found.append(Checked(Checker.of(module, ctx, given)))
    return found


class Timed(Observer):
    """CPU seconds of each pass."""

    def before(self, one: ModulePass, module: ModuleOp) -> None:
        self.clock = time.process_time()

    def after(self, one: ModulePass, module: ModuleOp) -> None:
        print(f"{one.name:24}{time.process_time() - self.clock:8.3f} s", file=sys.stderr)


@dataclass
class Printed(Observer):
    """The module after some passes."""

    names: Sequence[str]
    generic: bool
    locations: bool
    out: TextIO

    def after(self, one: ModulePass, module: ModuleOp) -> None:
        if asked(self.names, one):
            print(f"// after {one.name}\n{text_of(module, self.generic, self.locations)}", file=self.out)


@dataclass
class Diffed(Observer):
    """The lines of the module that a pass changed."""

    names: Sequence[str]

    def before(self, one: ModulePass, module: ModuleOp) -> None:
        self.old = text_of(module).splitlines() if asked(self.names, one) else []

    def after(self, one: ModulePass, module: ModuleOp) -> None:
        if asked(self.names, one):
            labels = f"before {one.name}", f"after {one.name}"
            lines = list(difflib.unified_diff(self.old, text_of(module).splitlines(), *labels, lineterm=""))
            show_diff(lines)


def show_diff(lines: Sequence[str]) -> None:
    """A unified diff on stderr, coloured on a terminal."""
    if not console.styled(sys.stderr):
        for line in lines:
            console.note(line)
        return
    terminal = console.pretty(sys.stderr)
    for line in lines:
        bold = line.startswith(("---", "+++"))
        style = "bold" if bold else {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        terminal.print(line, style=style, soft_wrap=True)


def asked(names: Sequence[str], one: ModulePass) -> bool:
    """Whether a pass is among the names, or all are."""
    return "all" in names or one.name in names


def known_passes(option: str, names: Sequence[str], passes: Pipeline) -> None:
    """DnncError for names that are neither 'all' nor of a pass that runs."""
    known = list(dict.fromkeys(one.name for one in passes))
    wrong = [n for n in names if n != "all" and n not in known]
    expected = f"expected a pass of the pipeline ({', '.join(known) or 'none: name some with -p'})"
    if wrong:
        raise DnncError(Finding(option, f"{expected}, not '{n}'.{nearest(n, known)}", "E0510") for n in wrong)


@dataclass(frozen=True)
class Size:
    """How large a module is: operations by name, bytes of its constants, MACs; a schedule's MACs are in its loops."""

    ops: Counter[str]
    bytes: int
    macs: int | None

    @staticmethod
    def of(module: ModuleOp) -> Size:
        """The size of a module as it stands."""
        inside = [op for op in module.walk() if op is not module]
        constants: dict[object, int] = {}
        for op in inside:
            if isinstance(op, ConstOp):
                constants[op.key or op] = nbytes(op.result.type)
            elif isinstance(op, BufferOp) and op.constant is not None:
                type_ = op.result.type
                elements = type_.element_count()  # pyright: ignore[reportAttributeAccessIssue]
                constants[op.constant] = -(-elements * bits(type_.element_type) // 8)  # pyright: ignore[reportAttributeAccessIssue]
        scheduled = any(isinstance(op, BufferOp) for op in inside)
        work = (op.work().macs for op in inside if isinstance(op, DnnOp) and not isinstance(op, GroupOp))
        return Size(Counter(op.name for op in inside), sum(constants.values()), None if scheduled else sum(work))


class Counted(Observer):
    """Sizes after each pass and what it changed, as a table that grows line by line."""

    WIDTHS = (24, 7, 7, 15, 15, 18, 18)

    def __init__(self, module: ModuleOp) -> None:
        self.now = Size.of(module)
        self.line("pass", "ops", "+/-", "weight bytes", "+/-", "MACs", "+/-", "operations")
        names = ", ".join(f"{name} {n}" for name, n in sorted(self.now.ops.items()))
        sizes = self.now.ops.total(), self.now.bytes, self.now.macs
        self.line("(as read)", *(c for size in sizes for c in _cells(size, None)), names)

    def after(self, one: ModulePass, module: ModuleOp) -> None:
        old, new = self.now, Size.of(module)
        changed = {n: new.ops[n] - old.ops[n] for n in sorted({*old.ops, *new.ops}) if new.ops[n] != old.ops[n]}
        names = ", ".join(f"{n} {d:+d}" for n, d in changed.items())
        sizes = (new.ops.total(), old.ops.total()), (new.bytes, old.bytes), (new.macs, old.macs)
        self.line(one.name, *(c for a, b in sizes for c in _cells(a, b)), names)
        self.now = new

    def line(self, name: str, *cells: str) -> None:
        parts = [name.ljust(self.WIDTHS[0]), *(c.rjust(w) for c, w in zip(cells, self.WIDTHS[1:]))]
        print(f"{''.join(parts)}  {cells[-1]}".rstrip(), file=sys.stderr)


def _cells(now: int | None, before: int | None) -> tuple[str, str]:
    """A figure and its change; nothing for one that has not changed."""
    change = "" if now is None or before is None or now == before else f"{now - before:+,}"
    return "-" if now is None else f"{now:,}", change


@dataclass
class Checked(Observer):
    """What the module computes, before and after; an error names the pass that changes it."""

    checker: Checker

    def after(self, one: ModulePass, module: ModuleOp) -> None:
        self.checker.after(one, module)
        print("\n".join(self.checker.log), file=sys.stderr)
        self.checker.log.clear()


@dataclass
class Saved(Observer):
    """The module after each pass in a file of its own, numbered: `03-canonicalize.mlir`, weights beside it."""

    folder: Path
    number: int
    ctx: Context
    last: Path | None = None
    keys: Sequence[str] = ()

    def after(self, one: ModulePass, module: ModuleOp) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.number:02}-{one.name}.mlir"
        keys = weight_keys(module)
        if (
            self.last is not None and keys == self.keys
        ):  # keys are immutable: the file of the same keys has the same bytes
            share(weights_path(self.last), weights_path(path))
            save_text(module, path)
        else:
            save(module, self.ctx, path)
        self.number, self.last, self.keys = self.number + 1, path, keys


def share(source: Path, path: Path) -> None:
    """A second name for a file, or a copy where the disk has no such thing; nothing when there is no file."""
    path.unlink(missing_ok=True)
    if source.exists():
        try:
            os.link(source, path)
        except OSError:
            shutil.copyfile(source, path)
