"""Step ``reception_message``: receive an alert and its VHF packet stream."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
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
from mxtvhf.models.input_folders import InputFolders
from mxtvhf.models.run_conf import OBSERVATION_FIELDS, Observation, RunConf
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.voevent import read_alert
from mxtvhf.workflow.gp.observations import observation_of

log = logging.getLogger(__name__)

MAX_NOTICES_BESIDE = 100
"""A folder with more notices is treated as a collection, not as the folder of one burst."""


class Reception(Model):
    """The received inputs and their copies in the archive."""

    alert: Alert
    related: tuple[Alert, ...]
    """Other notices of the same burst and role that were known at reception, oldest first."""
    alert_path: str
    packets_path: str | None
    attitude_path: str | None = None
    """Attitude product; None without one."""
    received: AwareDatetime
    """When the intake received the alert, or when the run was created if it passed no intake."""
    packets_received: AwareDatetime | None = None
    """The same for the packets; None without packets."""
    observation: Observation | None = None
    """GP's observation, from the run's configuration or the installation's table; None if unknown."""


def reception_message(
    conf: RunConf,
    *,
    run_id: str,
    archive: Archive,
    folders: InputFolders,
    created: datetime | None = None,
    is_replay: bool = False,
    observations: Path | None = None,
) -> Reception:
    """Archive the inputs of a run as received, then parse the alert.

    Parameters
    ----------
    conf
        Configuration of the run.
    run_id
        Run id, under which the archive records this input.
    archive
        Archive of the raw bytes; unreadable inputs go to its quarantine.
    folders
        Folders from which inputs may be read.
    created
        When the run was created; by default when this step first received the alert.
    is_replay
        True for a replay, which is not replayed again and uses the notices that were known when the original
        input was received.
    observations
        Table of GP's observations, used if the configuration has none; None without a table.

    Returns
    -------
    Reception
        The alert, the other known notices of the burst, and the paths of the archived inputs.

    Raises
    ------
    InvalidInput
        The alert, the packets or the attitude product is unreadable. The readable inputs are archived
        nevertheless.
    NotOurs
        The alert belongs to another mission or another burst.
    """
    entered = datetime.now(UTC)
    conf = _with_observation(conf, observations)
    problems: list[InvalidInput] = []

    def _keep(source: str, limit: int, keeper: Callable[[str, bytes], Path]) -> Path | None:
        try:
            return keeper(conf.burst_id, received_bytes(source, limit, archive=archive, folders=folders))
        except InvalidInput as error:
            problems.append(error)
            return None

    alert_path = _keep(conf.alert, MAX_ALERT_BYTES, archive.keep_alert)
    packets_path = _keep(conf.packets, MAX_PACKETS_BYTES, archive.keep_packets) if conf.packets else None
    attitude_path = _keep(conf.attitude, MAX_ATTITUDE_BYTES, archive.keep_attitude) if conf.attitude else None
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
    alert = validated_alert(
        alert_path.read_bytes(), name=source_name(conf.alert), archive=archive, burst_id=conf.burst_id
    )
    for warning in alert.warnings:
        log.warning("%s: %s", alert.ivorn, warning)
    created = created or record.received
    logs = None if is_replay else archive
    alert_received = _received(conf.alert, alert_path, created, logs, folders)
    known = (is_replay and archive.original_of(record)) or record
    archive.log_receipt(alert_path, known.received)
    if alert.is_retraction:
        retraction = Retraction(ivorn=alert.ivorn, received=known.received)
        archive.mark_retracted(alert.burst_id, retraction, is_test=alert.is_test)
    if not is_inline(conf.alert):
        _keep_notices_beside(local_path(conf.alert, folders), known, archive, folders)
    if problems:
        raise problems[0]
    return Reception(
        alert=alert,
        related=related_alerts(alert, archive.notices(conf.burst_id, until=known.received)),
        alert_path=str(alert_path),
        packets_path=str(packets_path) if packets_path else None,
        attitude_path=str(attitude_path) if attitude_path else None,
        received=alert_received or created,
        packets_received=_received(conf.packets, packets_path, created, logs, folders),
        observation=conf.observation,
    )


def _with_observation(conf: RunConf, table: Path | None) -> RunConf:
    """Add GP's observation from the table; GP is optional, so an invalid table does not stop the run."""
    if conf.observation is not None:
        return conf
    missing = [name for name in OBSERVATION_FIELDS if getattr(conf, name) is None]
    if len(missing) < len(OBSERVATION_FIELDS):
        log.warning("%s: GP observation ignored: %s missing", conf.burst_id, ", ".join(missing))
    if table is None:
        return conf
    try:
        found = observation_of(conf.burst_id, table)
    except InvalidInput as error:
        log.error("%s: GP observation unknown: %s", conf.burst_id, error)
        return conf
    return conf if found is None else conf.model_copy(update=found.model_dump())


def _received(
    source: str | None, kept: Path | None, created: datetime, archive: Archive | None, folders: InputFolders
) -> datetime | None:
    """Return when an input was received; None without an input.

    An input in the archive was received before the run, and its receipt is logged. Any other input, and every
    input of a replay (``archive`` None), was received with the run.
    """
    if source is None or kept is None:
        return None
    if archive is None or is_inline(source) or local_path(source, folders) != kept.resolve():
        return created
    return archive.last_receipt(kept, until=created) or created


def received_bytes(source: str, limit: int, *, archive: Archive, folders: InputFolders) -> bytes:
    """Return the bytes of an input; the start of an oversized one goes to quarantine.

    Parameters
    ----------
    source
        Path, URI or inline VOEvent.
    limit
        Largest accepted size, bytes.
    archive
        Archive with the quarantine.
    folders
        Folders from which inputs may be read.

    Raises
    ------
    InvalidInput
        The input is too large, or as in `mxtvhf.archive.inputs.source_bytes`.
    """
    try:
        return source_bytes(source, limit, folders)
    except TooLarge as error:
        reason = f"{error}; only the first {limit} bytes are kept in quarantine"
        archive.quarantine(error.start, name=source_name(source), reason=reason)
        raise InvalidInput(reason) from error


def validated_alert(raw: bytes, *, name: str, archive: Archive, burst_id: str | None = None) -> Alert:
    """Parse an alert; an unusable one goes to quarantine.

    Parameters
    ----------
    raw
        VOEvent as received.
    name
        Name of the alert in messages.
    archive
        Archive with the quarantine.
    burst_id
        Expected burst; None to accept any.

    Raises
    ------
    InvalidInput
        As in `read_alert`.
    NotOurs
        As in `read_alert`, or the alert belongs to another burst.
    """
    try:
        alert = read_alert(raw, name=name)
        if burst_id not in (None, alert.burst_id):
            raise NotOurs(
                f"{name}: the alert belongs to burst {alert.burst_id}, but the run is for {burst_id}"
            )
    except InvalidInput as error:
        archive.quarantine(raw, name=name, reason=str(error))
        raise
    return alert


def check_analysable(reception: Reception) -> None:
    """Raise an error if there is nothing to analyse.

    Parameters
    ----------
    reception
        Result of `reception_message`.

    Raises
    ------
    NothingToDo
        A retraction, a notice without a position (legal for GRM), or an alert without photons.
    """
    alert = reception.alert
    if alert.is_retraction:
        raise NothingToDo(f"{alert.ivorn}: retraction of burst {alert.burst_id}; nothing to analyse")
    if alert.position is None:
        raise NothingToDo(f"{alert.ivorn}: {alert.instrument} notice without a position; nothing to localise")
    if reception.packets_path is None:
        raise NothingToDo(f"{alert.ivorn}: no VHF packets received with this alert; nothing to localise")


def related_alerts(alert: Alert, notices: Mapping[Path, datetime]) -> tuple[Alert, ...]:
    """Select the other notices of the burst that have the role of an alert.

    Parameters
    ----------
    alert
        Alert of the run.
    notices
        Archived notices of its burst with their reception times.

    Returns
    -------
    tuple of Alert
        Oldest first. Notices of another role are left out, since a simulated burst may have the id of a real
        one. For each ivorn, the notice received last is used.
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
        log.warning("archived notice ignored: %s", error)
        return None


def _keep_notices_beside(
    alert_path: Path, known: ArchivedInput, archive: Archive, folders: InputFolders
) -> None:
    """Archive the burst's other notices in the alert's folder, as received together with the alert.

    A burst is often handed over as one folder. These notices only add positions, so an unreadable one is
    logged and ignored. The archive's own folders are left out, since it has the reception times of its
    notices.
    """
    if alert_path.is_relative_to(archive.root.resolve()):
        return
    beside = [path for path in sorted(alert_path.parent.glob("*.xml")) if path != alert_path]
    if len(beside) > MAX_NOTICES_BESIDE:
        log.warning(
            "%s: %d other notices in the alert's folder ignored; a burst's folder has at most %d",
            known.burst_id,
            len(beside),
            MAX_NOTICES_BESIDE,
        )
        return
    for path in beside:
        try:
            raw = read_limited(local_path(str(path), folders), MAX_ALERT_BYTES)
            other = read_alert(raw, name=str(path))
        except InvalidInput as error:
            log.warning("%s: notice in the alert's folder ignored: %s", known.burst_id, error)
            continue
        if other.burst_id == known.burst_id:
            archive.log_receipt(archive.keep_alert(known.burst_id, raw), known.received)
