"""Health check of all parts of an installation."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.failures import failing_parts
from mxtvhf.errors import InvalidInput, MxtVhfError
from mxtvhf.intake.alive import alive_file
from mxtvhf.intake.planned import planned_runs
from mxtvhf.models.base import Model
from mxtvhf.models.files import changed_at, safe_name
from mxtvhf.models.text import escaped
from mxtvhf.notification.channels import read_channels
from mxtvhf.notification.rota import read_rota
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.settings import NotificationPolicy, Settings

LISTENER_SILENT_S = 60.0
"""Longest normal time between two intake rounds, seconds, even in an alert storm."""
INPUT_WAITS_S = 120.0
"""Longest normal waiting time of an input, seconds; longer than a restart of Airflow takes."""
LEAST_DISK_BYTES = 500_000_000
PATIENCE_S = 2.0
"""Time limit for the answer of a server, seconds."""


class Check(Model):
    """The health of one part."""

    name: str
    is_healthy: bool
    detail: str


class Health(Model):
    """The health of all parts."""

    is_healthy: bool
    """True if every part is healthy."""
    checks: tuple[Check, ...]


def health(
    settings: Settings,
    airflow: Mapping[str, str],
    gp_url: str | None,
    *,
    gp_fault: str | None = None,
    airflow_version: str | None = None,
) -> Health:
    """Check every part of the installation.

    Parameters
    ----------
    settings
        Settings with the path of the state folder and the access to NATS if it is used.
    airflow
        State of each component of Airflow, ``healthy`` or another word.
    gp_url
        Base URL of GP; None without a Connection to GP.
    gp_fault
        Reason why the Connection to GP cannot be used.
    airflow_version
        Text about Airflow's version, shown unchanged.
    """
    checks = tuple(_checks(settings, airflow, gp_url, gp_fault))
    if airflow_version is not None:
        checks = (Check(name="airflow_version", is_healthy=True, detail=airflow_version), *checks)
    return Health(is_healthy=all(check.is_healthy for check in checks), checks=checks)


def oldest_waiting_s(archive: Archive) -> float:
    """Return the waiting time of the oldest input without a run, seconds; 0 if no input waits."""
    now = datetime.now(UTC).timestamp()
    changes = map(changed_at, (archive.root / "incoming").glob("*.msg"))
    since = [changed for changed in changes if changed is not None]
    # Waiting runs exist only for open bursts, because the intake closes a burst when nothing waits.
    for path in (archive.root / "open").glob("sb*"):
        waiting = (run for run, posting in planned_runs(archive, path.name) if posting is None)
        since += [run.planned.timestamp() for run in waiting]
    return max(0.0, now - min(since, default=now))


def _checks(
    settings: Settings, airflow: Mapping[str, str], gp_url: str | None, gp_fault: str | None
) -> Iterator[Check]:
    for component, state in airflow.items():
        yield Check(name=f"airflow_{component}", is_healthy=state == "healthy", detail=state)
    yield _listener(settings)
    yield from _failing_parts(settings)
    waited = oldest_waiting_s(Archive(settings.archive))
    text = f"oldest input waiting for its run for {waited:.0f} s" if waited else "no input waiting"
    yield Check(name="inputs", is_healthy=waited < INPUT_WAITS_S, detail=text)
    free = shutil.disk_usage(settings.home).free
    yield Check(name="disk", is_healthy=free >= LEAST_DISK_BYTES, detail=f"{free / 1e9:.1f} GB free")
    yield _gp(gp_url, gp_fault)
    if settings.nats_url is not None:
        yield _nats(settings, settings.nats_url)
    if settings.notification is not None:
        yield _channels(settings.notification)
        yield _rota(settings.notification)


def _listener(settings: Settings) -> Check:
    last_round = changed_at(alive_file(settings.archive))
    if last_round is None:
        return Check(name="listener", is_healthy=False, detail="never ran")
    silent = time.time() - last_round
    text = f"last round {max(0.0, silent):.0f} s ago"
    return Check(name="listener", is_healthy=silent < LISTENER_SILENT_S, detail=text)


def _failing_parts(settings: Settings) -> Iterator[Check]:
    """Yield a check for each part of the listener that is failing now."""
    for failure in failing_parts(settings.archive):
        count = f"{failure.failures} failure{'s' * (failure.failures > 1)} since {failure.since:%H:%M:%S} UTC"
        name = f"listener_{safe_name(failure.part)}"
        yield Check(name=name, is_healthy=False, detail=f"{failure.reason} ({count})")


def _gp(url: str | None, fault: str | None) -> Check:
    """Check that GP's port accepts connections. GP's contract defines no health endpoint."""
    if url is None:
        return Check(name="gp", is_healthy=False, detail=fault or "no Airflow Connection mxt_gp")
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=PATIENCE_S).close()
    except OSError as error:
        return Check(name="gp", is_healthy=False, detail=f"no connection: {error.strerror or error}")
    return Check(name="gp", is_healthy=True, detail="reachable")


def _channels(policy: NotificationPolicy) -> Check:
    """Check the form of the channels' lines. `mxtvhf config check` also validates them with Apprise."""
    try:
        channels, faults = read_channels(policy.channels)
        people = read_rota(policy.rota).people if policy.rota else {}
    except InvalidInput as error:
        return Check(name="channels", is_healthy=False, detail=escaped(error))
    tags = {tag for channel in channels for tag in channel.tags}
    faults += [f"no channel for {key}, who is in the rota" for key in people if key not in tags]
    text = "; ".join(faults) or f"{len(channels)} channel{'s' * (len(channels) != 1)}"
    return Check(name="channels", is_healthy=bool(channels) and not faults, detail=text)


def _rota(policy: NotificationPolicy) -> Check:
    """Check that exactly one person is on duty."""
    if policy.rota is None:
        return Check(name="rota", is_healthy=True, detail="no rota configured: everybody is notified")
    now = datetime.now(UTC)
    try:
        rota = read_rota(policy.rota)
    except InvalidInput as error:
        return Check(name="rota", is_healthy=False, detail=f"{escaped(error)}; everybody is notified")
    if (problem := rota.problem(now)) is not None:
        return Check(name="rota", is_healthy=False, detail=problem)
    duty = rota.duty(now)
    until = f" until {duty.until:%Y-%m-%d %H:%M} UTC" if duty.until else ""
    return Check(name="rota", is_healthy=True, detail=f"{rota.name(duty.people[0])} is on duty{until}")


def _nats(settings: Settings, url: str) -> Check:
    async def try_it() -> None:
        client = await connect(
            url, settings.nats_credentials, tls=settings.nats_tls, name="mxtvhf health", timeout=PATIENCE_S
        )
        await client.close()

    try:
        asyncio.run(try_it())
    except MxtVhfError as error:
        return Check(name="nats", is_healthy=False, detail=str(error))
    return Check(name="nats", is_healthy=True, detail="connected")
