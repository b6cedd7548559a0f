"""Telling a chat: the webhook of Mattermost or Slack."""

from __future__ import annotations

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
"""Tried again is only what surely did not arrive: no connection."""


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


def post(url: str, text: str) -> tuple[Literal["sent", "refused", "unknown"], str | None]:
    """Post a text as Mattermost and Slack take it, ``{"text": ...}``; follow no redirection.

    Returns
    -------
    state, reason
        ``refused``: it surely did not arrive; ``unknown``: it was sent, but no answer came.
    """
    with requests.Session() as session:
        session.mount(url, HTTPAdapter(max_retries=NEVER_SENT))
        try:
            answer = session.post(url, json={"text": text}, timeout=TIMEOUT_S, allow_redirects=False)
        except requests.ConnectTimeout as error:
            return "refused", type(error).__name__
        except requests.ConnectionError as error:
            reached = "NewConnectionError" not in repr(error)
            return ("unknown" if reached else "refused"), type(error).__name__
        except requests.RequestException as error:
            return "unknown", type(error).__name__
    if 200 <= answer.status_code < 300:
        return "sent", None
    return "refused", f"HTTP {answer.status_code}"
