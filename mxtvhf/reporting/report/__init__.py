"""The report of a run: JSON, a page and plots from a ``RunRecord`` and a ``CrossCheck``."""

from mxtvhf.reporting.report.assembly import build_report
from mxtvhf.reporting.report.model import Report, ReportProducts, RunRecord, report_schema
from mxtvhf.reporting.report.write import SAME_IN_FINAL, write_report

__all__ = [
    "SAME_IN_FINAL",
    "Report",
    "ReportProducts",
    "RunRecord",
    "build_report",
    "report_schema",
    "write_report",
]
