"""Print the analytical cost report of a network."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc report lenet5.onnx", "dnnc report lenet5.onnx -t edge --json", "dnnc report --zoo")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p, required=False)
    arguments.target(p)
    p.add_argument("-p", "--passes", help="pipeline to run first (simplify for .onnx, none for .mlir)")
    p.add_argument("--zoo", action="store_true", help="table of the networks dnnc builds, against published counts")
    p.add_argument("--csv", action="store_true", help="print CSV")
    p.add_argument("--wide", action="store_true", help="show every column; --json and --csv always have all of them")
    p.add_argument("-o", "--output", help="write to a file")
    arguments.json(p)


def run(args: Namespace) -> None:
    """The report of a network, or the table of the example networks."""
    from dnnc import api
    from dnnc.dims import parse_dims
    from dnnc.ir.diagnostics import DnncError, Finding

    if args.zoo:
        _zoo(args)
        return
    if args.model is None:
        raise DnncError(Finding("dnnc report", "expected a model or --zoo, got neither."))
    network = api.load(args.model, parse_dims(args.dim), weights=False)
    default = "simplify" if args.model.endswith(".onnx") else ""  # text is reported as it stands
    api.run_passes(network, api.pipeline_passes(default if args.passes is None else args.passes))
    result = network.report(args.target)
    console.write(args.output, result.json() if args.json else result.csv() if args.csv else result.text(args.wide))


def _zoo(args: Namespace) -> None:
    from dnnc.backends.report.zoo import zoo_json, zoo_table, zoo_text
    from dnnc.frontend.onnx.importer import import_onnx
    from dnnc.zoo import PUBLISHED, ZOO

    rows = zoo_table(ZOO, PUBLISHED, import_onnx)
    console.write(args.output, zoo_json(rows) if args.json else zoo_text(rows))
