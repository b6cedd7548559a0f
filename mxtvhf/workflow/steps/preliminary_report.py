"""Step ``preliminary_report``: report the VHF position to the Burst Advocate without waiting for GP."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mxtvhf.catalogues.model import Catalogues
from mxtvhf.crosscheck.model import GpOutcome, GpProgress
from mxtvhf.events.photons import PhotonList
from mxtvhf.reporting.report.model import ReportProducts, RunRecord
from mxtvhf.reporting.report.write import write_report
from mxtvhf.sky_notices.store import SkyStore
from mxtvhf.workflow.steps.crosscheck_positions import crosscheck_positions
from mxtvhf.workflow.steps.other_missions import with_other_missions

GP_NOT_AWAITED = "the preliminary report does not wait for GP"


def preliminary_report(
    run: RunRecord,
    *,
    photons: PhotonList | None,
    out: Path,
    written: datetime,
    catalogues: Catalogues | None = None,
    sky: SkyStore | None = None,
) -> ReportProducts:
    """Compare the positions known so far and write the preliminary report.

    Parameters
    ----------
    run, photons
        As in ``update_ba``.
    out
        Product folder of the run; the files are written to its subfolder ``preliminary``.
    written
        Time of the report, UTC.
    catalogues
        Catalogues of known sources; None to search none.
    sky
        Notices of other missions; None to leave them out.

    Returns
    -------
    ReportProducts
        The files and a summary.
    """
    gp = GpOutcome(available=False, progress=GpProgress.RUNNING, reason=GP_NOT_AWAITED)
    crosscheck = crosscheck_positions((run.alert, *run.related), run.localisation, gp, catalogues=catalogues)
    run = with_other_missions(run, crosscheck, sky)
    return write_report(run, crosscheck, status="preliminary", photons=photons, out=out, written=written)
