"""Server addresses: base URLs and ``host:port``, whose syntax is checked but not their reachability."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def http_url(text: str) -> str:
    """Return a base URL, ``http`` or ``https``, without the trailing slash.

    Raises
    ------
    ValueError
        The text is not such a URL, or contains a user or password; the message then does not show it.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # the port is not a number or too large, or brackets are not closed
        raise ValueError(f"found {text!r}, expected a URL such as http://host:port") from None
    if "@" in parts.netloc:
        raise ValueError("expected a URL without user and password: both belong in a file")
    is_complete = parts.scheme in ("http", "https") and parts.hostname and port != 0
    if not is_complete or parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise ValueError(f"found {text!r}, expected a URL such as http://host:port")
    return text.rstrip("/")


def host_port(text: str) -> str:
    """Return ``host:port``.

    Raises
    ------
    ValueError
        It is another text.
    """
    host, _, port = text.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65535
    if not (is_port and host and host.isprintable() and not set(host) & set("/@ ")):
        raise ValueError(f"found {text!r}, expected host:port")
    return text


HttpUrl = Annotated[str, AfterValidator(http_url)]
HostPort = Annotated[str, AfterValidator(host_port)]
