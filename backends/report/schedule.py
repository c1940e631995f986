"""The report of a compiled network: what each layer of its schedule moves, computes and takes, as the simulator counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.report.column import Column, thousandths
from dnnc.backends.report.memory import MEMORY_COLUMNS
from dnnc.backends.report.sheet import Listing, Sheet
from dnnc.backends.report.traffic import tiling_bound
from dnnc.ir.arch import Accelerator
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import ComputeOp
from dnnc.ir.types import bits
from dnnc.passes.analysis.executed import Executed
from dnnc.passes.analysis.footprint import buffer_bytes
from dnnc.passes.analysis.group import group_of
from dnnc.passes.analysis.spaces import Space, spaces_of
from dnnc.passes.analysis.steps import steps_in
from dnnc.passes.analysis.traffic import traffic_by_layer

SCHEDULE_SCHEMA = "dnnc.schedule/1"
"""Raised when a key goes or changes its meaning; new keys leave it alone."""


@dataclass(frozen=True)
class Planned:
    """What the schedule says of a layer, and no program does: its tile, its partial sums, the least it could move."""

    compulsory: int
    least: int
    tile: str = ""
    sums: int | None = None
    stack: int | None = None


@dataclass(frozen=True)
class Line:
    """A layer as it runs, beside what the schedule says of it when there is one."""

    run: Executed
    planned: Planned | None
    peak: int

    @property
    def dram(self) -> int:
        """Bytes read and written."""
        return self.run.dram_read + self.run.dram_write

    def busy(self, engine: str) -> int:
        """Busy cycles of an engine."""
        return dict(self.run.busy).get(engine, 0)


@dataclass(frozen=True)
class Whole:
    """All layers of a program on a target."""

    lines: tuple[Line, ...]
    arch: Accelerator

    def sum(self, of: Callable[[Line], int]) -> int:
        """A figure summed over the layers."""
        return sum(map(of, self.lines))

    def planned(self, of: Callable[[Planned], int]) -> int | None:
        """A figure of the schedule summed over the layers."""
        known = [of(line.planned) for line in self.lines if line.planned]
        return sum(known) if known else None


def _ratio(line: Line) -> float | None:
    return line.dram / line.planned.least if line.planned and line.planned.least else None


def _utilisation(macs: int, cycles: int, peak: int) -> float | None:
    return macs / (cycles * peak) if macs and cycles else None


def _worst(n: Whole) -> float | None:
    return max((r for line in n.lines if (r := _ratio(line)) is not None), default=None)


def _over(n: Whole) -> float | None:
    least = n.planned(lambda p: p.least)
    return n.sum(lambda line: line.dram) / least if least else None


SCHEDULE_COLUMNS: tuple[Column[Line], ...] = (
    Column("name", "layer", "", "Name of the layer, as instructions and traces have it.", lambda r: r.run.layer),
    Column("node", "node", "", "The node of the source it comes from.", lambda r: r.run.node or None, False),
    Column(
        "tile",
        "tile",
        "",
        "Output channels x output rows x summed channels of a whole tile; none for a move.",
        lambda r: r.planned.tile or None if r.planned else None,
    ),
    Column(
        "stack",
        "stack",
        "",
        "Number of the stack the layer runs in, depth-first with others; none when it runs by itself.",
        lambda r: r.planned and r.planned.stack,
    ),
    Column(
        "macs", "MACs", "", "Multiply-accumulates executed, halo rows computed twice included.", lambda r: r.run.macs
    ),
    Column("instructions", "instructions", "", "Instructions executed.", lambda r: r.run.instructions),
    Column("dram_read", "DRAM read", "B", "Bytes loaded from DRAM.", lambda r: r.run.dram_read),
    Column("dram_write", "DRAM written", "B", "Bytes stored to DRAM.", lambda r: r.run.dram_write),
    Column("dram_bytes", "DRAM", "B", "Bytes loaded and stored.", lambda r: r.dram, False),
    Column(
        "compulsory_bytes",
        "compulsory",
        "B",
        "|I| + |W| + |O|: every byte that the layer's copies touch, once.",
        lambda r: r.planned and r.planned.compulsory,
        False,
    ),
    Column(
        "least_bytes",
        "least DRAM",
        "B",
        "max(|I| + |W| + |O|, 2*MACs/sqrt(R*S) words): S words of all on-chip memory, R = filter size / stride^2 >= 1.",
        lambda r: r.planned and r.planned.least,
    ),
    Column("over_least", "DRAM / least", "", "DRAM bytes / least DRAM bytes.", _ratio, show=thousandths),
    Column(
        "chip_read", "on-chip read", "B", "Bytes read from on-chip memories by all engines.", lambda r: r.run.chip_read
    ),
    Column("chip_write", "on-chip written", "B", "Bytes written to on-chip memories.", lambda r: r.run.chip_write),
    Column(
        "sum_bytes",
        "partial sums",
        "B",
        "Bytes of partial sums held at once, all copies; they never leave the chip.",
        lambda r: r.planned and r.planned.sums,
        False,
    ),
    *(
        Column(
            f"{engine}_cycles",
            f"{engine} busy",
            "cycles",
            f"Cycles the {what} is busy with the layer.",
            lambda r, engine=engine: r.busy(engine),
            False,
        )
        for engine, what in (
            ("ld", "load queue"),
            ("mm", "matrix unit"),
            ("ppu", "post-processing unit"),
            ("st", "store queue"),
        )
    ),
    Column(
        "utilisation",
        "utilisation",
        "",
        "MACs / (cycles * peak MACs a cycle); above 1 where the layer ran beside others that the run waited for.",
        lambda r: _utilisation(r.run.macs, r.run.cycles, r.peak),
        False,
    ),
    Column(
        "cycles",
        "cycles",
        "",
        "Cycles of the run's critical path that are the layer's; together they are the run's length.",
        lambda r: r.run.cycles,
    ),
)

SCHEDULE_TOTALS: tuple[Column[Whole], ...] = (
    Column("layers", "layers", "", "Layers and moves of the schedule.", lambda n: len(n.lines)),
    Column("macs", "MACs", "", "Multiply-accumulates executed.", lambda n: n.sum(lambda r: r.run.macs)),
    Column("instructions", "instructions", "", "Instructions executed.", lambda n: n.sum(lambda r: r.run.instructions)),
    Column("dram_read", "DRAM read", "B", "Bytes loaded from DRAM.", lambda n: n.sum(lambda r: r.run.dram_read)),
    Column("dram_write", "DRAM written", "B", "Bytes stored to DRAM.", lambda n: n.sum(lambda r: r.run.dram_write)),
    Column("dram_bytes", "DRAM, read and written", "B", "Bytes loaded and stored.", lambda n: n.sum(lambda r: r.dram)),
    Column(
        "compulsory_bytes",
        "compulsory traffic",
        "B",
        "Sum of the layers' compulsory bytes.",
        lambda n: n.planned(lambda p: p.compulsory),
        False,
    ),
    Column(
        "least_bytes",
        "least DRAM traffic, layer by layer",
        "B",
        "Sum of the layers' least DRAM bytes.",
        lambda n: n.planned(lambda p: p.least),
    ),
    Column("over_least", "DRAM / least", "", "DRAM bytes / least DRAM bytes of all layers.", _over, show=thousandths),
    Column(
        "worst_over_least",
        "DRAM / least, worst layer",
        "",
        "The largest DRAM / least of a layer.",
        _worst,
        show=thousandths,
    ),
    Column(
        "chip_read",
        "on-chip read",
        "B",
        "Bytes read from on-chip memories.",
        lambda n: n.sum(lambda r: r.run.chip_read),
    ),
    Column("chip_write", "on-chip written", "B", "Bytes written to them.", lambda n: n.sum(lambda r: r.run.chip_write)),
    Column(
        "utilisation",
        "utilisation",
        "",
        "MACs / (cycles * peak MACs a cycle).",
        lambda n: _utilisation(
            n.sum(lambda r: r.run.macs), n.sum(lambda r: r.run.cycles), n.arch.array.rows * n.arch.array.columns
        ),
    ),
    Column("cycles", "cycles", "", "Length of the run.", lambda n: n.sum(lambda r: r.run.cycles)),
    Column(
        "microseconds",
        "time",
        "us",
        "Cycles / clock in MHz.",
        lambda n: n.sum(lambda r: r.run.cycles) / n.arch.clock_mhz,
    ),
)


@dataclass(frozen=True)
class ScheduleReport(Sheet[Line, Whole]):
    """What a compiled network costs as it runs: integers, equal to what the simulator counts."""

    name: str
    program: Whole
    notes: tuple[str, ...] = ()
    memory: tuple[Space, ...] = ()

    schema = SCHEDULE_SCHEMA
    columns = SCHEDULE_COLUMNS
    total_columns = SCHEDULE_TOTALS

    @property
    def rows(self) -> tuple[Line, ...]:
        return self.program.lines

    @property
    def whole(self) -> Whole:
        return self.program

    @property
    def listings(self) -> tuple[Listing, ...]:
        return (Listing("memory", "memory as planned", MEMORY_COLUMNS, self.memory),)

    @property
    def accelerator(self) -> Accelerator:
        return self.program.arch

    @property
    def title(self) -> str:
        a = self.program.arch
        return f"{self.name} on {a.name}, as it runs: {a.array.rows * a.array.columns} MACs a cycle, {a.clock_mhz} MHz"


def schedule_report(
    runs: Sequence[Executed], arch: Accelerator, module: ModuleOp | None = None, name: str = "network"
) -> ScheduleReport:
    """The report of a program's layers; `module` is the schedule it was made from, which says the tiles, the least, and memory."""
    plans = planned(module, arch) if module is not None else {}
    peak = arch.array.rows * arch.array.columns
    lines = tuple(Line(run, plans.get(run.layer), peak) for run in runs)
    spaces = [s for s in spaces_of(module) if s.occupants] if module is not None else []
    return ScheduleReport(name, Whole(lines, arch), _notes(arch, module is None), tuple(spaces))


def planned(module: ModuleOp, arch: Accelerator) -> dict[str, Planned]:
    """What a schedule says of each layer."""
    found = {n: Planned(t.compulsory, t.compulsory) for n, t in traffic_by_layer(module).items()}
    computes = [op for op in main_function(module).walk() if isinstance(op, ComputeOp)]
    for op in computes:
        found[op.label.data] = _computed(op, found.get(op.label.data, Planned(0, 0)), arch)
    for stack in steps_in(main_function(module)):
        for name in stack.layers:
            # what layers hand on never leaves the chip, so that no bound on a layer alone holds
            found[name] = replace(found[name], stack=stack.number, least=found[name].compulsory)
    return found


def _computed(op: ComputeOp, moved: Planned, arch: Accelerator) -> Planned:
    group = group_of(op.body.block, op.label.data, op.location)
    layer = group.layer
    _, _, z, s, k = op.slices.data
    if moved.tile:  # the first of several computes of a step
        return moved
    tile = f"{z.size}x{s.size}" + (f"x{k.size}" if layer.kind == "dense" else "")
    sums = op.tile("accumulator")
    if layer.kind == "none" or sums is None:
        return replace(moved, tile=tile)
    strides = prod(layer.window.stride)
    chip = sum(m.bytes for m in arch.memory)
    bound = tiling_bound(layer.macs, layer.taps, strides, bits(group.source), chip)
    return Planned(moved.compulsory, max(moved.compulsory, bound), tile, buffer_bytes(sums))


def _notes(arch: Accelerator, bare: bool) -> tuple[str, ...]:
    sums = arch.holding("accumulator")
    beside = [r for r in sums.holds if r != "accumulator"]
    shared = f", shared with {', '.join(beside)}" if beside else ""
    notes = [
        "every figure is what the simulator counts: instructions replayed through queues and tokens, without arithmetic.",
        f"partial sums are {arch.array.accumulator_type}, in {sums.name} ({sums.bytes:,} bytes{shared}); none goes to DRAM.",
    ]
    if bare:
        notes.append(
            "a program file does not hold its schedule: tiles, least DRAM and memory need the network it was compiled from."
        )
    return tuple(notes)
