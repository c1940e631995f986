"""Run a network or a compiled program on inputs from an .npz file."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = (
    "dnnc run lenet5.onnx -i digits.npz",
    "dnnc run lenet5.onnx -i digits.npz --on c -o scores.npz",
    "dnnc run lenet5.onnx -i digits.npz --on npu --calibrate digits.npz --trace lenet5.trace",
    "dnnc run lenet5.onnx -i digits.npz --on npu --calibrate digits.npz --check",
    "dnnc run lenet5.npu -i digits.npz --jobs 2 --traces traces",
    "dnnc run lenet5.npu --timing-only",
    "dnnc run lenet5.npu -i digits.npz --until layer=conv2 --dump scratchpad=scratchpad.npy",
)


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p, what="network: .onnx, .dnn or .mlir, or a program: .npu", more=".npu")
    arguments.target(p, programs=True)
    what = "inputs, by name or in order; [N, ...] runs N samples, and dimensions left open take the arrays' sizes"
    arguments.file(p, "-i", "--input", metavar="X.npz", help=what, endings=arguments.SAMPLES)
    p.add_argument("--on", choices=("reference", "c", "npu"), help="executor (reference; npu for a .npu program)")
    arguments.calibrate(p)
    what = "array of class indices in the input file; accuracy is printed (labels)"
    p.add_argument("--labels", default="labels", metavar="NAME", help=what)
    arguments.file(p, "-o", "--output", metavar="Y.npz", help="write the outputs here", endings=(".npz",))
    _simulator(p)
    arguments.json(p)


def _simulator(p: Parser) -> None:
    group = p.add_argument_group("simulator (npu)")
    what = "compare every store with the interpreter's tensors, byte by byte, and stop at the first wrong tile"
    group.add_argument("--check", action="store_true", help=what)
    what = "another order of the instructions, of those the queues leave open; the results are the same"
    group.add_argument("--seed", type=arguments.count, metavar="N", help=what)
    what = "cycles and bytes by layer without arithmetic; needs no inputs"
    group.add_argument("--timing-only", action="store_true", help=what)
    group.add_argument("--jobs", type=arguments.count, metavar="N", help="samples run in up to N processes")
    what = "run the first sample until layer=NAME, instruction=N or cycle=N"
    group.add_argument("--until", type=arguments.place, metavar="PLACE", help=what)
    what = (
        "write a memory as it is then, or at the end: a memory on chip, a region, an input or output; .npy or raw bytes"
    )
    dump = group.add_argument("--dump", type=arguments.named_file, action="append", metavar="NAME=FILE", help=what)
    dump.default = []
    action = group.add_argument("--trace", metavar="FILE", help="write the trace of the last sample")
    action.endings = (".trace",)  # pyright: ignore[reportAttributeAccessIssue]
    group.add_argument("--traces", metavar="FOLDER", help="write the trace of each sample here, by its number")


def run(args: Namespace) -> None:
    """Outputs, and accuracy when the input file has labels."""
    from dnnc import execution

    result = execution.run(args)
    if args.json:
        console.json(result)
    else:
        console.say(execution.described(result))
        if args.timing_only:
            from dnnc.simulation import table

            console.table(*table(result["layers"]))
        if args.trace:
            console.hint(f"See it: dnnc trace {args.trace} layers")
