"""Step 1: receive an alert and the VHF photon stream that belongs to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime

from mxtvhf.archive.archive import Archive, ArchivedInput, Retraction
from mxtvhf.archive.inputs import (
    MAX_ALERT_BYTES,
    MAX_PACKETS_BYTES,
    TooLarge,
    is_inline,
    local_path,
    read_limited,
    source_bytes,
    source_name,
)
from mxtvhf.errors import InvalidInput, NothingToDo, NotOurs
from mxtvhf.events.attitude_file import MAX_ATTITUDE_BYTES
from mxtvhf.models.base import Model
from mxtvhf.models.run_conf import OBSERVATION_FIELDS, Observation, RunConf
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.voevent import read_alert
from mxtvhf.workflow.gp.observations import observation_of

log = logging.getLogger(__name__)

MAX_NOTICES_BESIDE = 100
"""A folder with more notices than this is a collection, not one burst's folder."""


class Reception(Model):
    """What was received, and where it is kept."""

    alert: Alert
    related: tuple[Alert, ...]
    """The other notices of the same burst and role known when the alert was received, oldest first."""
    alert_path: str
    packets_path: str | None
    attitude_path: str | None = None
    """The attitude product; None: there is none."""
    received: AwareDatetime
    """When the alert came: at the intake, or with the run where no intake had it before."""
    packets_received: AwareDatetime | None = None
    """The same for the packets."""
    observation: Observation | None = None
    """GP's observation, given to the run or named by the installation's table; None: not known."""


def reception_message(
    conf: RunConf,
    *,
    run_id: str,
    archive: Archive,
    roots: Sequence[Path],
    created: datetime | None = None,
    is_replay: bool = False,
    observations: Path | None = None,
) -> Reception:
    """Keep the inputs of a run as received, record them, and only then read the alert.

    Parameters
    ----------
    conf
        What the run was given.
    run_id
        Names the record of this input in the archive.
    archive
        Keeps the raw bytes before they are looked at; what cannot be read gets a note in its quarantine.
    roots
        Folders from which inputs may be read.
    created
        When the run was made; by default when this step first had its alert.
    is_replay
        Marks the record, so that a replay is not replayed again. A replay sees the notices that were known
        when its original was received.
    observations
        The table of GP's observations, asked where the run was given none; None: no table.

    Returns
    -------
    Reception
        The alert, the other known notices of the burst, and the paths of the kept bytes.

    Raises
    ------
    InvalidInput
        The alert, the packets or the attitude cannot be read; the message names the input and the cause. What
        could be read is kept all the same.
    NotOurs
        The alert is of another mission or another burst.
    """
    entered = datetime.now(UTC)
    conf = _with_observation(conf, observations)
    problems: list[InvalidInput] = []

    def keep(source: str, limit: int, keeper: Callable[[str, bytes], Path]) -> Path | None:
        try:
            return keeper(conf.burst_id, received_bytes(source, limit, archive=archive, roots=roots))
        except InvalidInput as error:
            problems.append(error)
            return None

    alert_path = keep(conf.alert, MAX_ALERT_BYTES, archive.keep_alert)
    packets_path = keep(conf.packets, MAX_PACKETS_BYTES, archive.keep_packets) if conf.packets else None
    attitude_path = keep(conf.attitude, MAX_ATTITUDE_BYTES, archive.keep_attitude) if conf.attitude else None
    kept = {
        "alert": str(alert_path or conf.alert),
        "packets": str(packets_path or conf.packets or "") or None,
        "attitude": str(attitude_path or conf.attitude or "") or None,
    }
    record = archive.keep_input(
        ArchivedInput(
            run_id=run_id,
            burst_id=conf.burst_id,
            conf=conf.model_copy(update=kept),
            received=entered,
            is_replay=is_replay,
        )
    )
    if alert_path is None:
        raise problems[0]
    alert = sound_alert(
        alert_path.read_bytes(), name=source_name(conf.alert), archive=archive, burst_id=conf.burst_id
    )
    for warning in alert.warnings:
        log.warning("%s: %s", alert.ivorn, warning)
    created = created or record.received
    logs = None if is_replay else archive
    alert_received = _received(conf.alert, alert_path, created, logs, roots)
    known = (is_replay and archive.original_of(record)) or record
    archive.log_receipt(alert_path, known.received)
    if alert.is_retraction:
        retraction = Retraction(ivorn=alert.ivorn, received=known.received)
        archive.mark_retracted(alert.burst_id, retraction, is_test=alert.is_test)
    if not is_inline(conf.alert):
        _keep_notices_beside(local_path(conf.alert, roots), known, archive, roots)
    if problems:
        raise problems[0]
    return Reception(
        alert=alert,
        related=related_alerts(alert, archive.notices(conf.burst_id, until=known.received)),
        alert_path=str(alert_path),
        packets_path=str(packets_path) if packets_path else None,
        attitude_path=str(attitude_path) if attitude_path else None,
        received=alert_received or created,
        packets_received=_received(conf.packets, packets_path, created, logs, roots),
        observation=conf.observation,
    )


def _with_observation(conf: RunConf, table: Path | None) -> RunConf:
    """Add GP's observation by the table; GP is optional, so a table with a fault costs no run."""
    if conf.observation is not None:
        return conf
    missing = [name for name in OBSERVATION_FIELDS if getattr(conf, name) is None]
    if len(missing) < len(OBSERVATION_FIELDS):
        log.warning("%s: GP's observation is left out: %s missing", conf.burst_id, ", ".join(missing))
    if table is None:
        return conf
    try:
        found = observation_of(conf.burst_id, table)
    except InvalidInput as error:
        log.error("%s: GP's observation is not known: %s", conf.burst_id, error)
        return conf
    return conf if found is None else conf.model_copy(update=found.model_dump())


def _received(
    source: str | None, kept: Path | None, created: datetime, archive: Archive | None, roots: Sequence[Path]
) -> datetime | None:
    """Tell when an input was received; None when there is none.

    What a run names in the archive was there before the run, and its receipt is logged; all else came with
    the run, as does everything of a replay (no archive).
    """
    if source is None or kept is None:
        return None
    if archive is None or is_inline(source) or local_path(source, roots) != kept.resolve():
        return created
    return archive.last_receipt(kept, until=created) or created


def received_bytes(source: str, limit: int, *, archive: Archive, roots: Sequence[Path]) -> bytes:
    """Return the bytes of an input; of one over its limit the start goes to quarantine.

    Raises
    ------
    InvalidInput
        As `mxtvhf.archive.inputs.source_bytes`.
    """
    try:
        return source_bytes(source, limit, roots)
    except TooLarge as error:
        reason = f"{error}; only the first {limit} bytes are kept"
        archive.quarantine(error.start, name=source_name(source), reason=reason)
        raise InvalidInput(reason) from error


def sound_alert(raw: bytes, *, name: str, archive: Archive, burst_id: str | None = None) -> Alert:
    """Read an alert; one that cannot be used goes to quarantine.

    Parameters
    ----------
    raw
        The VOEvent as received.
    name
        What messages call it.
    archive
        Has the quarantine.
    burst_id
        The burst that it must be of; None: any.

    Raises
    ------
    InvalidInput, NotOurs
        As `read_alert`; an alert of another burst.
    """
    try:
        alert = read_alert(raw, name=name)
        if burst_id not in (None, alert.burst_id):
            raise NotOurs(f"{name}: the alert is of burst {alert.burst_id}, the run of {burst_id}")
    except InvalidInput as error:
        archive.quarantine(raw, name=name, reason=str(error))
        raise
    return alert


def check_analysable(reception: Reception) -> None:
    """Tell whether there is anything to analyse.

    Raises
    ------
    NothingToDo
        A retraction, a notice without a position (legal for GRM), or an alert without photons.
    """
    alert = reception.alert
    if alert.is_retraction:
        raise NothingToDo(f"{alert.ivorn}: retraction of burst {alert.burst_id}, nothing to analyse")
    if alert.position is None:
        raise NothingToDo(
            f"{alert.ivorn}: a {alert.instrument} notice without a position, nothing to localise"
        )
    if reception.packets_path is None:
        raise NothingToDo(f"{alert.ivorn}: no VHF packets came with this alert, nothing to localise")


def related_alerts(alert: Alert, notices: Mapping[Path, datetime]) -> tuple[Alert, ...]:
    """Choose the other notices of a burst that belong to an alert.

    Parameters
    ----------
    alert
        The run's own alert.
    notices
        Kept notices of its burst, with the time when each was received.

    Returns
    -------
    tuple of Alert
        Oldest first. Only notices of the same role: a simulated burst may have the id of a real one. Of the
        notices of one ivorn the one received last.
    """
    others = [(received, path, _kept_notice(path)) for path, received in notices.items()]
    wanted = [
        (received, other.published or other.event_time, path.name, other)
        for received, path, other in others
        if other is not None and other.role == alert.role and other.ivorn != alert.ivorn
    ]
    latest = {other.ivorn: other for *_, other in sorted(wanted, key=lambda entry: entry[:3])}
    return tuple(
        sorted(latest.values(), key=lambda other: (other.published or other.event_time, other.ivorn))
    )


def _kept_notice(path: Path) -> Alert | None:
    try:
        return read_alert(read_limited(path, MAX_ALERT_BYTES), name=str(path))
    except InvalidInput as error:
        log.warning("kept notice left out: %s", error)
        return None


def _keep_notices_beside(
    alert_path: Path, known: ArchivedInput, archive: Archive, roots: Sequence[Path]
) -> None:
    """Keep the burst's other notices that lie in the alert's own folder; they count as received with it.

    A burst is often handed over as one folder. These notices only add known positions, so one that cannot be
    read is reported and left out: it must not stop a sound alert. The archive's own folders tell by
    themselves when a notice was received.
    """
    if alert_path.is_relative_to(archive.root.resolve()):
        return
    beside = [path for path in sorted(alert_path.parent.glob("*.xml")) if path != alert_path]
    if len(beside) > MAX_NOTICES_BESIDE:
        log.warning(
            "%s: %d notices beside the alert: not one burst's folder, none is taken",
            known.burst_id,
            len(beside),
        )
        return
    for path in beside:
        try:
            raw = read_limited(local_path(str(path), roots), MAX_ALERT_BYTES)
            other = read_alert(raw, name=str(path))
        except InvalidInput as error:
            log.warning("%s: notice beside the alert left out: %s", known.burst_id, error)
            continue
        if other.burst_id == known.burst_id:
            archive.log_receipt(archive.keep_alert(known.burst_id, raw), known.received)
