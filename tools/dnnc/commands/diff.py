"""Compare a network layer by layer: float with int8, and the bits of the C and of the simulator."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = (
    "dnnc diff lenet5.onnx -i digits.npz --calibrate digits.npz",
    "dnnc diff lenet5.onnx -i digits.npz --calibrate digits.npz --on c -o diff.html",
)


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p)
    arguments.target(p)
    what = "inputs, an array each in order; [N, ...] compares N samples"
    arguments.file(p, "-i", "--input", required=True, metavar="X.npz", help=what, endings=arguments.SAMPLES)
    arguments.calibrate(p)
    p.add_argument("--on", default="c,npu", help="executors whose bits are compared with the interpreter's (c,npu)")
    what = "page of the figures and histograms to write"
    arguments.file(p, "-o", "--output", metavar="FILE", help=what, endings=(".html",))
    arguments.json(p)


def run(args: Namespace) -> None:
    """The layers in a table, and the first one whose bits differ."""
    from pathlib import Path

    from dnnc import given
    from dnnc.differences import diff

    found = diff(given.network(args), Path(args.input), args.target, given.calibration(args), args.on.split(","))
    if args.output:
        found.save(args.output)
    if args.json:
        console.json(found.to_dict())
        return
    console.table(*found.table())
    console.say(f"\n{found.samples} sample{'s' if found.samples != 1 else ''}; {found.verdict()}")
    if args.output:
        console.tell(f"{args.output}  {Path(args.output).stat().st_size:,} bytes")
