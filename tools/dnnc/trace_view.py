"""The rows `dnnc trace` shows of a trace, and its exports for other programs."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from dnnc.backends.npu import exports
from dnnc.backends.npu.levels import LEVELS
from dnnc.backends.npu.page import page
from dnnc.backends.npu.path import by_level, within
from dnnc.backends.npu.perfetto import as_perfetto
from dnnc.backends.npu.replay import PARTS, what_if
from dnnc.backends.npu.trace import Trace, load
from dnnc.ir.diagnostics import DnncError, Finding

Rows = list[dict[str, Any]]
LONG = ("list", "steps", "tiles", "timeline")
NEEDS = {"query": "a SELECT on the table trace", "diff": "another trace"}


def rows(args: Namespace) -> Rows:
    """The view asked for, of the slice asked for."""
    more = _more(args)
    trace = sliced(args, args.file)
    match args.view:
        case "summary":
            return totals(trace)
        case "stacks" | "layers" | "steps" | "tiles":
            return trace.summary(args.view.removesuffix("s"))
        case "stalls":
            return trace.stalls()
        case "timeline":
            return [span for spans in trace.timeline().values() for span in spans[: limit(args)]]
        case "path":
            return by_level(whole := load(args.file), within(whole, trace), args.by)
        case "what-if":
            factors = {part: value for part in PARTS if (value := getattr(args, part)) is not None}
            if not factors:
                options = ", ".join(f"--{part}" for part in PARTS)
                message = f"expected what is faster, one of {options}, found none of them. Say it: --dma 2."
                raise DnncError(Finding("what-if", message, "E0829"))
            return exports.compare(trace, what_if(trace, factors), _summed(args))
        case "query":
            return exports.query(trace, more)
        case "diff":
            return exports.compare(trace, sliced(args, more), _summed(args), (load(args.file), load(more)))
    return trace.rows()


def _summed(args: Namespace) -> str:
    """The level of a comparison; two programs have no instructions in common."""
    if args.by == "instruction":
        message = f"expected one of {', '.join(LEVELS)}, not instruction: two runs are compared."
        raise DnncError(Finding("--by", f"{message} Leave it out, or choose one.", "E0109"))
    return args.by


def _more(args: Namespace) -> str:
    """The word after the view, for those that need one."""
    if args.view in NEEDS and args.more is None:
        raise DnncError(Finding(f"dnnc trace {args.view}", f"expected {NEEDS[args.view]} after it, got none.", "E0108"))
    if args.view not in NEEDS and args.more is not None:
        raise DnncError(Finding(f"dnnc trace {args.view}", f"expected nothing after it, not '{args.more}'.", "E0108"))
    return args.more or ""


def exported(args: Namespace) -> str:
    """The slice in the format that the ending of the output file names: .json, .vcd, .csv or .html."""
    _more(args)
    trace = sliced(args, args.file)
    match Path(args.output or "").suffix:
        case ".vcd":
            return exports.as_vcd(trace)
        case ".csv":
            return exports.as_csv(trace)
        case ".html":
            return page(trace, Path(args.file).name)
        case ".json" | ".txt" | "":
            return json.dumps(as_perfetto(trace)) + "\n"
    raise DnncError(Finding("-o", f"expected a file ending in .json, .vcd, .csv or .html, not {args.output}.", "E0108"))


def sliced(args: Namespace, path: str) -> Trace:
    """The part of a trace that the options name."""
    begin, end = _cycles(args.cycles) if args.cycles else (0, None)
    return load(path).slice(layer=args.layer, engine=args.engine, begin=begin, end=end, stack=args.stack)


def _cycles(text: str) -> tuple[int, int]:
    begin, _, end = text.partition(":")
    if not (begin.isdigit() and end.isdigit()):
        raise DnncError(Finding("--cycles", f"expected FROM:TO in whole cycles, not '{text}'.", "E0119"))
    return int(begin), int(end)


def totals(trace: Trace) -> Rows:
    """One row: cycles and the sums over layers."""
    layers = trace.summary()
    counts = [k for k in (layers[0] if layers else {}) if k not in ("stack", "layer", "start", "end")]
    stacks = len({r["stack"] for r in layers} - {None})
    heads = {"cycles": trace.cycles, "stacks": stacks, "layers": len(layers)}
    return [heads | {k: sum(r[k] for r in layers) for k in counts}]


def limit(args: Namespace) -> int | None:
    """How many rows are shown of a view that may have one for each instruction; None for all of them."""
    long = args.view in LONG or (args.view == "path" and args.by in ("step", "tile", "instruction"))
    return args.limit if long else None
