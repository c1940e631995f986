"""Read a trace of the simulator."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = (
    "dnnc trace lenet5.trace stacks",
    "dnnc trace lenet5.trace layers",
    "dnnc trace lenet5.trace list --layer conv1 --engine mm --limit 5",
    "dnnc trace lenet5.trace export -o lenet5.json",
    "dnnc trace lenet5.trace export -o lenet5.html",
    "dnnc trace lenet5.trace path",
    "dnnc trace lenet5.trace path --by instruction --limit 5",
    "dnnc trace lenet5.trace what-if --dma 2",
    "dnnc trace lenet5.trace query 'SELECT layer, sum(bytes) AS bytes FROM trace GROUP BY layer'",
    "dnnc trace lenet5.trace diff before.trace",
)
VIEWS = (
    "summary",
    "stacks",
    "layers",
    "steps",
    "tiles",
    "timeline",
    "stalls",
    "list",
    "path",
    "what-if",
    "query",
    "diff",
    "export",
)


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.file(p, "file", help="trace written by `dnnc run --trace`", endings=(".trace",))
    what = (
        "what to show (summary); stacks: layers that run together; steps: of them; path: what sets the length; export: "
    )
    what += "by the ending of -o, .json for Perfetto and Chrome, .vcd for wave viewers, .csv, or .html, a page"
    p.add_argument("view", nargs="?", default="summary", choices=VIEWS, help=what)
    p.add_argument("more", nargs="?", help="query: SQL on the table trace; diff: the trace to compare with")
    p.add_argument("--stack", metavar="N", type=int, help="only the stack of this number")
    p.add_argument("--layer", help="only this layer")
    p.add_argument("--engine", help="only this engine: ld, mm, ppu, st, ctrl")
    p.add_argument("--cycles", metavar="FROM:TO", help="only instructions in this range of cycles")
    what = "path, diff and what-if: what is summed (layer); tiles and instructions of a path come by falling cycles"
    p.add_argument("--by", choices=("stack", "layer", "step", "tile", "instruction"), default="layer", help=what)
    what = "rows of list, steps and tiles, of a path by them, and of each engine in timeline (40)"
    p.add_argument("--limit", metavar="N", type=int, default=40, help=what)
    whats = (
        "X times the bandwidth off chip",
        "the matrix unit X times as fast",
        "the post-processing unit X times as fast",
    )
    for part, what in zip(("dma", "mm", "ppu"), whats):
        p.add_argument(f"--{part}", metavar="X", type=float, help=f"what-if: {what}")
    endings = (".json", ".vcd", ".csv", ".html", ".txt")
    arguments.file(p, "-o", "--output", metavar="FILE", help="write to a file", endings=endings)
    arguments.json(p)


def run(args: Namespace) -> None:
    """The view asked for, of the part asked for."""
    from dnnc import trace_view
    from dnnc.backends.report.column import elided

    if args.view == "export":
        console.write(args.output, trace_view.exported(args))
        return
    found = trace_view.rows(args)
    rows = found[: trace_view.limit(args)] if args.view != "timeline" else found
    if len(rows) < len(found):
        console.hint(f"The first {len(rows):,} of {len(found):,} rows; --limit N shows more.")
    if args.json:
        console.write(args.output, console.json_text(rows))
        return
    # a column of a network without stacks says nothing
    head = [key for key in (rows[0] if rows else ()) if any(row[key] is not None for row in rows)]
    names = ("layer", "layers")
    cells = [[elided(row[key]) if key in names else row[key] for key in head] for row in rows]
    if args.output:
        console.write(args.output, console.table_text(head, cells))
    elif rows:
        console.table(head, cells)
    else:
        console.say("no rows")
