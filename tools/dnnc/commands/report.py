"""Print the cost report of a network, or of its program as it runs."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from dnnc import arguments, console
from dnnc.arguments import Parser

if TYPE_CHECKING:
    from dnnc.backends.report import Report, ScheduleReport

EXAMPLES = (
    "dnnc report lenet5.onnx",
    "dnnc report lenet5.onnx -t edge --json -o lenet5.json",
    "dnnc report lenet5.onnx --calibrate digits.npz",
    "dnnc report lenet5.npu",
    "dnnc report --zoo",
)


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p, False, "network: .onnx, .dnn or .mlir, or a program: .npu", ".npu")
    arguments.target(p, programs=True)
    arguments.pipeline(p, "simplify for .onnx, none for text; those of a program with --compiled")
    what = "compile it first: the bytes, cycles and instructions of each layer as the simulator counts them"
    p.add_argument("--compiled", action="store_true", help=what)
    arguments.calibrate(p)
    p.add_argument("--zoo", action="store_true", help="table of the networks dnnc builds, against published counts")
    p.add_argument("--csv", action="store_true", help="print CSV")
    p.add_argument("--wide", action="store_true", help="show every column; --json and --csv always have all of them")
    what = "write to a file"
    arguments.file(p, "-o", "--output", metavar="FILE", help=what, endings=(".json", ".csv", ".txt"))
    arguments.json(p)


def run(args: Namespace) -> None:
    """The report of a network, or the table of the example networks."""
    from dnnc.ir.diagnostics import DnncError, Finding

    if args.zoo:
        _zoo(args)
        return
    if args.model is None:
        raise DnncError(Finding("dnnc report", "expected a model or --zoo, got neither.", "E0108"))
    program = args.compiled or args.model.endswith(".npu")
    quantized = args.calibrate or args.scheme or args.scheme_out
    result = _compiled(args) if program or quantized else _analytical(args)
    if args.json or args.csv or args.wide or args.output:
        text = result.json() if args.json else result.csv() if args.csv else result.text(args.wide)
        console.write(args.output, text)
    else:
        console.show(result, result.text)


def _analytical(args: Namespace) -> Report:
    """What the network costs by its graph alone."""
    from dnnc import api, given, pipelines

    network = given.network(args, weights=False)
    asked = given.pipeline(args)
    default = "simplify" if args.model.endswith(".onnx") else ""  # text is reported as it stands
    pipelines.run_passes(network, api.Pipeline(default if asked is None else asked))
    return network.report(args.target or api.DEFAULT_TARGET)


def _compiled(args: Namespace) -> ScheduleReport:
    """What its program costs as it runs."""
    from dnnc import api, given, scheduled

    if args.model.endswith(".npu"):
        return scheduled.of_file(args.model, args.target)
    network = given.network(args)
    target = args.target or api.DEFAULT_TARGET
    return api.compile(network, target, "npu", given.pipeline(args), given.calibration(args)).schedule_report()


def _zoo(args: Namespace) -> None:
    from dnnc.backends.report.zoo import zoo_json, zoo_table, zoo_text
    from dnnc.frontend.onnx.importer import import_onnx
    from dnnc.zoo import PUBLISHED, ZOO

    rows = zoo_table(ZOO, PUBLISHED, import_onnx)
    console.write(args.output, zoo_json(rows) if args.json else zoo_text(rows))
