"""The report of a run: JSON, a page and figures from a ``RunRecord`` and a ``CrossCheck``."""

from mxtvhf.reporting.report.assembly import build_report
from mxtvhf.reporting.report.figures import draw_figures
from mxtvhf.reporting.report.model import Report, ReportProducts, RunRecord, report_schema
from mxtvhf.reporting.report.write import write_report

__all__ = [
    "Report",
    "ReportProducts",
    "RunRecord",
    "build_report",
    "draw_figures",
    "report_schema",
    "write_report",
]
