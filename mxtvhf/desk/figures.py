"""The figures of a report that somebody opens, drawn once."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock

from mxtvhf.archive.products import REPORT_FOLDERS, ReportStatus, product_file
from mxtvhf.reporting.report.figures import FIGURES, draw_figures
from mxtvhf.reporting.report.page import AWAITS_FIGURES

log = logging.getLogger(__name__)

REFRESH_S = 2
"""Seconds after which a browser loads a page again whose figures are being drawn."""

_drawing = Lock()
_failed: dict[Path, float] = {}
"""Pages whose figures could not be drawn, with their modification times."""


def awaits_figures(page: Path) -> bool:
    """Return True if the figures of a report page are not drawn yet and can be drawn.

    Parameters
    ----------
    page
        A ``report.html``.
    """
    return AWAITS_FIGURES in page.read_text() and _failed.get(page) != page.stat().st_mtime


def draw(page: Path) -> None:
    """Draw the figures of a report page. A failure is logged, and the page remains without figures.

    Parameters
    ----------
    page
        A ``report.html``.
    """
    is_preliminary = page.parent.name == REPORT_FOLDERS["preliminary"].rstrip("/")
    status: ReportStatus = "preliminary" if is_preliminary else "final"
    folder = page.parent.parent if is_preliminary else page.parent
    with _drawing:
        if not awaits_figures(page):
            return
        changed = page.stat().st_mtime
        try:
            draw_figures(folder, status)
        except Exception:
            # A figure must never keep anybody from reading the numbers.
            log.exception("%s: figures not drawn", page)
            _failed[page] = changed


def figure(products: Path, run_id: str, name: str) -> Path | None:
    """Return the file of a figure, drawn now if necessary; None if the report has no such figure.

    Parameters
    ----------
    products
        Folder of all products.
    run_id
        Run of the report.
    name
        Path of the figure below the product folder of the run.
    """
    for folder in REPORT_FOLDERS.values():
        page = product_file(products, run_id, f"{folder}report.html")
        if page is not None and name in {f"{folder}{figure}.png" for figure in FIGURES}:
            draw(page)
            return product_file(products, run_id, name)
    return None
