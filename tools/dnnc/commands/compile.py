"""Compile a network to a program, to C, to IR or to a report."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnc import arguments, console
from dnnc.arguments import Parser

if TYPE_CHECKING:
    from dnnc.api import Network

EXAMPLES = (
    "dnnc compile lenet5.onnx --calibrate digits.npz -o lenet5.npu",
    "dnnc compile lenet5.onnx --emit c -o lenet5.c",
)
ENDINGS = {"npu": "npu", "c": "c", "ir": "mlir"}


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p)
    arguments.target(p)
    p.add_argument("--emit", choices=("npu", "c", "ir", "report"), default="npu", help="what to write (npu)")
    p.add_argument(
        "-o", "--output", help="file to write; by default the model's name here, with the ending of its kind"
    )
    p.add_argument("-p", "--passes", help="pipeline to run in place of the default, as for dnnc-opt")
    arguments.calibrate(p)
    p.add_argument(
        "--dump-after", metavar="PASS", help="print the module after a pass, or after 'all' of them, to stderr"
    )


def run(args: Namespace) -> None:
    """The network compiled into files."""
    from dnnc import api
    from dnnc.dims import parse_dims
    from dnnc.ir.diagnostics import DnncError, Finding

    network = api.load(args.model, parse_dims(args.dim))
    if args.emit == "report":
        _emit_report(args, network)
        return
    output = Path(args.output or f"{network.name}.{ENDINGS[args.emit]}")
    network.name = output.stem  # C's functions and files bear the name asked for
    program = api.compile(network, args.target, args.emit, args.passes, args.calibrate, after=_dumper(args.dump_after))
    if not output.parent.is_dir():
        message = f"expected a folder '{output.parent}', which does not exist. Create it first."
        raise DnncError(Finding(str(output), message))
    for path in program.save(output):
        console.say(f"{path}  {path.stat().st_size:,} bytes")


def _emit_report(args: Namespace, network: Network) -> None:
    from dnnc import api

    api.run_passes(network, api.pipeline_passes(args.passes or "simplify"), args.calibrate, _dumper(args.dump_after))
    report = network.report(args.target)
    ending = Path(args.output).suffix if args.output else ""
    console.write(args.output, {".json": report.json, ".csv": report.csv}.get(ending, report.text)())


def _dumper(name: str | None) -> Callable[[Any, Any], None] | None:
    if name is None:
        return None
    from dnnc.ir.text import text_of

    def after(one: Any, module: Any) -> None:
        if name in ("all", one.name):
            console.note(f"// after {one.name}\n{text_of(module)}")

    return after
