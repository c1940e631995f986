"""Read a module (.mlir, .onnx, .dnn, or text on stdin), run passes, print it: for tests, bug reports and the curious."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from typing import TextIO

from dnnc.arguments import Parser
from dnnc.warned import warned

EXAMPLES = """examples:
  dnnc-opt lenet5.onnx -p simplify,fuse-groups                 the module after these passes
  dnnc-opt lenet5.onnx -p 'fuse-groups{max-ops=4}' -o x.mlir   text, and the weights beside it
  dnnc-opt lenet5.onnx --pipeline-file mine.dnnp               passes written in a file
  dnnc-opt lenet5.onnx -p simplify,./mine.py:drop_dropout      a function of your own, see docs/pipelines.md
  dnnc-opt lenet5.onnx -p simplify --diff-after all --stats    what each pass changed
  dnnc-opt lenet5.onnx -p fuse --save-after steps/             a file for each pass: steps/01-fold-constants.mlir, ..
  dnnc-opt steps/07-dce.mlir -p fuse --start-after 7           go on from one of them
  cat x.mlir | dnnc-opt - -p cse                               text through a pipe
"""


def parser() -> Parser:
    """The command line."""
    p = Parser(prog="dnnc-opt", description=__doc__, epilog=EXAMPLES)
    p.add_argument(
        "file",
        nargs="?",
        default="-",
        help="module to read: .mlir (weights beside it), .onnx, .dnn, or - for text on stdin",
    )
    p.add_argument("-o", "--output", help="write text (and weights beside it) here instead of printing")
    p.add_argument(
        "--dim", action="append", default=[], metavar="NAME=VALUE", help="bind a symbolic dimension of an ONNX model"
    )
    _passes(p.add_argument_group("passes"))
    _checks(p.add_argument_group("checks"))
    _shown(p.add_argument_group("what is shown"))
    return p


def _passes(p: argparse._ArgumentGroup) -> None:
    which = p.add_mutually_exclusive_group()
    which.add_argument(
        "-p", "--passes", default="", help="passes and pipelines, for example 'simplify,fuse-groups{max-ops=4}'"
    )
    which.add_argument("--pipeline-file", metavar="FILE.dnnp", help="the same in a file: several lines, # comments")
    where = "a pass by name or number in the pipeline, or the stage it reaches"
    p.add_argument("--start-after", metavar="PASS", help=f"leave out the passes up to this one: {where}")
    p.add_argument("--stop-after", metavar="PASS", help="leave out the passes behind this one")
    p.add_argument("--save-after", metavar="DIR", help="write the module after each pass to a file of this folder")


def _checks(p: argparse._ArgumentGroup) -> None:
    p.add_argument(
        "--verify-each",
        action=argparse.BooleanOptionalAction,
        help="verify the module after each pass (always done), also that its text reads back the same and its weights exist; "
        "with --no-verify-each only once, after the last pass",
    )
    p.add_argument("--stage", metavar="STAGE", help="check at the end that the module is legal after this stage")
    p.add_argument(
        "--check-numerics", action="store_true", help="evaluate before and after each pass, stop at a change"
    )
    p.add_argument(
        "--bisect",
        action="store_true",
        help="when a pass changes results or breaks: find the rewrite, write a small network that shows it (-o repro.mlir)",
    )
    p.add_argument("--inputs", metavar="X.npz", help="inputs for --check-numerics and --bisect, in place of drawn ones")
    p.add_argument("--verify-diagnostics", action="store_true", help="print errors as text and go on; exit code 0")


def _shown(p: argparse._ArgumentGroup) -> None:
    p.add_argument(
        "--print-after", action="append", default=[], metavar="PASS", help="print the module after a pass, or 'all'"
    )
    p.add_argument(
        "--diff-after",
        action="append",
        default=[],
        metavar="PASS",
        help="the lines a pass, or 'all', changed, to stderr",
    )
    p.add_argument("--stats", action="store_true", help="operations, weight bytes and MACs after each pass, to stderr")
    p.add_argument("--time-passes", action="store_true", help="print CPU seconds of each pass to stderr")
    p.add_argument("--print-op-generic", action="store_true", help="print operations in the generic form")
    p.add_argument("--print-debuginfo", action="store_true", help="print locations")
    p.add_argument(
        "--split-input-file", action="store_true", help="treat parts between '// -----' lines as modules of their own"
    )


def run(arguments: Sequence[str], stdin: TextIO | None = None, out: TextIO | None = None) -> int:
    """The command on given streams; returns its exit code."""
    command = parser()
    args, rest = command.parse_known_args(arguments)
    if rest:
        command.unknown(rest)
    from dnnc.transform import transform

    with warned("dnnc-opt"):
        return transform(args, stdin or sys.stdin, out or sys.stdout)


def main() -> None:
    """Entry point of the `dnnc-opt` command."""
    # As in `dnnc`
    gc.set_threshold(100_000)
    sys.exit(run(sys.argv[1:]))
