"""The report of a compiled network: its program replayed in time by the one backend, shown by the other."""

from __future__ import annotations

from pathlib import Path

from dnnc import api
from dnnc.backends.npu.executed import executed
from dnnc.backends.npu.program import load
from dnnc.backends.report.schedule import ScheduleReport, schedule_report
from dnnc.ir.diagnostics import DnncError, Finding


def of_program(program: api.Program) -> ScheduleReport:
    """What each layer of a compiled network moves, computes and takes, beside the least it could move."""
    if program.npu is None:
        raise DnncError(Finding("report", f"expected a program, not '{program.emit}'. Compile with emit npu.", "E0108"))
    arch = api.load_target(program.target)
    return schedule_report(executed(program.npu, arch), arch, program.network.module, program.network.name)


def of_file(path: str | Path, target: str) -> ScheduleReport:
    """What each layer of a program file moves, computes and takes."""
    program, arch = load(Path(path)), api.load_target(target)
    program.require(arch)
    return schedule_report(executed(program, arch), arch, name=Path(path).stem)
