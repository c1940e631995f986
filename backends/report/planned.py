"""What the schedule says of each layer, and no program does: its tile, the least it could move, what stays on chip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.report.traffic import tiling_bound
from dnnc.ir.arch import Accelerator
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import ComputeOp, Slice, ViewOp, loops_around
from dnnc.ir.types import bits
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.analysis.group import Group, group_of
from dnnc.passes.analysis.layer import Layer
from dnnc.passes.analysis.steps import steps_in
from dnnc.passes.analysis.traffic import LayerTraffic, covered, traffic_by_layer


@dataclass(frozen=True)
class Planned:
    """A layer of a schedule: bytes its copies touch once, the least it could move by itself, MACs of the sums it needs.

    Of a layer of a stack also how many steps the stack has; of one whose result never leaves the chip, the bytes of that;
    `beside` says whether it reads or makes a value that stays on chip after it.
    """

    compulsory: int
    least: int
    macs: int = 0
    tile: str = ""
    sums: int | None = None
    steps: int | None = None
    kept: int | None = None
    beside: bool = False


def planned(module: ModuleOp, arch: Accelerator) -> dict[str, Planned]:
    """What a schedule says of each layer."""
    moved = traffic_by_layer(module)
    found = {name: Planned(t.compulsory, t.compulsory) for name, t in moved.items()}
    computes = {op.label.data: op for op in reversed([*main_function(module).walk()]) if isinstance(op, ComputeOp)}
    groups = {name: group_of(op.body.block, name, op.location) for name, op in computes.items()}
    for stack in steps_in(main_function(module)):
        steps = prod(len(loop.values) for loop in stack.loops)
        for name in stack.layers:
            traffic = moved.get(name, LayerTraffic())
            kept = _bytes(groups[name].layer, "output") * (not traffic.traffic.write)
            found[name] = replace(_alone(groups[name].layer, traffic), steps=steps, kept=kept)
    for name, op in computes.items():
        if whole := {role.data for role, tile in zip(op.roles, op.tiles) if isinstance(tile.owner, ViewOp)}:
            last = found[name] if name in found and found[name].steps else None
            kept = _bytes(groups[name].layer, "output") if "output" in whole else last and last.kept
            alone = last or _alone(groups[name].layer, moved.get(name, LayerTraffic()))
            found[name] = replace(alone, kept=kept, beside=True)
    for name, op in computes.items():
        found[name] = _computed(op, groups[name], found.get(name, Planned(0, 0)), arch)
    return found


def _alone(layer: Layer, moved: LayerTraffic) -> Planned:
    """A layer that hands on tensors on chip: by itself it would read its operands and store its result."""
    read = layer.rows(0, layer.out[0]).input[1] * layer.span(1, 0, layer.out[1]).input[1]
    operands = layer.N * layer.groups * layer.C * read * layer.bytes_of("input")
    if layer.second is not None:
        operands += _bytes(layer, "second")
    result = _bytes(layer, "output")
    return Planned(moved.compulsory, moved.constants + operands + result)


def _bytes(layer: Layer, role: str) -> int:
    return prod(layer.sizes(role).values()) * layer.bytes_of(role)


def _computed(op: ComputeOp, group: Group, moved: Planned, arch: Accelerator) -> Planned:
    layer = group.layer
    _, _, z, s, k = op.slices.data
    tile = f"{z.size}x{s.size}" + (f"x{k.size}" if layer.kind == "dense" else "")
    sums = op.tile("accumulator")
    macs = _needed_macs(op, layer)
    if layer.kind == "none" or sums is None:
        return replace(moved, tile=tile, macs=macs)
    strides = prod(layer.window.stride)
    chip = sum(m.bytes for m in arch.memory)
    bound = tiling_bound(macs, layer.taps, strides, bits(group.source), chip)
    return replace(moved, least=max(moved.least, bound), macs=macs, tile=tile, sums=buffer_bytes(sums))


def _needed_macs(op: ComputeOp, layer: Layer) -> int:
    """MACs of the sums that some tile makes, each once: strides of what reads them may step over the last ones."""
    part = op.held("output")
    if layer.kind == "none" or (not layer.pooled and part is None):
        return layer.macs
    rows = covered(layer.rows(*at).sums for at in _tiles(op, op.slices.data[3]))
    columns = layer.sums[1]
    if part is not None:
        columns = covered(layer.span(1, *at).sums for at in _tiles(op, part.data[1]))
    return layer.macs // prod(layer.sums) * rows * columns


def _tiles(op: ComputeOp, s: Slice) -> set[tuple[int, int]]:
    """(first, count) of a slice in all steps of the loops around a compute, where it has any."""
    values = loops_around(op)[s.loop].values if s.loop >= 0 else (0,)
    return {at for i in values if (at := s.at(i))[1]}
