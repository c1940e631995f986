"""`python -m tools.bench.precision NET.onnx --calibrate X.npz`: mixed widths of weights against one width for all, at equal KL.

For each width, of all layers, the divergence of the whole network from its floats on samples held out; then the widths found with
that divergence as the budget, and with each further budget given. Bits are those of weights alone, and of which of its layer's
widths each channel has. What the best uniform width takes is told twice: of the smallest whole width that holds the budget, and
between two widths where log KL would lie on a line.
With `--run` mixed networks also run on the interpreter, as C and on the simulator, and their bits are compared.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from dnnc import api, given, pipelines
from dnnc.ir.diagnostics import DnncError
from dnnc.passes.analysis.choices import Choice
from dnnc.passes.analysis.divergence import mean_divergence
from dnnc.passes.analysis.integer_weights import is_layer
from dnnc.passes.analysis.layers import layers_of
from dnnc.passes.analysis.samples import providing
from dnnc.passes.analysis.scheme import Scheme, exact
from dnnc.passes.mixed_precision import MixedPrecisionPass, Search
from dnnc.schemes import Asked

FRONT = ("simplify", "decompose-lrn", "compose-norms")


@dataclass(frozen=True)
class Uniform:
    """One width for all layers and what it loses."""

    width: int
    kl: float


@dataclass(frozen=True)
class Mixed:
    """Widths found for a budget, and how many bits fewer than uniform ones that is, in percent."""

    budget: float
    kl: float
    bits: float  # a weight
    widths: tuple[int | tuple[int, ...], ...]
    whole: int | None  # the smallest uniform width within the budget
    between: float | None  # the uniform width that would lose what this loses
    fewer: float | None
    fewer_between: float | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison of one network."""
    args = _parser().parse_args(arguments)
    started = time.process_time()
    dims = given.parse_dims(args.dim)
    network = api.load(args.model, dims)
    samples = list(pipelines.as_samples(network, args.calibrate))[: args.samples or None]
    found = compare(network, samples, args.quantizer, args.budgets, args.by)
    if args.run:
        found["runs"] = [run(lambda: api.load(args.model, dims), samples, m, args) for m in found["mixed"]]
    found["cpu_seconds"] = time.process_time() - started
    if args.json:
        print(json.dumps(found))
    else:
        show(args.model, found)
    return 0


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m tools.bench.precision")
    p.add_argument("model")
    p.add_argument("--calibrate", required=True, help="unlabelled samples; every other one is held out")
    p.add_argument("--dim", action="append", default=[], metavar="NAME=VALUE", help="bind a symbolic dimension")
    p.add_argument("--samples", type=int, default=0, help="how many of them (all)")
    p.add_argument("--budgets", type=float, nargs="*", default=[], help="further budgets of KL, in nats")
    p.add_argument("--quantizer", choices=("gptq", "quantize-weights"), default="gptq")
    p.add_argument("--by", choices=("channel", "layer"), default="channel", help="what has a width of its own")
    p.add_argument("--run", type=int, default=0, metavar="N", help="also run N samples on every executor")
    p.add_argument("--target", default=api.DEFAULT_TARGET)
    p.add_argument("--json", action="store_true")
    return p


def compare(
    network: api.Network,
    samples: Sequence[Any],
    quantizer: Any = "gptq",
    more: Sequence[float] = (),
    by: Any = "channel",
) -> dict[str, Any]:
    """Uniform widths with what they lose, and mixed ones for the same losses and for further budgets."""
    pipelines.run_passes(network, api.Pipeline(FRONT))
    options = MixedPrecisionPass(budget_kl=1.0, quantizer=quantizer, by=by)
    with providing(lambda: samples):
        search = Search(network.module, network.ctx, options, samples[::2], samples[1::2])
        uniform = [Uniform(b, search.measured([b] * len(search.rows))) for b in options.widths]
        budgets = sorted({*(u.kl for u in uniform if u.width > options.widths[0]), *more}, reverse=True)
        mixed = [m for kl in budgets if (m := _mixed(search, kl, uniform)) is not None]
    layers = [{"weights": r.weights, "kl": dict(zip(map(str, r.widths), r.losses))} for r in search.rows]
    return {
        "samples": len(samples[::2]),
        "held_out": len(samples[1::2]),
        "layers": layers,
        "uniform": [asdict(u) for u in uniform],
        "mixed": [asdict(m) for m in mixed],
    }


def _mixed(search: Search, budget: float, uniform: Sequence[Uniform]) -> Mixed | None:
    try:
        point = search.within_kl(budget)
    except DnncError:  # below what the widest weights lose
        return None
    weights = sum(r.weights for r in search.rows)
    kl, bits = search.loss(point), float(search.front.cost[point]) / weights
    whole = next((u.width for u in uniform if u.kl <= budget), None)
    between = interpolated(uniform, kl)
    fewer = None if whole is None else 100 * (1 - bits / whole)
    less = None if between is None else 100 * (1 - bits / between)
    return Mixed(budget, kl, bits, tuple(search.widths(point)), whole, between, fewer, less)


def interpolated(uniform: Sequence[Uniform], kl: float) -> float | None:
    """The width, between two measured ones, at which log KL on a straight line is that of `kl`."""
    for a, b in pairwise(uniform):
        if a.kl >= kl >= b.kl > 0:
            t = np.log(a.kl / kl) / np.log(a.kl / b.kl) if a.kl > b.kl else 0.0
            return float(a.width + t * (b.width - a.width))
    return None


def run(load: Callable[[], api.Network], samples: Sequence[Any], mixed: dict[str, Any], args: Any) -> dict[str, Any]:
    """Whether the network of mixed widths, with int8 values between layers, has the same bits on every executor."""
    outputs, divergences = {}, {}
    shown = list(samples)[1 : 2 * args.run : 2]
    stacked = [np.stack([s[i] for s in samples[::2]]) for i in range(len(samples[0]))]
    network = load()
    scheme = scheme_of(network, mixed["widths"], args.quantizer)
    floats = [network.run(*s)[0] for s in shown]
    for emit, pipeline in (("ir", "int8"), ("c", None), ("npu", None)):
        network = load()
        network.asked = Asked(scheme)
        program = api.compile(network, args.target, emit, pipeline, calibrate=stacked)
        outputs[emit] = [program.run(*s) for s in shown]
        divergences[emit] = mean_divergence(floats, [o[0] for o in outputs[emit]])
    same = all(
        np.array_equal(a, b) for e in ("c", "npu") for x, y in zip(outputs["ir"], outputs[e]) for a, b in zip(x, y)
    )
    return {"budget": mixed["budget"], "same_bits": same, "kl_int8": divergences["ir"], "samples": len(shown)}


def scheme_of(network: api.Network, widths: Sequence[int | tuple[int, ...]], quantizer: str) -> Scheme:
    """The scheme that states these widths, as a file would; the network is simplified."""
    pipelines.run_passes(network, api.Pipeline(FRONT))
    named = [x for x in layers_of(network.module) if is_layer(x.op)]
    rules = tuple(
        exact(x, Choice(weights=f"int{b}" if isinstance(b, int) else b)) for x, b in zip(named, widths, strict=True)
    )
    rounds = "gptq" if quantizer == "gptq" else "quantize-weights{bits=8}"
    return Scheme.parse(Scheme(rules, (*FRONT, rounds, "correct-bias", "quantize", "quantize-lower")).text())


def show(model: str, found: dict[str, Any]) -> None:
    """The two tables."""
    console = Console(width=150)
    table = Table(title=f"{Path(model).stem}: one width for all layers, {found['held_out']} samples held out")
    for head in ("bits", "KL [nats]"):
        table.add_column(head, justify="right")
    for u in found["uniform"]:
        table.add_row(str(u["width"]), f"{u['kl']:.3g}")
    console.print(table)
    table = Table(title="mixed widths")
    heads = (
        "KL at most",
        "KL",
        "bits a weight",
        "uniform",
        "fewer bits",
        "uniform at equal KL",
        "fewer bits",
        "widths",
    )
    for head in heads:
        table.add_column(head, justify="right")
    for m in found["mixed"]:
        table.add_row(
            *map(_cell, (m["budget"], m["kl"], m["bits"], m["whole"], m["fewer"], m["between"], m["fewer_between"])),
            " ".join(f"{np.mean(b):.3g}" for b in m["widths"]),
        )
    console.print(table)
    for r in found.get("runs", ()):
        bits = "every bit the same" if r["same_bits"] else "BITS DIFFER"
        told = f"{bits} on interpreter, C and simulator, {r['samples']} samples"
        console.print(f"KL at most {r['budget']:.3g}: {told}; KL with int8 values {r['kl_int8']:.3g}")
    console.print(f"{found['cpu_seconds']:.0f} s CPU")


def _cell(value: float | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3g}"


if __name__ == "__main__":
    raise SystemExit(main())
