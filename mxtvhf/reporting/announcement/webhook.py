"""Telling a chat: the webhook of Mattermost or Slack."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from mxtvhf.errors import InvalidInput

TIMEOUT_S = (5.0, 10.0)
"""To connect, and to wait for an answer."""
NEVER_SENT = Retry(total=3, connect=3, read=0, redirect=0, status=0, other=0, backoff_factor=0.5)
"""Tried again is only what surely did not arrive: no such host, no connection."""


def webhook_url(path: Path) -> str:
    """Read the URL of a webhook from its file; it is a secret, and no error shows it.

    Raises
    ------
    InvalidInput
        The file cannot be read or holds no URL.
    """
    try:
        url = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: the webhook's URL cannot be read: {type(error).__name__}") from None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "\n" in url:
        raise InvalidInput(f"{path}: want one line with the http(s) URL of a webhook")
    return url


class _Body(BytesIO):
    """The body of a request, which knows whether any of it was taken to be sent."""

    is_begun = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        self.is_begun = True
        return super().read(size)


def post(url: str, text: str) -> tuple[Literal["sent", "refused", "unknown"], str | None]:
    """Post a text as Mattermost and Slack take it, ``{"text": ...}``; follow no redirection.

    Returns
    -------
    state, reason
        ``refused``: it surely did not arrive, because the server said so or because nothing was sent (no such
        host, no connection, no TLS); ``unknown``: sending it began, but no answer came.
    """
    body = _Body(json.dumps({"text": text}).encode())
    with requests.Session() as session:
        session.mount(url, HTTPAdapter(max_retries=NEVER_SENT))
        try:
            answer = session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # The error's own text has the URL, which is a secret.
            cause = type(getattr(error.args[0] if error.args else None, "reason", None) or error).__name__
            return ("unknown", cause) if body.is_begun else ("refused", f"not sent: {cause}")
    if 200 <= answer.status_code < 300:
        return "sent", None
    return "refused", f"HTTP {answer.status_code}"
