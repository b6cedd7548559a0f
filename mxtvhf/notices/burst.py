"""Combine the notices of one burst."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from mxtvhf.models.position import Origin, Position, current_positions
from mxtvhf.notices.alert import Alert


def burst_trigger_time(alerts: Sequence[Alert]) -> datetime | None:
    """Return T0 of the burst: ``Alert_Seq_T0`` if a notice has it, else the earliest ECLAIRs or GRM time.

    The ``ISOTime`` of an MXT notice is the start of its observation, minutes later, and never T0.
    """
    published = [alert.trigger_time for alert in alerts if alert.trigger_time is not None]
    triggers = [alert.event_time for alert in alerts if alert.packet_type in range(201, 206)]
    return min(published or triggers, default=None)


def in_order(alerts: Iterable[Alert]) -> list[Alert]:
    """Return the notices in order of publication; of several with one ivorn keep the last."""
    by_ivorn = {alert.ivorn: alert for alert in alerts}
    return sorted(by_ivorn.values(), key=lambda alert: (alert.published or alert.event_time, alert.ivorn))


def notice_positions(ordered: Iterable[Alert]) -> list[Position]:
    """Return the positions announced by notices, which must be in order of publication.

    Retractions are excluded: they repeat the position of the retracted notice.
    """
    return [alert.position for alert in ordered if alert.position is not None and not alert.is_retraction]


def eclairs_position(alerts: Iterable[Alert]) -> Position | None:
    """Return the current ECLAIRs position; None if no notice gives one with an error radius."""
    found = current_positions(notice_positions(in_order(alerts))).get(Origin.ECLAIRS)
    return found if found is not None and found.r90_arcsec else None
