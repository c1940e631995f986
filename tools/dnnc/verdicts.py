"""What each backend says of a network before it is compiled: what `dnnc check` answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp

from dnnc import api, pipelines
from dnnc.backends.npu.program import Program as NpuFile
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.dnn.attributes import Reals
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp
from dnnc.ir.types import is_float, tensor_text
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.analysis.staircases import arrives_quantized
from dnnc.passes.calibrate import RANGE
from dnnc.passes.pipeline import Pipeline
from dnnc.passes.quantize import QuantizePass

SEED = 0
YES, ONCE_CALIBRATED, NO = "yes", "once calibrated", "no"


@dataclass(frozen=True)
class Answer:
    """What a backend says: its verdict, sizes in bytes, why not, and what a reader should know."""

    verdict: str
    sizes: dict[str, int]
    reasons: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON has it."""
        reasons = [{"where": f.where, "message": f.message, "code": f.code} for f in self.reasons]
        return {"verdict": self.verdict, **self.sizes, "reasons": reasons, "notes": list(self.notes)}


def check(network: api.Network, target: str, samples: api.Samples | None = None) -> dict[str, Any]:
    """The network's ports and work, and for each backend whether it takes the network, and at what size or why not."""
    api.load_target(target)
    simplified = network.clone()
    pipelines.run_passes(simplified, api.Pipeline("simplify"))
    totals = simplified.report(target).totals
    function = main_function(network.module)
    types = function.function_type
    return {
        "target": target,
        "inputs": _ports(network.inputs(), types.inputs.data),
        "outputs": _ports(network.outputs(), types.outputs.data),
        "macs": totals["macs"],
        "backends": {
            "reference": _reference(totals).to_dict(),
            "c": _c(network, target).to_dict(),
            "npu": _npu(network, simplified, target, samples).to_dict(),
        },
    }


def _ports(names: list[str], types: Any) -> list[dict[str, str]]:
    return [{"name": n, "type": tensor_text(t)} for n, t in zip(names, types)]


def _reference(totals: dict[str, Any]) -> Answer:
    weights, live = totals["weight_bytes"], totals["peak_live_bytes"]
    return Answer(YES, {"weight_bytes": weights, "activation_bytes": live, "memory_bytes": weights + live})


def _c(network: api.Network, target: str) -> Answer:
    try:
        program = api.compile(network, target, "c").c
    except DnncError as e:
        return _refused(e)
    assert program is not None
    weights, arena, text = program.weight_bytes, program.arena_bytes, len(program.source.encode())
    sizes = {"weight_bytes": weights, "activation_bytes": arena, "program_bytes": text, "memory_bytes": weights + arena}
    return Answer(YES, sizes)


def _npu(network: api.Network, simplified: api.Network, target: str, samples: api.Samples | None) -> Answer:
    supposed = samples is None and _wants_ranges(simplified.module)
    try:
        if supposed:
            program = _compiled_as_if_calibrated(simplified, target)
        else:
            program = api.compile(network, target, "npu", calibrate=samples)
    except DnncError as e:
        return _refused(e)
    assert program.npu is not None
    sizes = _npu_sizes(program.npu)
    note = _on_chip(program.network.module)
    if not supposed:
        return Answer(YES, sizes, notes=note)
    how = "checked with made-up ranges. Give samples with --calibrate X.npz; without any, ranges are data-free."
    return Answer(ONCE_CALIBRATED, sizes, notes=(how, *note))


def _refused(error: DnncError) -> Answer:
    return Answer(NO, {}, error.findings)


def _npu_sizes(program: NpuFile) -> dict[str, int]:
    regions = {r.name: r.bytes for r in program.regions}
    constants = len(program.weights) + len(program.parameters)
    return {
        "weight_bytes": constants,
        "activation_bytes": sum(regions.values()) - constants,
        "program_bytes": len(program.text) * 16,
        "memory_bytes": sum(regions.values()),
    }


def _on_chip(module: ModuleOp) -> tuple[str, ...]:
    """How full each on-chip memory gets."""
    full: dict[str, int] = {}
    for op in module.walk():
        if isinstance(op, BufferOp) and op.on_chip and op.offset is not None:
            space = op.space.data
            full[space] = max(full.get(space, 0), op.offset.data + buffer_bytes(op))
    return (f"on chip it takes {', '.join(f'{n:,} bytes of {space}' for space, n in full.items())}.",) if full else ()


def _wants_ranges(module: ModuleOp) -> bool:
    """Whether something that multiplies has float operands nobody has calibrated, in a network that has no types yet."""
    return not arrives_quantized(module) and any(
        isinstance(op, ConvOp | MatmulOp) and is_float(op.results[0].type.element_type) and RANGE not in op.attributes  # pyright: ignore
        for op in module.walk()
    )


def _compiled_as_if_calibrated(simplified: api.Network, target: str) -> api.Program:
    passes = Pipeline(pipelines.DEFAULT_PIPELINE["npu"])
    cut = next(i for i, p in enumerate(passes) if isinstance(p, QuantizePass))
    supposed = simplified.clone()
    suppose_ranges(supposed.module)
    return api.compile(supposed, target, "npu", passes[cut:])


def suppose_ranges(module: ModuleOp, seed: int = SEED) -> None:
    """Annotate every float value with a range as samples might give: [-r, r], r in [2, 8), the same for the same seed."""
    rng = np.random.default_rng(seed)
    function = main_function(module)
    for op in function.walk():
        if isinstance(op, DnnOp) and len(op.results) == 1 and is_float(op.results[0].type.element_type):  # pyright: ignore
            op.attributes[RANGE] = _range(rng)
    count = len(function.body.block.args)
    old = function.arg_attrs.data if function.arg_attrs is not None else [DictionaryAttr({})] * count
    function.properties["arg_attrs"] = ArrayAttr(DictionaryAttr({**a.data, RANGE: _range(rng)}) for a in old)


def _range(rng: np.random.Generator) -> Reals:
    r = float(rng.uniform(2, 8))
    return Reals((-r, r))
