"""The Apprise service of a channel. Only code that sends messages or validates URLs imports this module."""

from __future__ import annotations

import logging
from multiprocessing.connection import Connection

import apprise

from mxtvhf.errors import InvalidInput
from mxtvhf.notification.channels import Channel

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
        Apprise does not know the service, or the URL is incomplete.
    """
    service = apprise.Apprise.instantiate(channel.url, asset=ASSET)
    if service is None:
        cause = "unknown service or incomplete URL; expected a URL of Apprise"
        raise InvalidInput(f"line {channel.line}: {channel.name}: {cause}")
    return service


def send(answer: Connection, channel: Channel, title: str, body: str) -> None:
    """Send a message and return the state and the reason through a pipe. Runs in its own process."""
    # Apprise reports the reason of a failure only in its log.
    reasons: list[str] = []
    LOG.handlers = [_Collector(reasons)]
    try:
        is_sent = service_of(channel).notify(body=body, title=title)
    except InvalidInput as error:
        is_sent, reasons = False, [str(error)]
    except Exception as error:
        # An unexpected error concerns only this channel.
        is_sent = False
        reasons.append(f"{type(error).__name__}: {error}")
    answer.send(("sent", "") if is_sent else ("failed", "; ".join(reasons) or "rejected without a reason"))


class _Collector(logging.Handler):
    """Log handler that collects warnings and errors."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
