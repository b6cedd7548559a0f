"""Comparison of a run's result with the notices of other missions, for the report."""

from __future__ import annotations

from mxtvhf.crosscheck.joint_position import joint_of_burst
from mxtvhf.crosscheck.model import CrossCheck
from mxtvhf.notices.burst import burst_trigger_time
from mxtvhf.reporting.report.model import RunRecord
from mxtvhf.sky_notices.coincidence import other_missions
from mxtvhf.sky_notices.store import SkyStore


def with_other_missions(run: RunRecord, crosscheck: CrossCheck, sky: SkyStore | None) -> RunRecord:
    """Return the record of a run with the coincidences of other missions and the joint position.

    Parameters
    ----------
    run
        Inputs and results of the run.
    crosscheck
        Comparison of all positions; its recommended position is used.
    sky
        Notices of other missions; None to leave them out.
    """
    found = None
    if sky is not None:
        found = other_missions(
            sky,
            run.alert.burst_id,
            burst_trigger_time((run.alert, *run.related)),
            crosscheck.best,
            is_test=run.alert.is_test,
        )
    others = found.coincidences if found else ()
    joint = joint_of_burst(crosscheck.best, crosscheck.positions, crosscheck.pairs, others)
    return run.model_copy(update={"other_missions": found, "joint_position": joint})
