"""Compare a replay with its original run, using the files in their product folders."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from mxtvhf.archive.products import FINAL_REPORT, ReportSummary, product_folder
from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import write_atomically
from mxtvhf.models.kept import parse_kept
from mxtvhf.workflow.comparison.model import Comparison, Outcome
from mxtvhf.workflow.comparison.products import compare_products
from mxtvhf.workflow.comparison.reports import compare_reports

log = logging.getLogger(__name__)

COMPARISON_FILE = "comparison.json"
NOTICE_ALONE = "a notice without packets has no report"


def compare_runs(
    products: Path, burst_id: str, *, archived_run: str, new_run: str, has_packets: bool = True
) -> Comparison:
    """Compare the final reports and the products of two runs.

    Parameters
    ----------
    products
        Folder of all products.
    burst_id
        Burst id of both runs.
    archived_run, new_run
        Ids of the original run and of its replay.
    has_packets
        False if the input was a notice without packets, which has no report.

    Returns
    -------
    Comparison
        ``missing`` without an archived report; ``changed`` if only the replay has none; ``equal`` if neither
        has one and none was expected.
    """
    folders = tuple(product_folder(products, burst_id, run) for run in (archived_run, new_run))
    archived, new = (_report(folder / FINAL_REPORT) for folder in folders)
    if archived is None or new is None:
        is_alike = archived is None and new is None and not has_packets
        missing = Outcome.MISSING if archived is None else Outcome.CHANGED
        return Comparison(
            burst_id=burst_id,
            archived_run=archived_run,
            new_run=new_run,
            outcome=Outcome.EQUAL if is_alike else missing,
            reason=NOTICE_ALONE if is_alike else _missing_text(archived, new),
            archived_version=archived and archived.get("version"),
            new_version=new and new.get("version"),
        )
    files = compare_products(archived.get("products", {}), new.get("products", {}), (folders[0], folders[1]))
    found = compare_reports(archived, new, products=list(files))
    return found.model_copy(update={"archived_run": archived_run, "new_run": new_run})


def write_comparison(products: Path, found: Comparison) -> Path:
    """Write ``comparison.json`` into the replay's product folder and return its path.

    Parameters
    ----------
    products
        Folder of all products.
    found
        The comparison.
    """
    path = product_folder(products, found.burst_id, found.new_run) / COMPARISON_FILE
    write_atomically(path, found.model_dump_json(indent=1).encode() + b"\n")
    return path


def _missing_text(archived: dict[str, Any] | None, new: dict[str, Any] | None) -> str:
    if new is not None:
        return "the original run has no final report"
    return "the replay has no final report" if archived else "neither run has a final report"


def _report(path: Path) -> dict[str, Any] | None:
    """Read a report; None if it is missing or, with a logged warning, unreadable."""
    if not path.exists():
        return None
    raw = path.read_bytes()
    try:
        parse_kept(raw, ReportSummary, name=str(path))
    except InvalidInput as error:
        log.warning("no comparison: %s", error)
        return None
    content: dict[str, Any] = json.loads(raw)
    return content
