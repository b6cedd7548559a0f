"""Post to a chat: the webhook of Mattermost or Slack."""

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
"""Limits for the connection and for the answer."""
NEVER_SENT = Retry(total=3, connect=3, read=0, redirect=0, status=0, other=0, backoff_factor=0.5)
"""Retries only if nothing was sent: unknown host, no connection."""
NOT_TAKEN = (429, 503)
"""HTTP statuses of a busy server, which are retried."""
PAUSES_S = (0.5, 1.0, 2.0)
"""Pauses before further attempts."""
PAGES = ("text/html", "application/xhtml+xml")
"""Media types of a login page or a proxy; a webhook answers with plain text or JSON."""
State = Literal["sent", "refused", "unknown"]


def webhook_url(path: Path) -> str:
    """Return the URL of a webhook from its file; it is a secret and appears in no error.

    Raises
    ------
    InvalidInput
        The file cannot be read or contains no URL.
    """
    try:
        url = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path}: the file with the webhook URL cannot be read: {type(error).__name__}"
        ) from None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "\n" in url:
        raise InvalidInput(f"{path}: invalid webhook URL; expected one line with an http(s) URL")
    return url


class _Body(BytesIO):
    """Body of a request that records whether sending it has begun."""

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
    """Post a JSON object; redirections are not followed.

    Parameters
    ----------
    url
        URL of the webhook, a secret.
    content
        Object to post.
    headers
        Additional headers of the request.
    longest_answer
        Maximum number of bytes of a valid answer; None if the answer is not read, since it may never end.

    Returns
    -------
    state, reason, attempts
        ``refused``: it did not arrive, because the server refused it or nothing was sent (no host, no
        connection, no TLS); ``unknown``: sending began, but no answer arrived. The number of attempts.
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
    """Return state and reason as in `post_json`, and whether the server was only busy."""
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
            # The text of the error contains the URL, which is a secret.
            cause = type(getattr(error.args[0] if error.args else None, "reason", None) or error).__name__
            return ("unknown", cause, False) if body.is_begun else ("refused", f"not sent: {cause}", False)
    status = answer.status_code
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if 200 <= status < 300 and kind not in PAGES:
        if is_longer:
            return "unknown", f"answer longer than {longest_answer} bytes", False
        return "sent", None, False
    page = f" with a web page ({kind}) instead of the answer of a webhook" if kind in PAGES else ""
    return "refused", f"HTTP {status}{page}", status in NOT_TAKEN


def _is_longer(answer: requests.Response, limit: int) -> bool:
    """Read an answer; return True if it is longer than a number of bytes."""
    length = 0
    for part in answer.iter_content(1024):
        length += len(part)
        if length > limit:
            return True
    return False
