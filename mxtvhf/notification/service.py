"""A channel's service as Apprise knows it. Imported where messages are sent and URLs are checked only."""

from __future__ import annotations

import logging
from multiprocessing.connection import Connection

import apprise

from mxtvhf.errors import InvalidInput
from mxtvhf.notification.channels import Channel
from mxtvhf.notification.webhook import webhook_of

LOG = logging.getLogger("apprise")
LOG.propagate = False  # its lines may quote a URL; `send` keeps what it needs of them

# A redirected POST becomes a GET (RFC 9110, 15.4.3), and its answer would look like a delivery.
ASSET = apprise.AppriseAsset(app_id="MXT-VHF", app_desc="MXT-VHF", http_redirects=False)

# Takes 0.4 s, which the processes that are forked from one with this module do not spend again.
apprise.NotificationManager().load_modules()  # type: ignore[no-untyped-call]


def service_of(channel: Channel) -> apprise.NotifyBase:
    """Return the service that a channel's URL names.

    Raises
    ------
    InvalidInput
        Apprise has no such service, the URL is incomplete, or asks to follow redirections.
    """
    service = apprise.Apprise.instantiate(channel.url, asset=ASSET)
    if service is None:
        raise InvalidInput(f"line {channel.line}: {channel.name}: no service of Apprise, or incomplete URL")
    if service.redirects:
        raise InvalidInput(f"line {channel.line}: {channel.name}: remove redirect=yes: none is followed")
    return service


def check_service(channel: Channel) -> None:
    """Check that a channel's URL is that of a webhook or of a service of Apprise; errors as of those."""
    if webhook_of(channel) is None:
        service_of(channel)


def send(answer: Connection, channel: Channel, title: str, body: str) -> None:
    """Send a message and answer with the state and the reason; the target of a process."""
    try:
        webhook = webhook_of(channel)
        reason = webhook.post(title, body) if webhook else _by_apprise(channel, title, body)
    except InvalidInput as error:
        reason = str(error)
    except Exception as error:
        # Whatever it is, it is the fault of this channel alone.
        reason = f"{type(error).__name__}: {error}"
    answer.send(("sent", "") if reason is None else ("failed", reason))


def _by_apprise(channel: Channel, title: str, body: str) -> str | None:
    """Send a message by Apprise; return why it was not taken, None if it was."""
    # Only in its log does Apprise tell why a service did not take a message.
    reasons: list[str] = []
    LOG.handlers = [_Collector(reasons)]
    if service_of(channel).notify(body=body, title=title):
        return None
    return "; ".join(reasons) or "not taken, no reason given"


class _Collector(logging.Handler):
    """Keeps warnings and errors."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
