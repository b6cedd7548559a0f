"""Step ``update_ba``: write the final report for the Burst Advocate."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mxtvhf.crosscheck import CrossCheck
from mxtvhf.events.photons import PhotonList
from mxtvhf.reporting.report import ReportProducts, RunRecord, write_report


def update_ba(
    run: RunRecord,
    crosscheck: CrossCheck,
    *,
    photons: PhotonList | None,
    out: Path,
    written: datetime,
) -> ReportProducts:
    """Write the final report of a run.

    Parameters
    ----------
    run
        Inputs and results of the run: alert, notices, packets, localisation, products, timeline.
    crosscheck
        Comparison of all positions, with GP's outcome.
    photons
        Reconstructed photons for the summary; None to leave it out.
    out
        Product folder of the new files ``report.json`` and ``report.html``.
    written
        Time of the report, UTC.

    Returns
    -------
    ReportProducts
        The files and a summary.
    """
    return write_report(run, crosscheck, status="final", photons=photons, out=out, written=written)
