"""Say whether a network runs, on which backend, and at what size."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
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

SHOWN = 3  # places named of one reason


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p)
    arguments.target(p)
    arguments.calibrate(p)
    arguments.json(p)


def run(args: Namespace) -> None:
    """What each backend says of the network, without writing anything."""
    from dnnc import given, verdicts

    found = verdicts.check(given.network(args), args.target, given.calibration(args))
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
    lines = [f"{name}: {line}" for name, v in backends.items() for line in (*told_once(v["reasons"]), *v["notes"])]
    if lines:
        console.say("\n" + "\n".join(lines))


def told_once(reasons: Sequence[dict[str, str]]) -> Iterator[str]:
    """A line for each reason, those that say the same of several places in one."""
    places: dict[tuple[str, str], list[str]] = {}
    for r in reasons:
        places.setdefault((r["message"], r["code"]), []).append(r["where"])
    for (message, code), where in places.items():
        more = f" and {len(where) - SHOWN} more" if len(where) > SHOWN else ""
        yield f"{', '.join(where[:SHOWN])}{more}: {message}" + (f" [{code}]" if code else "")
