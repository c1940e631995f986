"""Read a trace of the simulator."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc trace lenet5.trace layers", "dnnc trace lenet5.trace export -o lenet5.json")


def declare(p: Parser) -> None:
    """Its arguments."""
    p.add_argument("file", help="trace written by `dnnc run --trace`")
    views = ("summary", "layers", "timeline", "stalls", "list", "export")
    p.add_argument("view", nargs="?", default="summary", choices=views, help="what to show (summary)")
    p.add_argument("--layer", help="only this layer")
    p.add_argument("--engine", help="only this engine: LD, MM, PPU, ST")
    p.add_argument("--cycles", metavar="FROM:TO", help="only instructions in this range of cycles")
    p.add_argument("--limit", type=int, default=40, help="rows of `list` (40)")
    p.add_argument("-o", "--output", help="file for `export` (Chrome/Perfetto JSON)")
    arguments.json(p)


def run(args: Namespace) -> None:
    """The view asked for, of the part asked for."""
    from dnnc.trace_view import show

    console.write(args.output, show(args))
