"""Step ``update_ba``: write the final report for the Burst Advocate."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mxtvhf.crosscheck.model import CrossCheck
from mxtvhf.events.photons import PhotonList
from mxtvhf.reporting.report.model import ReportProducts, RunRecord
from mxtvhf.reporting.report.write import write_report
from mxtvhf.sky_notices.store import SkyStore
from mxtvhf.workflow.steps.other_missions import with_other_missions


def update_ba(
    run: RunRecord,
    crosscheck: CrossCheck,
    *,
    photons: PhotonList | None,
    out: Path,
    written: datetime,
    sky: SkyStore | None = None,
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
    sky
        Notices of other missions; None to leave them out.

    Returns
    -------
    ReportProducts
        The files and a summary.
    """
    run = with_other_missions(run, crosscheck, sky)
    return write_report(run, crosscheck, status="final", photons=photons, out=out, written=written)
