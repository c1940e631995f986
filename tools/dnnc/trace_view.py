"""The rows `dnnc trace` shows of a trace, and its export for trace viewers."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from dnnc.backends.npu.trace import Trace, load
from dnnc.ir.diagnostics import DnncError, Finding

Rows = list[dict[str, Any]]


def rows(args: Namespace) -> Rows:
    """The view asked for, of the slice asked for."""
    trace = sliced(args)
    match args.view:
        case "summary":
            return totals(trace)
        case "layers":
            return trace.summary()
        case "stalls":
            return trace.stalls()
        case "timeline":
            return [span for spans in trace.timeline().values() for span in spans[: args.limit]]
    return trace.rows(args.limit)


def exported(args: Namespace) -> str:
    """The slice as events of Chrome and Perfetto."""
    return json.dumps(sliced(args).perfetto()) + "\n"


def sliced(args: Namespace) -> Trace:
    """The part of a trace that the options name."""
    begin, end = _cycles(args.cycles) if args.cycles else (0, None)
    return load(args.file).slice(layer=args.layer, engine=args.engine, begin=begin, end=end)


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
