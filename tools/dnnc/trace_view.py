"""The rows `dnnc trace` shows of a trace, and its exports for other programs."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from dnnc.backends.npu import exports
from dnnc.backends.npu.page import page
from dnnc.backends.npu.path import by_layer, critical_path
from dnnc.backends.npu.replay import PARTS, what_if
from dnnc.backends.npu.trace import Trace, load
from dnnc.ir.diagnostics import DnncError, Finding

Rows = list[dict[str, Any]]
NEEDS = {"query": "a SELECT on the table trace", "diff": "another trace"}


def rows(args: Namespace) -> Rows:
    """The view asked for, of the slice asked for."""
    more = _more(args)
    trace = sliced(args, args.file)
    match args.view:
        case "summary":
            return totals(trace)
        case "layers":
            return trace.summary()
        case "stalls":
            return trace.stalls()
        case "timeline":
            return [span for spans in trace.timeline().values() for span in spans[: args.limit]]
        case "path":
            return by_layer(trace, critical_path(trace))
        case "what-if":
            factors = {part: value for part in PARTS if (value := getattr(args, part)) is not None}
            if not factors:
                options = ", ".join(f"--{part}" for part in PARTS)
                message = f"expected what is faster, one of {options}, found none of them. Say it: --dma 2."
                raise DnncError(Finding("what-if", message, "E0829"))
            return exports.compare(trace, what_if(trace, factors))
        case "query":
            return exports.query(trace, more)
        case "diff":
            return exports.compare(trace, sliced(args, more))
    return trace.rows(args.limit)


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
            return json.dumps(trace.perfetto()) + "\n"
    raise DnncError(Finding("-o", f"expected a file ending in .json, .vcd, .csv or .html, not {args.output}.", "E0108"))


def sliced(args: Namespace, path: str) -> Trace:
    """The part of a trace that the options name."""
    begin, end = _cycles(args.cycles) if args.cycles else (0, None)
    return load(path).slice(layer=args.layer, engine=args.engine, begin=begin, end=end)


def _cycles(text: str) -> tuple[int, int]:
    begin, _, end = text.partition(":")
    if not (begin.isdigit() and end.isdigit()):
        raise DnncError(Finding("--cycles", f"expected FROM:TO in whole cycles, not '{text}'.", "E0119"))
    return int(begin), int(end)


def totals(trace: Trace) -> Rows:
    """One row: cycles and the sums over layers."""
    layers = trace.summary()
    counts = [k for k in (layers[0] if layers else {}) if k not in ("layer", "start", "end")]
    return [{"cycles": trace.cycles, "layers": len(layers), **{k: sum(r[k] for r in layers) for k in counts}}]
