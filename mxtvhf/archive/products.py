"""Product folders, ``products/<burst>/<run>/``, and summaries of the reports in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import changed_at, file_inside, safe_name
from mxtvhf.models.ids import BURST_ID_PATTERN
from mxtvhf.models.kept import KeptModel, log_once, read_kept
from mxtvhf.models.position import Position
from mxtvhf.models.product import Product
from mxtvhf.models.times import TimelineEntry

FINAL_REPORT = "report.json"
PRELIMINARY_REPORT = "preliminary/report.json"

ReportStatus = Literal["preliminary", "final"]
"""``preliminary``: at once, without GP; ``final``: at the end of the run."""
REPORT_FOLDERS: dict[ReportStatus, str] = {"preliminary": "preliminary/", "final": ""}
"""Folder of a report and its own files, below the product folder of its run."""


class ReportSummary(KeptModel):
    """Fields of a written report that lists and statistics need; other fields are not read."""

    burst_id: str
    run_id: str
    status: ReportStatus
    is_test: bool
    is_replay: bool
    is_retracted: bool
    headline: str
    written: AwareDatetime
    trigger_time: AwareDatetime | None
    best_position: Position | None
    verdict: str = ""
    """Empty in reports older than this field."""
    packets: dict[str, int] | None = None
    """Packet counts by outcome, with the names of `PacketCounts`."""
    products: dict[str, Product]
    timeline: tuple[TimelineEntry, ...]

    def time_of(self, name: str) -> AwareDatetime | None:
        """Return the time of a timeline entry, None if there is no such entry."""
        return next((entry.time for entry in self.timeline if entry.name == name), None)


def product_folder(products: Path, burst_id: str, run_id: str) -> Path:
    """Return the folder of a run's products; the run id is converted to a safe file name."""
    return products / burst_id / safe_name(run_id)


def product_file(products: Path, run_id: str, name: str) -> Path | None:
    """Return a product of a run, None if there is none of this name.

    Only files inside the run's own folder are found, whatever the name contains.
    """
    # Nearly every run id begins with its burst id, which spares a look into the folders of all bursts.
    burst_id = run_id.partition("__")[0]
    own = product_folder(products, burst_id, run_id)
    is_own = re.match(BURST_ID_PATTERN, burst_id) and own.is_dir()
    folders = [own] if is_own else products.glob(f"sb*/{safe_name(run_id)}")
    return next(filter(None, (file_inside(folder, name) for folder in folders)), None)


def report_summary(products: Path, run_id: str) -> ReportSummary | None:
    """Return the summary of a run's final or else preliminary report; None if neither is readable."""
    for name in (FINAL_REPORT, PRELIMINARY_REPORT):
        path = product_file(products, run_id, name)
        if path is not None and (found := _summary(path)) is not None:
            return found
    return None


def report_summaries(products: Path, *, newest: int = 1000) -> Iterator[ReportSummary]:
    """Yield the preliminary and final reports of the runs whose products changed last.

    Parameters
    ----------
    products
        Folder of all products.
    newest
        Number of runs.
    """
    # Retention may remove a folder after it was listed.
    folders = sorted(products.glob("sb*/*/"), key=lambda folder: changed_at(folder) or 0.0)
    for folder in folders[-newest:]:
        for name in (PRELIMINARY_REPORT, FINAL_REPORT):
            if (folder / name).exists() and (found := _summary(folder / name)):
                yield found


def _summary(path: Path) -> ReportSummary | None:
    try:
        return read_kept(path, ReportSummary)
    except (InvalidInput, OSError) as error:
        log_once(f"{error}; the report is ignored")
        return None
