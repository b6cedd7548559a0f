"""The notification channels: webhooks and URLs of the library Apprise, each with its tags.

The file has one line per channel, ``tag[, tag] = URL``. The tag of a person is the login name. A URL contains
passwords and tokens, so logs, records and errors show the name of the channel instead.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mxtvhf.errors import InvalidInput, SeveralFaults
from mxtvhf.models.text import one_line

LINE = re.compile(r"\s*(?P<tags>[A-Za-z0-9._-]+(?:\s*,\s*[A-Za-z0-9._-]+)*)\s*=\s*(?P<url>\S.*?)\s*")
SERVICE = re.compile(r"([A-Za-z0-9+-]{2,32})://")
LEAST_SECRET = 4
"""Smallest length of a part of a URL that is removed from reasons, characters. Shorter parts are in words."""
LONGEST_REASON = 200


@dataclass(frozen=True)
class Channel:
    """A channel that reaches the people of its tags."""

    name: str
    """``<first tag>/<service>``, with a number if there are several."""
    tags: tuple[str, ...]
    url: str = field(repr=False)
    line: int
    """Line number in the file."""

    def blanked(self, text: str) -> str:
        """Return a text, for example a reason, with each part of the URL replaced by ``***``."""
        text = re.sub(r"\w+://\S+", "***", text)
        parts = re.split(r"[/:@?&=,#]+", urlsplit(self.url)._replace(scheme="").geturl())
        for part in sorted({*parts, *map(unquote, parts)}, key=len, reverse=True):
            if len(part) >= LEAST_SECRET:
                text = text.replace(part, "***")
        return one_line(text, LONGEST_REASON)


def read_channels(path: Path) -> tuple[list[Channel], list[str]]:
    """Read a file of channels.

    Returns
    -------
    channels, faults
        The valid channels, and one message for each invalid line. No message shows a URL.

    Raises
    ------
    InvalidInput
        The file cannot be read.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "not UTF-8"
        raise InvalidInput(f"{path}: the channels file cannot be read: {cause}") from None
    channels: list[Channel] = []
    faults, known = [], Counter[str]()
    for number, text in enumerate(lines, start=1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        found = LINE.fullmatch(text)
        service = SERVICE.match(found["url"]) if found else None
        if not found or not service:
            faults.append(f"{path}, line {number}: invalid line; expected 'tag[, tag] = URL'")
            continue
        tags = tuple(tag.strip() for tag in found["tags"].split(","))
        name = f"{tags[0]}/{service[1].lower()}"
        known[name] += 1
        name = name if known[name] == 1 else f"{name} {known[name]}"
        channels.append(Channel(name=name, tags=tags, url=found["url"], line=number))
    return channels, faults


def check_channels(path: Path) -> list[Channel]:
    """Read a file of channels and validate each URL. Nothing is sent.

    Raises
    ------
    InvalidInput
        The file cannot be read or contains no channel.
    SeveralFaults
        Lines are invalid. The message has one line for each.
    """
    from mxtvhf.notification.service import check_service

    channels, faults = read_channels(path)
    for channel in channels:
        try:
            check_service(channel)
        except InvalidInput as error:
            faults.append(f"{path}, {error}")
    if faults:
        raise SeveralFaults("\n".join(faults))
    if not channels:
        raise InvalidInput(f"{path}: no channel found; expected lines 'tag[, tag] = URL'")
    return channels
