"""Print the analytical cost report of a network."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc report lenet5.onnx", "dnnc report lenet5.onnx -t edge --json -o lenet5.json", "dnnc report --zoo")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p, required=False)
    arguments.target(p)
    arguments.pipeline(p, "simplify for .onnx, none for text")
    p.add_argument("--zoo", action="store_true", help="table of the networks dnnc builds, against published counts")
    p.add_argument("--csv", action="store_true", help="print CSV")
    p.add_argument("--wide", action="store_true", help="show every column; --json and --csv always have all of them")
    what = "write to a file"
    arguments.file(p, "-o", "--output", metavar="FILE", help=what, endings=(".json", ".csv", ".txt"))
    arguments.json(p)


def run(args: Namespace) -> None:
    """The report of a network, or the table of the example networks."""
    from dnnc import api, given
    from dnnc.ir.diagnostics import DnncError, Finding

    if args.zoo:
        _zoo(args)
        return
    if args.model is None:
        raise DnncError(Finding("dnnc report", "expected a model or --zoo, got neither.", "E0108"))
    network = given.network(args, weights=False)
    asked = given.pipeline(args)
    default = "simplify" if args.model.endswith(".onnx") else ""  # text is reported as it stands
    api.run_passes(network, api.Pipeline(default if asked is None else asked))
    result = network.report(args.target)
    if args.json or args.csv or args.wide or args.output:
        text = result.json() if args.json else result.csv() if args.csv else result.text(args.wide)
        console.write(args.output, text)
    else:
        console.show(result, result.text)


def _zoo(args: Namespace) -> None:
    from dnnc.backends.report.zoo import zoo_json, zoo_table, zoo_text
    from dnnc.frontend.onnx.importer import import_onnx
    from dnnc.zoo import PUBLISHED, ZOO

    rows = zoo_table(ZOO, PUBLISHED, import_onnx)
    console.write(args.output, zoo_json(rows) if args.json else zoo_text(rows))
