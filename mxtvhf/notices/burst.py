"""What the notices of one burst say together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.alert import Alert


def burst_trigger_time(alerts: Sequence[Alert]) -> datetime | None:
    """T0 of the burst: ``Alert_Seq_T0`` where a notice has it, else the earliest ECLAIRs or GRM time.

    The ``ISOTime`` of an MXT notice is the start of its observation, minutes later, and never T0.
    """
    published = [alert.trigger_time for alert in alerts if alert.trigger_time is not None]
    triggers = [alert.event_time for alert in alerts if alert.packet_type in range(201, 206)]
    return min(published or triggers, default=None)


def eclairs_position(alerts: Sequence[Alert]) -> Position | None:
    """Position of the ECLAIRs notice published last, of those with an error radius that take nothing back."""
    found = [
        (alert.published or alert.event_time, alert.ivorn, alert.position)
        for alert in alerts
        if alert.position is not None
        and alert.position.origin is Origin.ECLAIRS
        and alert.position.r90_arcsec
        and not alert.is_retraction
    ]
    return max(found, key=lambda entry: entry[:2])[2] if found else None
