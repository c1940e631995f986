"""Measure how good a network is on labelled data: classes, pictures or boxes, and how often it agrees with its floats."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = (
    "dnnc eval lenet5.onnx --data digits.npz",
    "dnnc eval lenet5.onnx --data digits.npz --on reference,c --calibrate digits.npz --against float",
)
TASKS = ("classes", "pictures", "boxes")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p)
    arguments.target(p)
    what = "inputs, an array each in order; [N, ...] is N samples"
    arguments.file(p, "--data", required=True, metavar="X.npz", help=what, endings=arguments.SAMPLES)
    what = "what the outputs should be: a file, or the name of an array of the data (labels)"
    arguments.file(p, "--labels", default="labels", metavar="Y.npy", help=what, endings=arguments.SAMPLES)
    what = "what the outputs are: scores of classes, pictures, or boxes [N, 4] as x1, y1, x2, y2 and scores [N] or [N, classes]"
    p.add_argument("--task", choices=TASKS, default=TASKS[0], help=f"{what} ({TASKS[0]})")
    p.add_argument("--on", default="reference", help="executors, of reference, c and npu (reference)")
    arguments.calibrate(p)
    p.add_argument("--against", choices=("float",), help="also compare the first output with that of the float network")
    arguments.json(p)


def run(args: Namespace) -> None:
    """The figures of each executor, a row each."""
    from pathlib import Path

    from dnnc import evaluation, given

    model = given.network(args)
    labels = evaluation.labels_of(Path(args.data), args.labels, args.task)
    against = args.against is not None
    on = args.on.split(",")
    found = evaluation.evaluate(
        model, Path(args.data), labels, args.task, on, args.target, given.calibration(args), against
    )
    if args.json:
        console.json({"model": args.model, "target": args.target, **found})
        return
    rows = found["executors"]
    heads = list(dict.fromkeys(key for row in rows for key in row))
    console.say(f"{found['samples']} sample{'s' if found['samples'] != 1 else ''}, {args.task}\n")
    console.table([h.replace("_", " ") for h in heads], [[_rounded(row.get(h)) for h in heads] for row in rows])


def _rounded(value: object) -> object:
    return f"{value:.5g}" if isinstance(value, float) else value
