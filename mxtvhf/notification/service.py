"""A channel's service as Apprise knows it. Imported where messages are sent and URLs are checked only."""

from __future__ import annotations

import logging
from multiprocessing.connection import Connection

import apprise

from mxtvhf.errors import InvalidInput
from mxtvhf.notification.channels import Channel

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
        Apprise has no such service, or the URL is incomplete.
    """
    service = apprise.Apprise.instantiate(channel.url, asset=ASSET)
    if service is None:
        raise InvalidInput(f"line {channel.line}: {channel.name}: no service of Apprise, or incomplete URL")
    return service


def send(answer: Connection, channel: Channel, title: str, body: str) -> None:
    """Send a message and answer with the state and the reason; the target of a process."""
    # Only in its log does Apprise tell why a service did not take a message.
    reasons: list[str] = []
    LOG.handlers = [_Collector(reasons)]
    try:
        is_sent = service_of(channel).notify(body=body, title=title)
    except InvalidInput as error:
        is_sent, reasons = False, [str(error)]
    except Exception as error:
        # Whatever it is, it is the fault of this channel alone.
        is_sent = False
        reasons.append(f"{type(error).__name__}: {error}")
    answer.send(("sent", "") if is_sent else ("failed", "; ".join(reasons) or "not taken, no reason given"))


class _Collector(logging.Handler):
    """Keeps warnings and errors."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
