"""dnnc-opt: read a module (.mlir, .onnx, .dnn), run passes, print it. For tests, bug reports and the curious."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.stages import BY_NAME, check
from dnnc.ir.text import load, parse, read_text, save, text_of
from dnnc.numerics import Checker
from dnnc.passes import pipeline
from dnnc.stimuli import read_stimuli


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="dnnc-opt", description=__doc__)
    p.add_argument(
        "file",
        nargs="?",
        default="-",
        help="module to read: .mlir (weights beside it), .onnx, .dnn, or - for text on stdin",
    )
    p.add_argument(
        "-p", "--passes", default="", help="passes and pipelines, for example 'simplify,fuse-groups{max-ops=4}'"
    )
    p.add_argument("-o", "--output", help="write text (and weights beside it) here instead of printing")
    p.add_argument(
        "--dim", action="append", default=[], metavar="NAME=VALUE", help="bind a symbolic dimension of an ONNX model"
    )
    p.add_argument("--stage", choices=list(BY_NAME), help="check at the end that the module is legal after this stage")
    p.add_argument(
        "--print-after", action="append", default=[], metavar="PASS", help="print the module after a pass, or 'all'"
    )
    p.add_argument(
        "--check-numerics", action="store_true", help="evaluate before and after each pass, stop at a change"
    )
    p.add_argument(
        "--bisect",
        action="store_true",
        help="when a pass changes results or breaks: find the rewrite, write a small network that shows it (-o repro.mlir)",
    )
    p.add_argument("--inputs", metavar="X.npz", help="inputs for --check-numerics and --bisect, in place of drawn ones")
    p.add_argument("--time-passes", action="store_true", help="print CPU seconds of each pass to stderr")
    p.add_argument("--print-op-generic", action="store_true", help="print operations in the generic form")
    p.add_argument("--print-debuginfo", action="store_true", help="print locations")
    p.add_argument(
        "--split-input-file", action="store_true", help="treat parts between '// -----' lines as modules of their own"
    )
    p.add_argument("--verify-diagnostics", action="store_true", help="print errors as text and go on; exit code 0")
    return p


def run(arguments: Sequence[str], stdin: TextIO | None = None, out: TextIO | None = None) -> int:
    """The command on given streams; returns its exit code."""
    args = parser().parse_args(arguments)
    sink: TextIO = out or sys.stdout
    chunks = _chunks(args, stdin or sys.stdin)
    for i, chunk in enumerate(chunks):
        if i:
            print("// -----", file=sink)
        try:
            wrong = _one(args, chunk, sink)
        except DnncError as e:
            if not args.verify_diagnostics:
                print(e, file=sys.stderr)
                return 1
            print(e, file=sink)
        else:
            if wrong:
                return 1
    return 0


def _chunks(args: argparse.Namespace, stdin: TextIO) -> list[str | None]:
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


def _one(args: argparse.Namespace, chunk: str | None, out: TextIO) -> bool:
    """Run the passes on one module; whether `--bisect` found one that goes wrong."""
    if chunk is not None:
        ctx = make_context()
        module = parse(ctx, chunk, Path(args.file).name if args.file != "-" else "stdin")
    elif args.file.endswith(".onnx"):
        from dnnc.frontend.onnx.importer import import_onnx
        from dnnc.given import parse_dims

        ctx = make_context()
        module = import_onnx(Path(args.file), ctx, parse_dims(args.dim))
    elif args.file.endswith(".dnn"):
        from dnnc.frontend.dsl import read_dnn

        ctx = make_context()
        module, _ = read_dnn(args.file, ctx)
    else:
        module, ctx = load(Path(args.file))
    given = read_stimuli(Path(args.inputs), module) if args.inputs else None
    if args.bisect:
        from dnnc.bisect import report

        return report(module, pipeline.parse(args.passes), ctx, given, Path(args.output or "repro.mlir"), out)
    checker = Checker.of(module, ctx, given) if args.check_numerics else None
    clock = time.process_time()

    def after(one, module) -> None:
        nonlocal clock
        if args.time_passes:
            print(f"{one.name:24}{time.process_time() - clock:8.3f} s", file=sys.stderr)
        if "all" in args.print_after or one.name in args.print_after:
            print(f"// after {one.name}\n{text_of(module, args.print_op_generic, args.print_debuginfo)}", file=out)
        if checker is not None:
            checker.after(one, module)
            print("\n".join(checker.log), file=sys.stderr)
            checker.log.clear()
        clock = time.process_time()

    pipeline.run(pipeline.parse(args.passes), module, ctx, after)
    if args.stage:
        check(module, args.stage)
    if args.output and args.output.endswith(".dnn"):
        from dnnc.frontend.dsl import save_dnn

        save_dnn(module, ctx, Path(args.output))
    elif args.output:
        save(module, ctx, Path(args.output))
    else:
        print(text_of(module, args.print_op_generic, args.print_debuginfo), end="", file=out)
    return False


def main() -> None:
    """Entry point of the `dnnc-opt` command."""
    sys.exit(run(sys.argv[1:]))
