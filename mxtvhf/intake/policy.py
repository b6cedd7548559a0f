"""The rules that decide which run a burst gets next, as pure functions of its state.

Each notice with new content gets a run. Once there are a notice with a position and enough photons, the
packets received so far get a run, and a limited number of updates follow as more photons arrive. A retraction
ends the updates. Test notices and real notices of one burst id share only the packets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from mxtvhf.intake.burst_state import BurstState, Notice
from mxtvhf.intake.planned import PlannedRun
from mxtvhf.settings import IntakePolicy


@dataclass(frozen=True)
class WantedRun:
    """A run that a burst should get now.

    Attributes
    ----------
    notice
        The notice of the run.
    cause, reason
        As in `PlannedRun`.
    with_packets
        True if the run gets the packets received so far.
    """

    notice: Notice
    cause: Literal["notice", "photons"]
    reason: str
    with_packets: bool


def next_run(burst: BurstState, policy: IntakePolicy, now: datetime) -> WantedRun | None:
    """Return the next run that a burst should get; None if it has all runs that it should have by now."""
    for notices in _by_role(burst):
        wanted = _for_notice(burst, notices, policy, now) or _for_photons(burst, notices, policy, now)
        if wanted is not None:
            return wanted
    return None


def next_look(burst: BurstState, policy: IntakePolicy, now: datetime) -> datetime | None:
    """Return when a burst must be checked again if no message arrives; None if it can be closed.

    Two rules depend on time alone: the first run after some seconds, and the last update after a silence.
    """
    came = [received for _, received in burst.vhf] + [notice.received for notice in burst.notices]
    moments = []
    if burst.vhf:
        moments.append(burst.vhf[0][1] + timedelta(seconds=policy.first_seconds))
        moments.append(burst.vhf[-1][1] + timedelta(seconds=policy.quiet_seconds))
    if came:
        moments.append(max(came) + timedelta(seconds=policy.close_seconds))
    return min((moment for moment in moments if moment > now), default=None)


def is_retracted(notices: tuple[Notice, ...]) -> bool:
    """Return True if one of the notices is a retraction."""
    return any(notice.alert.is_retraction for notice in notices)


def _by_role(burst: BurstState) -> list[tuple[Notice, ...]]:
    """Return the real notices of the burst, then its test notices."""
    return [
        tuple(notice for notice in burst.notices if notice.alert.is_test == is_test)
        for is_test in (False, True)
    ]


def _for_notice(
    burst: BurstState, notices: tuple[Notice, ...], policy: IntakePolicy, now: datetime
) -> WantedRun | None:
    have = {run.notice_file for run in burst.runs if run.cause == "notice"}
    for notice in notices:
        if have.isdisjoint(notice.files):
            ready = _can_be_placed(notice) and _enough(burst, policy, now) and not is_retracted(notices)
            return WantedRun(notice, "notice", f"notice {notice.alert.notice_type}", ready)
    return None


def _for_photons(
    burst: BurstState, notices: tuple[Notice, ...], policy: IntakePolicy, now: datetime
) -> WantedRun | None:
    placed = [notice for notice in notices if _can_be_placed(notice)]
    if not placed or is_retracted(notices) or not _enough(burst, policy, now):
        return None
    runs = _runs_with_packets(burst, notices)
    reason = _update_reason(burst, runs, policy, now) if runs else "first photons"
    if reason is None:
        return None
    newest = max(
        placed, key=lambda notice: (notice.alert.published or notice.alert.event_time, notice.path.name)
    )
    return WantedRun(newest, "photons", f"{reason}: {burst.photons}", True)


def _update_reason(
    burst: BurstState, runs: list[PlannedRun], policy: IntakePolicy, now: datetime
) -> str | None:
    last, updates = runs[-1], sum(run.cause == "photons" for run in runs[1:])
    if burst.packets <= last.packets or updates >= policy.updates:
        return None
    if (now - burst.vhf[-1][1]).total_seconds() >= policy.quiet_seconds:
        return "last update, photons"
    # The last update is reserved for the end, so that it has all photons.
    if updates < policy.updates - 1 and burst.photons >= policy.growth * last.photons:
        return "update, photons"
    return None


def _runs_with_packets(burst: BurstState, notices: tuple[Notice, ...]) -> list[PlannedRun]:
    is_test = notices[0].alert.is_test
    return [run for run in burst.runs if run.packets and run.is_test == is_test]


def _can_be_placed(notice: Notice) -> bool:
    return notice.alert.position is not None and not notice.alert.is_retraction


def _enough(burst: BurstState, policy: IntakePolicy, now: datetime) -> bool:
    if burst.photons == 0:
        return False
    waited = (now - burst.vhf[0][1]).total_seconds()
    return burst.photons >= policy.first_photons or waited >= policy.first_seconds
