"""The command ``mxtvhf log-queue``, which prints messages for people or programs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mxtvhf.cli.runs import AsJson
from mxtvhf.errors import InvalidInput
from mxtvhf.models.ids import BURST_ID_PATTERN
from mxtvhf.models.text import one_line
from mxtvhf.models.times import utc_text
from mxtvhf.settings import Settings, read_settings

if TYPE_CHECKING:
    from mxtvhf.reporting.messages.model import OutgoingMessage

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
COLOURS = {"succeeded": "green", "released": "green", "corrected": "green", "retracted": "red",
           "failed": "red", "quarantined": "red", "gap": "red", "retrying": "yellow", "skipped": "yellow",
           "preliminary": "cyan", "final": "cyan"}  # fmt: skip


def log_queue(
    burst: Annotated[str | None, typer.Option(help="show only this burst")] = None,
    since: Annotated[
        str, typer.Option(help="age of the oldest message: 30s, 10m, 2h, 1d, or all in NATS")
    ] = "10m",
    follow: Annotated[bool, typer.Option(help="wait for further messages until Ctrl-C")] = True,
    as_json: AsJson = False,
) -> None:
    """Follow the messages of all runs: steps, reports, announcements, intake (docs/reference/messages.md)."""
    start = since_when(since, datetime.now(UTC))
    with suppress(KeyboardInterrupt):
        asyncio.run(
            print_messages(read_settings(), burst_id=burst, since=start, live=follow, as_json=as_json)
        )


def since_when(text: str, now: datetime) -> datetime | None:
    """Return the time ``10m``, ``2h``, ``30s`` or ``1d`` before now (UTC); None for ``all``.

    Raises
    ------
    InvalidInput
        The text has another form.
    """
    if text == "all":
        return None
    if not (match := re.fullmatch(r"(\d{1,5})([smhd])", text, re.ASCII)):
        raise InvalidInput(f"--since {text!r}: expected 30s, 10m, 2h, 1d or all")
    return now - timedelta(**{UNITS[match[2]]: int(match[1])})


async def print_messages(
    settings: Settings,
    *,
    burst_id: str | None,
    since: datetime | None,
    live: bool,
    as_json: bool,
    out: Callable[[str], object] = typer.echo,
) -> None:
    """Print the messages of NATS as they arrive, one line each.

    Raises
    ------
    InvalidInput
        No NATS server is configured, or the burst id is invalid.
    Retriable
        NATS does not answer or rejects the login.
    """
    from mxtvhf.reporting.messages.connection import checked_servers, connect
    from mxtvhf.reporting.messages.subscriber import follow

    if not settings.nats_url:
        raise InvalidInput("no NATS server is configured; set MXTVHF_NATS_URL, e.g. nats://localhost:4222")
    try:
        checked_servers(settings.nats_url)
    except InvalidInput as error:
        raise InvalidInput(f"MXTVHF_NATS_URL: {error}") from None
    if burst_id and not re.match(BURST_ID_PATTERN, burst_id):
        raise InvalidInput(f"--burst {burst_id!r}: invalid burst id; expected sbYYMMDDnn")
    client = await connect(
        settings.nats_url,
        settings.nats_credentials,
        tls=settings.nats_tls,
        name="mxtvhf log-queue",
        timeout=3,
    )
    try:
        async with aclosing(follow(client, burst_id=burst_id, since=since, live=live)) as messages:
            async for raw in messages:
                out(json_line(raw) if as_json else line(raw))
    finally:
        await client.close()


def json_line(raw: bytes) -> str:
    """Return a message unchanged on one line."""
    return one_line(raw.decode(errors="replace"))


def line(raw: bytes) -> str:
    """Return a message as a coloured line for people."""
    from mxtvhf.reporting.messages.model import read_message

    try:
        message = read_message(raw)
    except InvalidInput as error:
        return typer.style(f"unreadable: {error}", fg="red")
    word, rest = _words(message)
    marks = " ".join(["TEST"] * (message.is_test is True) + ["REPLAY"] * message.is_replay)
    name = message.run_id or message.burst_id or "intake"
    parts = [
        utc_text(message.time.astimezone(UTC)),
        typer.style(one_line(name), bold=True),
        typer.style(marks, fg="magenta") if marks else "",
        one_line(message.task_id) if message.kind == "step" else message.kind,
        typer.style(word, fg=COLOURS.get(word)),
        one_line(rest),
    ]
    return "  ".join(part for part in parts if part)


def _words(message: OutgoingMessage) -> tuple[str, str]:
    """Return the state of a message and its details."""
    if message.kind == "report":
        return message.status, f"{message.headline}  {message.page_url or message.path}"
    if message.kind == "announcement":
        word = {"announce": "released", "correct": "corrected", "retract": "retracted"}[message.action]
        return word, f"{message.ivorn}  {message.text.splitlines()[0]}"
    if message.kind == "circular":
        return message.text, f"{message.ivorn}  recorded by {message.recorded_by}"
    if message.kind == "intake":
        lost = f" ({message.lost} lost)" if message.lost else ""
        return message.what, f"{message.source}: {message.reason}{lost}"
    if message.kind == "run":
        return message.state, message.reason or ""
    again = f"(try {message.try_number}) " if message.try_number > 1 else ""
    return message.state, again + (message.error or "")
