"""The Apprise service of a channel. Only code that sends messages or validates URLs imports this module."""

from __future__ import annotations

import logging
from multiprocessing.connection import Connection

import apprise

from mxtvhf.errors import InvalidInput
from mxtvhf.notification.channels import Channel
from mxtvhf.notification.webhook import webhook_of

LOG = logging.getLogger("apprise")
LOG.propagate = False  # its lines may contain URLs; `send` extracts the reasons

# A redirected POST becomes a GET (RFC 9110, 15.4.3), and its answer would look like a delivery.
ASSET = apprise.AppriseAsset(app_id="MXT-VHF", app_desc="MXT-VHF", http_redirects=False)

# Takes 0.4 s, but only once in the fork server.
apprise.NotificationManager().load_modules()  # type: ignore[no-untyped-call]


def service_of(channel: Channel) -> apprise.NotifyBase:
    """Return the Apprise service of a channel.

    Raises
    ------
    InvalidInput
        Apprise does not know the service, or the URL is incomplete or asks to follow redirections.
    """
    service = apprise.Apprise.instantiate(channel.url, asset=ASSET)
    if service is None:
        raise InvalidInput(
            f"line {channel.line}: {channel.name}: unknown service or incomplete URL; "
            "expected a URL of Apprise"
        )
    if service.redirects:
        raise InvalidInput(
            f"line {channel.line}: {channel.name}: redirections are not followed; remove redirect=yes"
        )
    return service


def check_service(channel: Channel) -> None:
    """Check that the URL of a channel belongs to a webhook or a service of Apprise.

    Raises
    ------
    InvalidInput
        The URL is invalid, see `webhook_of` and `service_of`.
    """
    if webhook_of(channel) is None:
        service_of(channel)


def send(answer: Connection, channel: Channel, title: str, body: str) -> None:
    """Send a message and return the state and the reason through a pipe. Runs in its own process."""
    try:
        webhook = webhook_of(channel)
        reason = webhook.post(title, body) if webhook else _by_apprise(channel, title, body)
    except InvalidInput as error:
        reason = str(error)
    except Exception as error:
        # An unexpected error concerns only this channel.
        reason = f"{type(error).__name__}: {error}"
    answer.send(("sent", "") if reason is None else ("failed", reason))


def _by_apprise(channel: Channel, title: str, body: str) -> str | None:
    """Send a message by Apprise and return the reason of a failure; None if the message was accepted."""
    # Apprise reports the reason of a failure only in its log.
    reasons: list[str] = []
    LOG.handlers = [_Collector(reasons)]
    if service_of(channel).notify(body=body, title=title):
        return None
    return "; ".join(reasons) or "rejected without a reason"


class _Collector(logging.Handler):
    """Log handler that collects warnings and errors."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
