"""Compare the report of a replay with that of the original run; see ``docs/how-to/replay.md``."""

from mxtvhf.workflow.comparison.model import Comparison, ComparisonSummary, Difference, Outcome, Tolerances
from mxtvhf.workflow.comparison.reports import compare_reports
from mxtvhf.workflow.comparison.runs import compare_runs, write_comparison
from mxtvhf.workflow.comparison.text import comparisons_text

__all__ = [
    "Comparison",
    "ComparisonSummary",
    "Difference",
    "Outcome",
    "Tolerances",
    "compare_reports",
    "compare_runs",
    "comparisons_text",
    "write_comparison",
]
