"""Run a network or a compiled program on inputs from an .npz file."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = (
    "dnnc run lenet5.onnx -i digits.npz",
    "dnnc run lenet5.onnx -i digits.npz --on npu --calibrate digits.npz --trace lenet5.trace",
)


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p, help="network: .onnx, .dnn or .mlir, or a program: .npu")
    arguments.target(p)
    p.add_argument(
        "-i", "--input", required=True, metavar="X.npz", help="inputs, by name or in order, [N, ...] runs N samples"
    )
    p.add_argument("--on", choices=("reference", "c", "npu"), help="executor (reference; npu for a .npu program)")
    arguments.calibrate(p)
    p.add_argument(
        "--labels", default="labels", help="array of class indices in the input file; accuracy is printed (labels)"
    )
    p.add_argument("-o", "--output", metavar="Y.npz", help="write the outputs here")
    p.add_argument("--trace", metavar="FILE", help="write the trace of the last sample (npu)")
    arguments.json(p)


def run(args: Namespace) -> None:
    """Outputs, and accuracy when the input file has labels."""
    from dnnc import execution

    result, outputs = execution.run(args)
    if args.json:
        console.json(result)
    else:
        console.say(execution.described(result, outputs))
