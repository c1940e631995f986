"""Say whether a network compiles, for which backend, and at what size."""

from __future__ import annotations

from argparse import Namespace

from dnnc import arguments, console
from dnnc.arguments import Parser

EXAMPLES = ("dnnc check lenet5.onnx", "dnnc check lenet5.onnx --calibrate digits.npz --json")


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p)
    arguments.target(p)
    arguments.calibrate(p)
    arguments.json(p)


def run(args: Namespace) -> None:
    """What each backend says of the network, without writing anything."""
    from dnnc import api
    from dnnc.dims import parse_dims
    from dnnc.verdicts import verdicts

    network = api.load(args.model, parse_dims(args.dim))
    found = verdicts(network, args)
    if args.json:
        console.json({"model": args.model, "target": args.target, "backends": found})
        return
    console.say(api.describe(network))
    for name, v in found.items():
        facts = ", ".join(f"{k.replace('_', ' ')} {x:,}" for k, x in v.items() if k not in ("supported", "reasons"))
        console.say(f"{name:10}{'yes' if v['supported'] else 'no'}{'  ' + facts if facts else ''}")
        for reason in v.get("reasons", ()):
            console.say(f"{'':10}{reason}")
