"""The analytical cost report: what each layer computes, holds and moves, and what a target allows it at best."""

from dnnc.backends.report.column import Column
from dnnc.backends.report.columns import COLUMNS, Row
from dnnc.backends.report.document import SCHEMA, Report, report
from dnnc.backends.report.schedule import SCHEDULE_COLUMNS, SCHEDULE_TOTALS, ScheduleReport, schedule_report
from dnnc.backends.report.totals import TOTALS, Network
from dnnc.backends.report.zoo import ZOO_COLUMNS, zoo_json, zoo_table, zoo_text

__all__ = [
    "COLUMNS",
    "SCHEDULE_COLUMNS",
    "SCHEDULE_TOTALS",
    "SCHEMA",
    "TOTALS",
    "ZOO_COLUMNS",
    "Column",
    "Network",
    "Report",
    "Row",
    "ScheduleReport",
    "report",
    "schedule_report",
    "zoo_json",
    "zoo_table",
    "zoo_text",
]
