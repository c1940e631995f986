"""The report of a compiled network: what each layer of its schedule moves, computes and takes, as the simulator counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.report.column import Column, elided, thousandths
from dnnc.backends.report.memory import MEMORY_COLUMNS
from dnnc.backends.report.planned import Planned, planned
from dnnc.backends.report.sheet import Listing, Sheet
from dnnc.ir.arch import Accelerator
from dnnc.ir.blocked import blocked_notes
from dnnc.passes.analysis.depth_first import runs_stacks
from dnnc.passes.analysis.executed import Executed
from dnnc.passes.analysis.spaces import Space, spaces_of

SCHEDULE_SCHEMA = "dnnc.schedule/2"
"""Raised when a key goes or changes its meaning; new keys leave it alone."""


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

    @property
    def recomputed(self) -> int | None:
        """MACs executed beyond the layer's own."""
        return self.run.macs - self.planned.macs if self.planned else None


@dataclass(frozen=True)
class Lines:
    """Some layers of a program, and sums over them."""

    lines: tuple[Line, ...]

    def sum(self, of: Callable[[Line], int]) -> int:
        """A figure summed over the layers."""
        return sum(map(of, self.lines))

    def planned(self, of: Callable[[Planned], int | None]) -> int | None:
        """A figure of the schedule summed over the layers that have it; none when none has."""
        known = [n for line in self.lines if line.planned and (n := of(line.planned)) is not None]
        return sum(known) if known else None

    def over(self, least: int | None) -> float | None:
        """DRAM bytes / least."""
        return self.sum(lambda line: line.dram) / least if least else None

    @property
    def recomputed(self) -> int | None:
        """MACs executed beyond those of the layers."""
        known = [line.recomputed for line in self.lines if line.recomputed is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class Together(Lines):
    """The layers of a stack."""

    number: int

    @property
    def least(self) -> int | None:
        """Inputs, constants and outputs of the stack, each byte once."""
        return self.planned(lambda p: p.compulsory)


@dataclass(frozen=True)
class Whole(Lines):
    """All layers of a program on a target."""

    arch: Accelerator

    @property
    def stacks(self) -> tuple[Together, ...]:
        """The layers that run depth-first with others, by stack."""
        numbers = dict.fromkeys(line.run.stack for line in self.lines if line.run.stack is not None)
        return tuple(Together(tuple(line for line in self.lines if line.run.stack == n), n) for n in numbers)

    @property
    def fused(self) -> int | None:
        """The least DRAM bytes when each stack is one layer and what stays on chip does not move; none without either."""
        alone = [line.planned for line in self.lines if line.planned and line.run.stack is None]
        stacks = [least for stack in self.stacks if (least := stack.least) is not None]
        least = sum(p.compulsory if p.beside else p.least for p in alone)
        return least + sum(stacks) if stacks or any(p.beside for p in alone) else None


def _ratio(line: Line) -> float | None:
    return line.dram / line.planned.least if line.planned and line.planned.least else None


def _utilisation(macs: int, cycles: int, peak: int) -> float | None:
    return macs / (cycles * peak) if macs and cycles else None


def _worst(n: Whole) -> float | None:
    return max((r for line in n.lines if (r := _ratio(line)) is not None), default=None)


STACK_COLUMNS: tuple[Column[Together], ...] = (
    Column("stack", "stack", "", "Its number.", lambda s: s.number),
    Column(
        "layers",
        "layers",
        "",
        "Its layers, in order.",
        lambda s: ", ".join(r.run.layer for r in s.lines),
        show=elided,
    ),
    Column(
        "steps",
        "steps",
        "",
        "Steps over its output; each takes all layers.",
        lambda s: s.lines[0].planned and s.lines[0].planned.steps,
    ),
    Column("dram_bytes", "DRAM", "B", "Bytes loaded and stored.", lambda s: s.sum(lambda r: r.dram)),
    Column(
        "least_alone_bytes",
        "least layer by layer",
        "B",
        "Least DRAM bytes of its layers, each by itself.",
        lambda s: s.planned(lambda p: p.least),
    ),
    Column("least_bytes", "least as one", "B", "Its inputs, constants and outputs, each byte once.", lambda s: s.least),
    Column("over_least", "DRAM / least", "", "DRAM bytes / least as one.", lambda s: s.over(s.least), show=thousandths),
    Column("kept_bytes", "kept on chip", "B", "Bytes of results that stay.", lambda s: s.planned(lambda p: p.kept)),
    Column("macs", "MACs", "", "Multiply-accumulates executed.", lambda s: s.sum(lambda r: r.run.macs)),
    Column("recomputed_macs", "recomputed MACs", "", "Those beyond what its layers need.", lambda s: s.recomputed),
    Column("cycles", "cycles", "", "Cycles of the critical path.", lambda s: s.sum(lambda r: r.run.cycles)),
)

SCHEDULE_COLUMNS: tuple[Column[Line], ...] = (
    Column(
        "name",
        "layer",
        "",
        "Name of the layer, as instructions and traces have it.",
        lambda r: r.run.layer,
        show=elided,
    ),
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
        lambda r: r.run.stack,
    ),
    Column("macs", "MACs", "", "Multiply-accumulates executed, what is computed twice included.", lambda r: r.run.macs),
    Column(
        "recomputed_macs",
        "recomputed MACs",
        "",
        "Multiply-accumulates executed beyond those of the layer: halos that tiles or steps next to each other compute again; "
        "below 0 where rows that nothing reads are left out.",
        lambda r: r.recomputed,
    ),
    Column("instructions", "instructions", "", "Instructions executed.", lambda r: r.run.instructions),
    Column("dram_read", "DRAM read", "B", "Bytes loaded from DRAM.", lambda r: r.run.dram_read),
    Column("dram_write", "DRAM written", "B", "Bytes stored to DRAM.", lambda r: r.run.dram_write),
    Column("dram_bytes", "DRAM", "B", "Bytes loaded and stored.", lambda r: r.dram, False),
    Column(
        "compulsory_bytes",
        "compulsory",
        "B",
        "Every byte that the layer's copies touch, once: |I| + |W| + |O|, without what a stack hands on.",
        lambda r: r.planned and r.planned.compulsory,
        False,
    ),
    Column(
        "least_bytes",
        "least DRAM",
        "B",
        "Of the layer by itself, max(|I| + |W| + |O|, 2*MACs/sqrt(R*S) words): S words of all on-chip memory, "
        "R = filter size / stride^2 >= 1.",
        lambda r: r.planned and r.planned.least,
    ),
    Column(
        "over_least",
        "DRAM / least",
        "",
        "DRAM bytes / least DRAM bytes; below 1 where tensors are handed on on chip.",
        _ratio,
        show=thousandths,
    ),
    Column(
        "kept_bytes",
        "kept on chip",
        "B",
        "Bytes of the result that later layers read on chip and DRAM never sees; none when it is stored.",
        lambda r: r.planned and r.planned.kept,
    ),
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
    Column("recomputed_macs", "recomputed MACs", "", "Those beyond what the layers need.", lambda n: n.recomputed),
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
    Column(
        "over_least",
        "DRAM / least, layer by layer",
        "",
        "DRAM bytes / least DRAM bytes of all layers by themselves; below 1 where tensors are handed on on chip.",
        lambda n: n.over(n.planned(lambda p: p.least)),
        show=thousandths,
    ),
    Column(
        "worst_over_least",
        "DRAM / least, worst layer",
        "",
        "The largest DRAM / least of a layer.",
        _worst,
        show=thousandths,
    ),
    Column(
        "fused_least_bytes",
        "least DRAM traffic, stacks as one",
        "B",
        "Least DRAM bytes of the layers by themselves, without what stays on chip, and of each stack its inputs, constants "
        "and outputs once; none where nothing is handed on on chip.",
        lambda n: n.fused,
    ),
    Column(
        "over_fused_least",
        "DRAM / least, stacks as one",
        "",
        "DRAM bytes / that; none where nothing is handed on on chip.",
        lambda n: n.over(n.fused),
        show=thousandths,
    ),
    Column(
        "kept_bytes",
        "kept on chip",
        "B",
        "Bytes of results that DRAM never sees; none when all are stored.",
        lambda n: n.planned(lambda p: p.kept),
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
        return (
            Listing("stacks", "layers that run depth-first together", STACK_COLUMNS, self.program.stacks),
            Listing("memory", "memory as planned", MEMORY_COLUMNS, self.memory),
        )

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
    notes = (*_notes(arch, module is None), *(blocked_notes(module) if module is not None else ()))
    return ScheduleReport(name, Whole(lines, arch), notes, tuple(spaces))


def _notes(arch: Accelerator, bare: bool) -> tuple[str, ...]:
    sums = arch.holding("accumulator")
    beside = [r for r in sums.holds if r != "accumulator"]
    shared = f", shared with {', '.join(beside)}" if beside else ""
    notes = [
        "every figure is what the simulator counts: instructions replayed through queues and tokens, without arithmetic.",
        f"partial sums are {arch.array.accumulator_type}, in {sums.name} ({sums.bytes:,} bytes{shared}); none goes to DRAM.",
    ]
    if not runs_stacks(arch):
        one, other = arch.holding("output").name, arch.holding("input").name
        notes.append(
            f"what layers hand on goes through DRAM: they write to {one} and read from {other}, and nothing copies between them."
        )
    if bare:
        notes.append(
            "a program file does not hold its schedule: tiles, least DRAM and memory need the network it was compiled from."
        )
    return tuple(notes)
