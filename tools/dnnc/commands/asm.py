"""Assemble a text into a program of the NPU."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc asm lenet5.s --like lenet5.npu -o lenet5.npu",)


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.file(p, "file", help="text as `dnnc dis` prints it", endings=(".s",))
    arguments.target(p, programs=True)
    what = "take weights, parameters and host functions from this program"
    arguments.file(p, "--like", metavar="X.npu", help=what, endings=(".npu",))
    p.add_argument("--unchecked", action="store_true", help="write it even when `dnnc verify` finds something")
    arguments.file(p, "-o", "--output", metavar="X.npu", required=True, help="the program file", endings=(".npu",))


def run(args: Namespace) -> None:
    """The program written, verified."""
    from pathlib import Path

    from dnnc import api
    from dnnc.backends.npu import listing
    from dnnc.backends.npu.catalog import target_of
    from dnnc.backends.npu.program import load
    from dnnc.backends.npu.verify import check

    like = load(args.like) if args.like else None
    arch = api.load_target(args.target or api.DEFAULT_TARGET) if like is None else target_of(like, args.target)
    program = listing.program(Path(args.file).read_text("utf-8"), arch, like, args.file)
    if not args.unchecked:
        check(program, arch)
    program.save(args.output)
    console.tell(f"{args.output}  {len(program.text):,} instructions")
