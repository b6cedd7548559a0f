"""Delivery of an announcement to NATS and to a webhook."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import sha256_of, write_atomically, write_once
from mxtvhf.models.kept import read_or_set_aside
from mxtvhf.reporting.announcement.content import Announcement
from mxtvhf.reporting.announcement.drafts import FILES
from mxtvhf.reporting.announcement.model import Delivery
from mxtvhf.reporting.announcement.webhook import post, webhook_url
from mxtvhf.reporting.messages.model import AnnouncementMessage
from mxtvhf.reporting.messages.outbox import Outbox

RECORD = "record"
"""Folder in that of a release with the records that the release needs after an interruption."""


@dataclass(frozen=True)
class Channels:
    """Channels of announcements; None if not configured."""

    outbox: Path | None = None
    """Folder of the outbox for NATS."""
    webhook: Path | None = None
    """File with the URL of the webhook."""


def deliver(announced: Announcement, folder: Path, channels: Channels) -> tuple[Delivery, ...]:
    """Deliver an announcement by every channel, once each, and record the results.

    Parameters
    ----------
    announced
        Announcement to deliver; tests are never delivered.
    folder
        Folder of the release, with the texts.
    channels
        Channels to use.
    """
    off = "tests are never delivered" if announced.report.is_test else "not configured"
    outbox = None if announced.report.is_test else channels.outbox
    webhook = None if announced.report.is_test else channels.webhook
    return (
        _once(folder, "nats", lambda: _to_nats(announced, folder, outbox) if outbox else _off("nats", off)),
        _once(folder, "webhook", lambda: _to_webhook(folder, webhook) if webhook else _off("webhook", off)),
    )


def _once(folder: Path, channel: str, send: Callable[[], Delivery]) -> Delivery:
    """Return the result of a delivery, after making it if there is no record yet.

    After a damaged record, NATS gets the same message again, and the webhook is not called again.
    """
    path = folder / RECORD / f"{channel}.json"
    known = read_or_set_aside(path, Delivery)
    if known is not None:
        return known
    if path.exists():
        reason = f"{path} cannot be read; not sent again"
        return Delivery.model_validate(
            {"channel": channel, "state": "unknown", "time": datetime.now(UTC), "reason": reason}
        )
    delivery = send()
    write_atomically(path, delivery.model_dump_json(indent=1).encode() + b"\n")
    return delivery


def _off(channel: str, reason: str) -> Delivery:
    fields = {"channel": channel, "state": "off", "time": datetime.now(UTC), "reason": reason, "attempts": 0}
    return Delivery.model_validate(fields)


def _to_nats(announced: Announcement, folder: Path, outbox: Path) -> Delivery:
    """Queue the message in the outbox for NATS.

    If killed after this point, it is queued again. Its id and time are those of the announcement, so that it
    replaces the queued file, or NATS recognises the duplicate.
    """
    report = announced.report
    message = AnnouncementMessage(
        id=sha256_of(announced.ivorn.encode())[:32],
        time=announced.moment,
        burst_id=report.burst_id,
        run_id=report.run_id,
        is_test=report.is_test,
        is_replay=report.is_replay,
        action=announced.action,
        number=announced.number,
        ivorn=announced.ivorn,
        event=announced.event,
        supersedes=announced.supersedes,
        position=announced.position,
        report_status=report.status,
        decided_by=announced.author or "",
        comment=announced.comment,
        text=(folder / FILES["message"]).read_text(),
        voevent=(folder / FILES["voevent"]).read_text(),
        gcn_notice=json.loads((folder / FILES["gcn_notice"]).read_bytes()),
    )
    Outbox(outbox).put(message)
    return Delivery(channel="nats", state="sent", time=datetime.now(UTC))


def _to_webhook(folder: Path, url_file: Path) -> Delivery:
    """Call the webhook, unless an earlier attempt began, whose result is unknown."""
    begun, attempts = "an earlier attempt was interrupted while sending; not sent again", 1
    try:
        url = webhook_url(url_file)
        if write_once(folder / RECORD / "webhook.begun", b""):
            state, reason, attempts = post(url, (folder / FILES["message"]).read_text())
        else:
            state, reason = "unknown", begun
    except InvalidInput as error:
        state, reason, attempts = "refused", str(error), 0
    return Delivery(channel="webhook", state=state, time=datetime.now(UTC), reason=reason, attempts=attempts)
