"""Say whether a network runs, on which backend, and at what size."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc check lenet5.onnx", "dnnc check lenet5.onnx --calibrate digits.npz --json")
SIZES = {
    "weight_bytes": "weights",
    "activation_bytes": "activations",
    "program_bytes": "program",
    "memory_bytes": "memory",
}


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p)
    arguments.target(p)
    arguments.calibrate(p)
    arguments.json(p)


def run(args: Namespace) -> None:
    """What each backend says of the network, without writing anything."""
    from dnnc import given, verdicts

    found = verdicts.check(given.network(args), args.target, args.calibrate)
    if args.json:
        console.json({"model": args.model, **found})
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    for kind in ("input", "output"):
        for port in found[f"{kind}s"]:
            console.say(f"{kind:6} {port['name']}: {port['type']}")
    console.say(f"{found['macs']:,} MACs\n")
    backends = found["backends"]
    head = ["backend", "runs", *(f"{what} [B]" for what in SIZES.values())]
    console.table(head, [[name, v["verdict"], *(v.get(key) for key in SIZES)] for name, v in backends.items()])
    reasons = [f"{name}: {reason}" for name, v in backends.items() for reason in v["reasons"]]
    notes = [f"{name}: {note}" for name, v in backends.items() for note in v["notes"]]
    if reasons or notes:
        console.say("\n" + "\n".join([*reasons, *notes]))
