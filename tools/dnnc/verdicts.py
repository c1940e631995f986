"""What each backend says of a network before it is compiled: what `dnnc check` answers."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from dnnc import api
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.text import weight_keys
from dnnc.ir.weights import store_of


def verdicts(network: api.Network, args: Namespace) -> dict[str, Any]:
    """For each backend whether it takes the network, and at what size or why not."""
    simplified = network.clone()
    api.run_passes(simplified, api.pipeline_passes("simplify"))
    weights = sum(store_of(network.ctx)[k].nbytes for k in weight_keys(simplified.module))
    found: dict[str, Any] = {"reference": {"supported": True, "weight_bytes": weights}}
    return found | {emit: _verdict(network, emit, args) for emit in ("c", "npu")}


def _verdict(network: api.Network, emit: str, args: Namespace) -> dict[str, Any]:
    try:
        program = api.compile(network, args.target, emit, calibrate=args.calibrate)
    except DnncError as e:
        return {"supported": False, "reasons": [str(f) for f in e.findings]}
    if program.c is not None:
        return {"supported": True, "arena_bytes": program.c.arena_bytes, "weight_bytes": program.c.weight_bytes}
    assert program.npu is not None
    return {"supported": True, "instructions": len(program.npu.text), "program_bytes": len(program.npu.to_bytes())}
