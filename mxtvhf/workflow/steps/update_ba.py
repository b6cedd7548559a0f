"""Step 7: bring the result to the Burst Advocate."""

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
        What the run was given and did: alert, notices, packets, localisation, products, timeline.
    crosscheck
        The comparison of all positions; it also says what became of GP.
    photons
        The decoded photons, for the plots; None when there are none, which leaves their plots out.
    out
        The run's product folder: ``report.json``, ``report.html`` and the plots go there, nothing elsewhere.
    written
        The moment of the report, UTC.

    Returns
    -------
    ReportProducts
        The files, and the result in short.
    """
    return write_report(run, crosscheck, status="final", photons=photons, out=out, written=written)
