"""What `dnnc-opt` does: modules in, passes run and watched, modules out."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from dnnc import api
from dnnc.failures import unreachable
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.stages import BY_NAME, check
from dnnc.ir.text import load, parse, read_text, save, text_of
from dnnc.observers import known_passes, observers
from dnnc.passes import REACHES
from dnnc.passes.pipeline import Pipeline, Verify, read
from dnnc.stimuli import read_stimuli


def transform(args: Namespace, stdin: TextIO, out: TextIO) -> int:
    """Run the command on its modules, one by one; its exit code."""
    for i, chunk in enumerate(_chunks(args, stdin)):
        if i:
            print("// -----", file=out)
        try:
            if _one(args, chunk, out):
                return 1
        except (DnncError, OSError) as e:
            error = unreachable(e) if isinstance(e, OSError) else e
            if not args.verify_diagnostics:
                print(error, file=sys.stderr)
                return 1
            print(error, file=out)
    return 0


def _chunks(args: Namespace, stdin: TextIO) -> list[str | None]:
    """Texts to process one by one; None stands for the whole named file."""
    if args.file != "-" and not args.split_input_file:
        return [None]
    text = stdin.read() if args.file == "-" else read_text(Path(args.file))
    return list(_split(text)) if args.split_input_file else [text]


def _split(text: str) -> Iterator[str]:
    """The parts of a text, each behind as many empty lines as came before it: locations are those of the file."""
    before = 0
    for part in text.split("// -----"):
        yield "\n" * before + part
        before += part.count("\n")


def _one(args: Namespace, chunk: str | None, out: TextIO) -> bool:
    """Run the passes on one module; whether `--bisect` found one that goes wrong."""
    if args.stage and args.stage not in BY_NAME:
        raise DnncError(Finding("--stage", f"expected one of {', '.join(BY_NAME)}, not '{args.stage}'.", "E0510"))
    first, passes = chosen(args)
    known_passes("--print-after", args.print_after, passes)
    known_passes("--diff-after", args.diff_after, passes)
    module, ctx = _module(args, chunk)
    given = read_stimuli(Path(args.inputs), module) if args.inputs else None
    if args.bisect:
        from dnnc.bisect import report

        return report(module, passes.passes, ctx, given, Path(args.output or "repro.mlir"), out)
    for watch in observers(args, first, module, ctx, given, out):
        passes.before.insert(0, watch.before)
        passes.after.append(watch.after)
    how: Verify = "each" if args.verify_each is None else "strict" if args.verify_each else "end"
    passes.apply(module, ctx, how)
    if args.stage:
        check(module, args.stage)
    _write(args, module, ctx, out)
    return False


def chosen(args: Namespace) -> tuple[int, Pipeline]:
    """The passes asked for, without those `--start-after` and `--stop-after` leave out, and the number of the first."""
    whole = Pipeline(read(args.pipeline_file) if args.pipeline_file else args.passes)
    start = _place("--start-after", args.start_after, whole) if args.start_after else 0
    stop = _place("--stop-after", args.stop_after, whole) if args.stop_after else len(whole)
    return start + 1, Pipeline(whole.passes[start:stop])


def _place(option: str, name: str, passes: Pipeline) -> int:
    """How many passes stand up to and including the first of a name, a number or a stage."""
    for i, one in enumerate(passes, 1):
        if name in (one.name, str(i), REACHES.get(type(one))):
            return i
    known = ", ".join(f"{i} {one.name}" for i, one in enumerate(passes, 1)) or "none: name some with -p"
    raise DnncError(Finding(option, f"expected a pass of the pipeline ({known}), not '{name}'.", "E0510"))


def _module(args: Namespace, chunk: str | None) -> tuple[ModuleOp, Context]:
    if chunk is not None:
        ctx = make_context()
        return parse(ctx, chunk, Path(args.file).name if args.file != "-" else "stdin"), ctx
    if args.file.endswith((".onnx", ".dnn")) or not Path(args.file).is_file():
        from dnnc.given import parse_dims

        network = api.load(args.file, parse_dims(args.dim))
        return network.module, network.ctx
    return load(Path(args.file))


def _write(args: Namespace, module: ModuleOp, ctx: Context, out: TextIO) -> None:
    if args.output and args.output.endswith(".dnn"):
        from dnnc.frontend.dsl import save_dnn

        save_dnn(module, ctx, Path(args.output))
    elif args.output:
        save(module, ctx, Path(args.output))
    else:
        print(text_of(module, args.print_op_generic, args.print_debuginfo), end="", file=out)
