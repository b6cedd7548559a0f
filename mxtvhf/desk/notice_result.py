"""The result of the notices alone, which is known before the first photon arrives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mxtvhf.models.ids import RunKind
from mxtvhf.models.position import Position
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import burst_trigger_time, in_order


@dataclass(frozen=True)
class NoticeResult:
    """Position, significance and T0 from the notices of a burst."""

    position: Position | None
    """Last published position; None until a notice gives one."""
    trigger_time: datetime | None
    words: str
    """Notice type of the position, with its significance."""


def notice_result(alerts: Iterable[Alert], *, is_test: bool) -> NoticeResult | None:
    """Return the result of the notices of a burst, or of its tests; None without a notice.

    Parameters
    ----------
    alerts
        All notices of the burst, retractions and tests included.
    is_test
        True to use the tests only, False to use the notices of the burst itself.
    """
    ordered = [alert for alert in in_order(alerts) if alert.is_test == is_test and not alert.is_retraction]
    if not ordered:
        return None
    placed = [alert for alert in ordered if alert.position is not None]
    last = (placed or ordered)[-1]
    return NoticeResult(
        position=last.position,
        trigger_time=burst_trigger_time(ordered),
        words=f"{last.notice_type}{snr_text(last)}",
    )


def kind_of_notices(alerts: Iterable[Alert]) -> RunKind:
    """Return the kind of a burst with notices only: a test if all notices are tests."""
    roles = {alert.is_test for alert in alerts}
    return RunKind.TEST if roles == {True} else RunKind.LIVE


def snr_text(alert: Alert) -> str:
    """Format the signal-to-noise ratio of a notice, ``, SNR 10``; empty without one."""
    if alert.snr is None:
        return ""
    return f", SNR {'>= ' if alert.snr_saturated else ''}{alert.snr:g}"
