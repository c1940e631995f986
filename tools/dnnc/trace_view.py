"""How `dnnc trace` shows a trace: tables as text or JSON, and the export for trace viewers."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from dnnc.backends.npu.trace import Trace, load
from dnnc.ir.diagnostics import DnncError, Finding


def show(args: Namespace) -> str:
    """The view asked for, of the slice asked for."""
    trace = sliced(load(args.file), args)
    if args.view == "export":
        return json.dumps(trace.perfetto())
    rows = {
        "summary": lambda: totals(trace),
        "layers": trace.summary,
        "stalls": trace.stalls,
        "timeline": lambda: [
            {"engine": e, **span} for e, spans in trace.timeline().items() for span in spans[: args.limit]
        ],
        "list": lambda: trace.rows(args.limit),
    }[args.view]()
    return json.dumps(rows, indent=2) if args.json else table(rows)


def sliced(trace: Trace, args: Namespace) -> Trace:
    """The part of a trace that the options name."""
    begin, end = _cycles(args.cycles) if args.cycles else (0, None)
    return trace.slice(layer=args.layer, engine=args.engine, begin=begin, end=end)


def _cycles(text: str) -> tuple[int, int]:
    begin, _, end = text.partition(":")
    if not (begin.isdigit() and end.isdigit()):
        raise DnncError(Finding("--cycles", f"expected FROM:TO in whole cycles, not '{text}'."))
    return int(begin), int(end)


def totals(trace: Trace) -> list[dict[str, Any]]:
    """One row: cycles and the sums over layers."""
    layers = trace.summary()
    sums = {k: sum(r[k] for r in layers) for k in (layers[0] if layers else {}) if isinstance(layers[0][k], int)}
    return [{"cycles": trace.cycles, "layers": len(layers), **{k: v for k, v in sums.items() if k != "cycles"}}]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as an aligned text table."""
    if not rows:
        return "no rows"
    keys = list(rows[0])
    cells = [[_cell(r.get(k)) for k in keys] for r in rows]
    widths = [max(len(k), *(len(c[i]) for c in cells)) for i, k in enumerate(keys)]
    right = [all(isinstance(r.get(k), (int, float)) for r in rows) for k in keys]
    lines = [keys, *cells]
    return "\n".join(
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right)).rstrip() for line in lines
    )


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}" if isinstance(value, float) else str(value)
