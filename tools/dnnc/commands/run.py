"""Run a network or a compiled program on inputs from an .npz file."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = (
    "dnnc run lenet5.onnx -i digits.npz",
    "dnnc run lenet5.onnx -i digits.npz --on c -o scores.npz",
    "dnnc run lenet5.onnx -i digits.npz --on npu --calibrate digits.npz --trace lenet5.trace",
)


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p, what="network: .onnx, .dnn or .mlir, or a program: .npu", more=".npu")
    arguments.target(p)
    what = "inputs, by name or in order; [N, ...] runs N samples, and dimensions left open take the arrays' sizes"
    arguments.file(p, "-i", "--input", required=True, metavar="X.npz", help=what, endings=arguments.SAMPLES)
    p.add_argument("--on", choices=("reference", "c", "npu"), help="executor (reference; npu for a .npu program)")
    arguments.calibrate(p)
    what = "array of class indices in the input file; accuracy is printed (labels)"
    p.add_argument("--labels", default="labels", metavar="NAME", help=what)
    arguments.file(p, "-o", "--output", metavar="Y.npz", help="write the outputs here", endings=(".npz",))
    what = "write the trace of the last sample (npu)"
    arguments.file(p, "--trace", metavar="FILE", help=what, endings=(".trace",))
    arguments.json(p)


def run(args: Namespace) -> None:
    """Outputs, and accuracy when the input file has labels."""
    from dnnc import execution

    result = execution.run(args)
    if args.json:
        console.json(result)
    else:
        console.say(execution.described(result))
        if args.trace:
            console.hint(f"See it: dnnc trace {args.trace} layers")
