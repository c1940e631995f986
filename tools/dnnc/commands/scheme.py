"""Print what each layer of a network is quantized to, and write it as a file to edit."""

from __future__ import annotations

from argparse import Namespace
from glob import escape
from typing import TYPE_CHECKING, Any

from dnnc import arguments, console
from dnnc.arguments import Parser

if TYPE_CHECKING:
    from dnnc.api import Network
    from dnnc.passes.analysis.scheme import Rule
    from dnnc.passes.mixed_precision import Allocation

EXAMPLES = (
    "dnnc scheme lenet5.onnx --calibrate digits.npz -o lenet5.scheme.toml",
    "dnnc scheme lenet5.onnx --calibrate digits.npz --budget-kl 0.01 -o mixed.toml",
    "dnnc scheme lenet5.onnx --calibrate digits.npz --budget-bits 4 --json",
)


def declare(p: Parser) -> None:
    """Its arguments."""
    arguments.model(p)
    arguments.pipeline(p, "int8")
    arguments.budget(p)
    arguments.calibrate(p)
    what = "file to write, which --scheme of other commands reads"
    arguments.file(p, "-o", "--output", metavar="S.toml", help=what, endings=(".toml",))
    arguments.json(p)


def run(args: Namespace) -> None:
    """The layers in a table, and the file."""
    from dnnc import api, given, pipelines, schemes

    network = given.network(args)
    budget = network.asked.budget if network.asked is not None else None
    passes = api.Pipeline(given.pipeline(args) or "int8")
    pipelines.run_passes(network, passes[: schemes.integers(passes)], given.calibration(args))
    found = described(network, budget.found[-1] if budget is not None and budget.found else None)
    if args.output and network.scheme is not None:
        schemes.save(network.scheme, args.output)
    if args.json:
        console.json({"model": args.model, **found})
        return
    _print(found)
    if args.output:
        console.hint(f"Use it: dnnc compile {args.model} --scheme {args.output} ...")


def described(network: Network, allocation: Allocation | None) -> dict[str, Any]:
    """The layers with their types and bits, the totals, and what was measured."""
    scheme = network.scheme
    rules, passes = (scheme.rules, scheme.passes) if scheme is not None else ((), ())
    weights, bits = sum(r.weights for r in rules), sum(r.bits for r in rules)
    facts: dict[str, Any] = {"weights": weights, "bits": bits, "bits_a_weight": bits / weights if weights else None}
    if allocation is not None:
        facts |= {"kl": allocation.kl, "samples": allocation.samples, "held_out": allocation.held_out}
    return {"passes": list(passes), **facts, "layers": [_row(r, allocation) for r in rules]}


def _row(rule: Rule, allocation: Allocation | None) -> dict[str, Any]:
    found: dict[str, Any] = {"layer": rule.pattern}
    found |= {k.replace("_", "-"): list(v) if isinstance(v, tuple) else v for k, v in rule.choice.stated().items()}
    if rule.weights:
        found |= {"count": rule.weights, "bits": rule.bits}
    tables = {} if allocation is None else {escape(x.name): x for x in allocation.layers}
    if rule.pattern in tables:
        found |= {"kl": rule.kl, "table": dict(zip(map(str, tables[rule.pattern].widths), tables[rule.pattern].losses))}
    return found


def _print(found: dict[str, Any]) -> None:
    heads = {"layer": "layer", "activations": "activations", "weights": "weights", "count": "number", "bits": "bits"}
    heads |= {"kl": "KL alone"} if "kl" in found else {}
    widths = list(dict.fromkeys(w for r in found["layers"] for w in r.get("table", ())))
    rows = [
        [_shown(r.get(k)) for k in heads] + [_shown(r.get("table", {}).get(w)) for w in widths] for r in found["layers"]
    ]
    console.table([*heads.values(), *(f"KL at {w}" for w in widths)], rows)
    if found["weights"]:
        console.say(
            f"\n{found['bits_a_weight']:.3f} bits a weight: {found['bits']:,} bits for {found['weights']:,} weights"
        )
    if "kl" in found:
        console.say(
            f"KL {found['kl']:.3g} nats on {found['held_out']} samples held out, widths chosen on {found['samples']}"
        )


def _shown(value: object) -> object:
    if isinstance(value, list) and all(isinstance(x, int) for x in value):
        return f"int{min(value)} to int{max(value)}"
    return f"{value:.2g}" if isinstance(value, float) else value
