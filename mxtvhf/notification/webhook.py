"""Webhook channels, to which MXT-VHF posts messages itself.

Apprise counts every answer with a status 2xx as a delivery, including the login page of a proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from mxtvhf.errors import InvalidInput
from mxtvhf.notification.channels import Channel
from mxtvhf.reporting.announcement.webhook import post_json

SCHEMES = {"http": "http", "https": "https", "json": "http", "jsons": "https"}
"""Scheme of the webhook's address by the scheme of the channel."""
LONGEST_ANSWER = 65_536
"""Longest accepted answer, bytes. A webhook answers with a word or a short object."""


@dataclass(frozen=True)
class Webhook:
    """A webhook and the form of its messages."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    is_chat: bool
    """True for ``{"text": ...}`` (Mattermost, Slack), False for ``{"title": ..., "message": ...}``."""

    def post(self, title: str, body: str) -> str | None:
        """Post a message and return the reason of a failure; None if the message was accepted."""
        content = {"text": f"{title}\n{body}"} if self.is_chat else {"title": title, "message": body}
        state, reason, _ = post_json(self.url, content, headers=self.headers, longest_answer=LONGEST_ANSWER)
        return None if state == "sent" else reason


def webhook_of(channel: Channel) -> Webhook | None:
    """Return the webhook of a channel; None for a channel of Apprise.

    Raises
    ------
    InvalidInput
        The URL has no host, an invalid port, or an option that is not a header.
    """
    scheme = channel.url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        return None
    try:
        parts = urlsplit(channel.url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise InvalidInput(
            f"line {channel.line}: {channel.name}: invalid host or port; expected scheme://host[:port]/path"
        )
    is_chat = scheme in ("http", "https")
    headers = {} if is_chat else _headers(channel, parts.query)
    url = parts._replace(scheme=SCHEMES[scheme], query=parts.query if is_chat else "").geturl()
    return Webhook(url=url, headers=headers, is_chat=is_chat)


def _headers(channel: Channel, query: str) -> dict[str, str]:
    """Return the headers in the query of a URL, written as ``+NAME=VALUE`` like in Apprise."""
    headers = {}
    for option in filter(None, query.split("&")):
        name, _, value = (unquote(part) for part in option.partition("="))
        if not name.startswith("+"):
            raise InvalidInput(
                f"line {channel.line}: {channel.name}: unknown option {name!r}; expected +HEADER=VALUE"
            )
        headers[name[1:]] = value
    return headers
