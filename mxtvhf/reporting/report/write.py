"""Write a report into the product folder of a run, without its figures (`figures`)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path, PurePosixPath

from mxtvhf.archive.products import REPORT_FOLDERS, ReportStatus
from mxtvhf.crosscheck.model import CrossCheck
from mxtvhf.events.photons import PhotonList
from mxtvhf.models.files import sha256_of, write_atomically
from mxtvhf.models.product import Product
from mxtvhf.reporting.report.assembly import build_report
from mxtvhf.reporting.report.figures import remove_figures
from mxtvhf.reporting.report.model import ReportProducts, RunRecord
from mxtvhf.reporting.report.page import render_page


def write_report(
    run: RunRecord,
    crosscheck: CrossCheck,
    *,
    status: ReportStatus,
    photons: PhotonList | None,
    out: Path,
    written: datetime,
) -> ReportProducts:
    """Write ``report.json`` and ``report.html``, each atomically.

    The page has no figures yet, since drawing takes longer than everything else in the report. They are drawn
    when the page is opened (`figures.draw_figures`).

    Parameters
    ----------
    run, crosscheck
        As in ``assembly.build_report``.
    status
        A ``preliminary`` report is written to the folder ``preliminary`` in ``out``, so that the final one
        does not overwrite it.
    photons
        As in ``assembly.build_report``.
    out
        Product folder of the run; paths of products are relative to it.
    written
        As in ``assembly.build_report``.

    Returns
    -------
    ReportProducts
        Files with their SHA-256; the same input gives the same bytes.
    """
    folder = PurePosixPath(REPORT_FOLDERS[status])
    report = build_report(run, crosscheck, status=status, photons=photons, written=written)
    remove_figures(out / folder)
    return ReportProducts(
        status=status,
        headline=report.headline,
        best_position=report.best_position,
        html_file=_write(out, folder / "report.html", render_page(report)),
        json_file=_write(out, folder / "report.json", report.to_json()),
    )


def _write(out: Path, relative: PurePosixPath, content: bytes) -> Product:
    write_atomically(out / relative, content)
    return Product(path=str(relative), sha256=sha256_of(content))
