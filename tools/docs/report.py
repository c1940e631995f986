"""The page of the report's figures, from its columns and totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dnnc.backends.report.column import Column
from dnnc.backends.report.columns import COLUMNS
from dnnc.backends.report.memory import MEMORY_COLUMNS
from dnnc.backends.report.schedule import SCHEDULE_COLUMNS, SCHEDULE_TOTALS, STACK_COLUMNS
from dnnc.backends.report.totals import TOTALS
from dnnc.backends.report.zoo import ZOO_COLUMNS
from tools.docs.markdown import literal, page, table


def columns(declared: Sequence[Column[Any]]) -> str:
    """A row for each figure."""
    return table(
        ["key", "heading", "unit", "definition"], ([literal(c.key), c.header, c.unit or "", c.doc] for c in declared)
    )


def text() -> str:
    """The page."""
    return page(
        "Report",
        "`backends/report/columns.py`, `totals.py`, `schedule.py`, `memory.py` and `zoo.py`",
        "`dnnc report MODEL` prints the figures of each layer and of the network; `--json` and `--csv` have all of them.",
        "## Of a layer",
        columns(COLUMNS),
        "## Of a network",
        columns(TOTALS),
        "## Of a compiled network (`dnnc report MODEL --calibrate X.npz`, `--compiled`, or `dnnc report PROGRAM.npu`)",
        "Every figure that a program has equals what the simulator counts, as integers: its instructions are replayed through "
        "the queues with the cycles of `passes/analysis/timing.py`, without arithmetic.",
        "### Of a layer of it",
        columns(SCHEDULE_COLUMNS),
        "### Of all of it",
        columns(SCHEDULE_TOTALS),
        "### Of each of its stacks",
        columns(STACK_COLUMNS),
        "### Of each of its memories",
        columns(MEMORY_COLUMNS),
        "## Of the example networks (`dnnc report --zoo`)",
        columns(ZOO_COLUMNS),
    )
