"""Check a program without running it: fields, bounds, tokens, deadlocks, races, bytes read before they are written."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc verify lenet5.npu",)


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.file(p, "file", help="program: .npu", endings=(".npu",))
    arguments.target(p, programs=True)


def run(args: Namespace) -> None:
    """One line when it is sound; else every finding, with instruction, tag and layer."""
    from dnnc.backends.npu.catalog import target_of
    from dnnc.backends.npu.encoding import header
    from dnnc.backends.npu.program import load
    from dnnc.backends.npu.verify import check

    program = load(args.file)
    check(program, target_of(program, args.target))
    layers = len({program.tag(n).layer for n in header(program.text, "tag").tolist()})
    console.say(f"{args.file}: sound, {len(program.text):,} instructions, {layers} layers")
