"""Print the instructions of a program, by layer."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc dis lenet5.npu -o lenet5.s", "dnnc dis lenet5.npu --layer conv1")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.file(p, "file", help="program: .npu", endings=(".npu",))
    p.add_argument("--layer", help="only this layer, without the tables")
    arguments.file(p, "-o", "--output", metavar="FILE", help="write to a file", endings=(".s",))


def run(args: Namespace) -> None:
    """The text, which `dnnc asm` takes back."""
    from dnnc.backends.npu.listing import listing
    from dnnc.backends.npu.program import load

    console.write(args.output, listing(load(args.file), args.layer))
