"""Read a trace of the simulator."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = (
    "dnnc trace lenet5.trace layers",
    "dnnc trace lenet5.trace list --layer conv1 --engine mm --limit 5",
    "dnnc trace lenet5.trace export -o lenet5.json",
    "dnnc trace lenet5.trace export -o lenet5.html",
    "dnnc trace lenet5.trace path",
    "dnnc trace lenet5.trace what-if --dma 2",
    "dnnc trace lenet5.trace query 'SELECT layer, sum(bytes) AS bytes FROM trace GROUP BY layer'",
    "dnnc trace lenet5.trace diff before.trace",
)
VIEWS = ("summary", "layers", "timeline", "stalls", "list", "path", "what-if", "query", "diff", "export")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.file(p, "file", help="trace written by `dnnc run --trace`", endings=(".trace",))
    what = "what to show (summary); path: what sets the length; export: by the ending of -o, .json for Perfetto and "
    what += "Chrome, .vcd for wave viewers, .csv, or .html, a page"
    p.add_argument("view", nargs="?", default="summary", choices=VIEWS, help=what)
    p.add_argument("more", nargs="?", help="query: SQL on the table trace; diff: the trace to compare with")
    p.add_argument("--layer", help="only this layer")
    p.add_argument("--engine", help="only this engine: ld, mm, ppu, st, ctrl")
    p.add_argument("--cycles", metavar="FROM:TO", help="only instructions in this range of cycles")
    p.add_argument(
        "--limit", metavar="N", type=int, default=40, help="rows of list, and of each engine in timeline (40)"
    )
    for part, name in (("dma", "transfers"), ("mm", "the matrix unit"), ("ppu", "the post-processing unit")):
        p.add_argument(f"--{part}", metavar="X", type=float, help=f"what-if: {name} X times as fast")
    endings = (".json", ".vcd", ".csv", ".html", ".txt")
    arguments.file(p, "-o", "--output", metavar="FILE", help="write to a file", endings=endings)
    arguments.json(p)


def run(args: Namespace) -> None:
    """The view asked for, of the part asked for."""
    from dnnc import trace_view

    if args.view == "export":
        console.write(args.output, trace_view.exported(args))
        return
    rows = trace_view.rows(args)
    if args.json:
        console.write(args.output, console.json_text(rows))
        return
    head, cells = list(rows[0]) if rows else [], [list(row.values()) for row in rows]
    if args.output:
        console.write(args.output, console.table_text(head, cells))
    elif rows:
        console.table(head, cells)
    else:
        console.say("no rows")
