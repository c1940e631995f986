"""The report of a compiled network: its program replayed in time by the one backend, shown by the other."""

from __future__ import annotations

from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from dnnc.backends.npu.catalog import target_of
from dnnc.backends.npu.executed import executed
from dnnc.backends.npu.program import Program, load
from dnnc.backends.report.schedule import ScheduleReport, schedule_report
from dnnc.ir.arch import of_module


def of_program(npu: Program, module: ModuleOp, name: str) -> ScheduleReport:
    """What each layer of a compiled network moves, computes and takes, beside the least that its schedule could move."""
    arch = of_module(module)
    return schedule_report(executed(npu, arch), arch, module, name)


def of_file(path: str | Path, target: str | None = None) -> ScheduleReport:
    """What each layer of a program file moves, computes and takes."""
    program = load(Path(path))
    arch = target_of(program, target)
    program.require(arch)
    return schedule_report(executed(program, arch), arch, name=Path(path).stem)
