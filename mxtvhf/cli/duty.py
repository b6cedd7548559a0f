"""The commands ``mxtvhf duty show``, ``test`` and ``drill`` for the rota and the notifications."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from mxtvhf.cli.arguments import utf8_text
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.ids import BURST_ID_PATTERN
from mxtvhf.models.times import utc_text
from mxtvhf.settings import NotificationPolicy, Settings, read_settings

app = typer.Typer(no_args_is_help=True, help="The rota and the notifications: show, test, drill.")

AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]


@app.command()
def show(
    days: Annotated[int, typer.Option(min=1, max=366, help="number of days to show")] = 14,
    as_json: AsJson = False,
) -> None:
    """Show who is on duty, the coming shifts, and gaps and overlaps (exit status 1 if there are any)."""
    from mxtvhf.notification.rota import read_rota

    policy, now = _policy(read_settings()), datetime.now(UTC)
    if policy.rota is None:
        raise InvalidInput(
            "no rota is configured, so everybody with a channel is notified; set rota in [notification]"
        )
    rota, end = read_rota(policy.rota), now + timedelta(days=days)
    shifts, faults = rota.shifts(now, end), rota.faults(now, end)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "on_duty": rota.duty(now).people,
                    "shifts": [
                        {"person": one.person, "start": utc_text(one.start), "end": utc_text(one.end)}
                        for one in shifts
                    ],
                    "faults": faults,
                }
            )
        )
    else:
        typer.echo(f"on duty: {', '.join(map(rota.name, rota.duty(now).people)) or 'nobody'}")
        for shift in shifts:
            start, local = utc_text(shift.start)[:16], rota.local(shift.start, shift.person)
            typer.echo(f"{start}Z  {rota.name(shift.person)}, {local:%a %H:%M %Z} local time")
    for fault in faults:
        typer.echo(f"not exactly one person on duty: {fault}", err=True)
    if faults:
        raise typer.Exit(1)


@app.command("test")
def try_channels(
    to: Annotated[
        str | None, typer.Option(parser=utf8_text, metavar="TAG", help="use only the channels with this tag")
    ] = None,
) -> None:
    """Send a test message by each channel. Exit status 1 if a channel fails."""
    from mxtvhf.notification.channels import check_channels
    from mxtvhf.notification.sending import TIMEOUT_S, Sending

    settings = read_settings()
    channels = [one for one in check_channels(_policy(settings).channels) if to is None or to in one.tags]
    if not channels:
        raise InvalidInput(f"--to {to}: no channel has this tag; use a tag of the channels file")
    title = "MXT-VHF: test of the channels"
    body = f"This is a test by {settings.airflow_user}, not a burst.\nPage: {settings.desk}"
    failed = 0
    for sending in [Sending(channel, title, body) for channel in channels]:
        state, reason = sending.outcome(TIMEOUT_S + 1.0) or ("failed", "no answer")
        failed += state == "failed"
        typer.echo(f"{sending.channel.name}: {state}{f': {reason}' if reason else ''}")
    if failed:
        raise Failure(f"{failed} of {len(channels)} channels failed; the reasons are above")


@app.command()
def drill(
    burst: Annotated[str, typer.Argument(help="burst id of the test notices")],
) -> None:
    """Make the test notices of a burst id notify people like live ones. Call it before they arrive."""
    from mxtvhf.notification.burst_events import subject_of
    from mxtvhf.notification.ledger import Ledger
    from mxtvhf.notification.model import DrillOrder

    settings = read_settings()
    _policy(settings)
    if not re.match(BURST_ID_PATTERN, burst):
        raise InvalidInput(f"{burst!r}: invalid burst id; expected sbYYMMDDnn")
    order = DrillOrder(by=settings.airflow_user, time=datetime.now(UTC))
    is_new = Ledger(settings.notifications).order_drill(subject_of(burst, is_test=True), order)
    typer.echo(f"{burst}: {'drill ordered' if is_new else 'drill was already ordered'}")


def _policy(settings: Settings) -> NotificationPolicy:
    if settings.notification is None:
        raise InvalidInput(
            "no notifications are configured; set [notification] in mxtvhf.toml, or MXTVHF_NOTIFICATION"
        )
    return settings.notification
