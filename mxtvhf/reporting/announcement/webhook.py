"""Telling a chat: the webhook of Mattermost or Slack."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from mxtvhf.errors import InvalidInput

log = logging.getLogger(__name__)

TIMEOUT_S = (5.0, 10.0)
"""To connect, and to wait for an answer."""
NEVER_SENT = Retry(total=3, connect=3, read=0, redirect=0, status=0, other=0, backoff_factor=0.5)
"""Tried again is what surely did not arrive: no such host, no connection."""
NOT_TAKEN = (429, 503)
"""Statuses with which a server says that it did nothing with the text, for now: tried again, too."""
PAUSES_S = (0.5, 1.0, 2.0)
"""Before each further attempt."""
PAGES = ("text/html", "application/xhtml+xml")
"""A webhook answers with plain text or JSON; a page is that of a login or of a proxy."""
State = Literal["sent", "refused", "unknown"]


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


def post(url: str, text: str) -> tuple[State, str | None, int]:
    """Post a text in the form of Mattermost and Slack, ``{"text": ...}``; see `post_json`."""
    return post_json(url, {"text": text})


def post_json(
    url: str,
    content: Mapping[str, str],
    *,
    headers: Mapping[str, str] | None = None,
    longest_answer: int | None = None,
) -> tuple[State, str | None, int]:
    """Post a JSON object; follow no redirection.

    Parameters
    ----------
    url
        Of the webhook, a secret.
    content
        The object.
    headers
        Further ones of the request.
    longest_answer
        Bytes that the answer may have; a longer one does not count as an answer. None: it is not read.

    Returns
    -------
    state, reason, attempts
        ``refused``: it surely did not arrive, because the server said so or because nothing was sent (no such
        host, no connection, no TLS); ``unknown``: sending it began, but no answer came. How often the server
        was asked.
    """
    body = json.dumps(content).encode()
    for attempt, pause_s in enumerate((*PAUSES_S, None), 1):
        state, reason, is_busy = _post_once(url, body, headers or {}, longest_answer)
        if not is_busy or pause_s is None:
            break
        log.warning("webhook: attempt %d: %s, next one in %.1f s", attempt, reason, pause_s)
        time.sleep(pause_s)
    return state, reason, attempt


def _post_once(
    url: str, content: bytes, headers: Mapping[str, str], longest_answer: int | None
) -> tuple[State, str | None, bool]:
    """Return state and reason, as `post_json`, and whether the server was only busy."""
    body = _Body(content)
    with requests.Session() as session:
        session.mount(url, HTTPAdapter(max_retries=NEVER_SENT))
        try:
            answer = session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            )
            is_longer = longest_answer is not None and _is_longer(answer, longest_answer)
        except requests.RequestException as error:
            # The error's own text has the URL, which is a secret.
            cause = type(getattr(error.args[0] if error.args else None, "reason", None) or error).__name__
            return ("unknown", cause, False) if body.is_begun else ("refused", f"not sent: {cause}", False)
    status = answer.status_code
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if 200 <= status < 300 and kind not in PAGES:
        if is_longer:
            return "unknown", f"answer longer than {longest_answer} bytes", False
        return "sent", None, False
    page = f" with a page ({kind}), not with the answer of a webhook" if kind in PAGES else ""
    return "refused", f"HTTP {status}{page}", status in NOT_TAKEN


def _is_longer(answer: requests.Response, limit: int) -> bool:
    """Read an answer, and tell whether it is longer than a number of bytes."""
    length = 0
    for part in answer.iter_content(1024):
        length += len(part)
        if length > limit:
            return True
    return False
