"""The spool of received messages, which are stored durably before they are acknowledged.

::

    archive/incoming/<sha256>.msg    one line of JSON (source, time), then the message itself
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime

from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import sha256_of, write_once
from mxtvhf.models.kept import KeptModel, parse_kept
from mxtvhf.models.text import escaped

log = logging.getLogger(__name__)

STALE_S = 3600.0
"""Age of an unfinished file that no intake can still be writing, seconds."""
MAX_SOURCE = 500
"""Longest name of a source, characters; paths and subjects may have thousands."""


class Label(KeptModel):
    """The first line of a waiting message."""

    source: str
    received: AwareDatetime


@dataclass(frozen=True)
class ReceivedMessage:
    """A received message that waits to be filed.

    Attributes
    ----------
    raw
        Bytes as received.
    source
        Transport and name of the message there; unprintable characters are escaped, because a name may
        contain any bytes.
    received
        Time of reception, UTC.
    signature
        Signature of the publisher (`intake.signatures`), checked before the message is stored; None if the
        transport delivered none.
    """

    raw: bytes
    source: str
    received: datetime
    signature: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", escaped(self.source, MAX_SOURCE))


class Spool:
    """The spool of one archive. Several intakes may share it.

    Parameters
    ----------
    archive_root
        Folder of the archive.
    """

    def __init__(self, archive_root: Path) -> None:
        self.folder = archive_root / "incoming"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def keep(self, message: ReceivedMessage) -> None:
        """Store a message so that it survives a loss of power. It may be acknowledged afterwards.

        Raises
        ------
        OSError
            The message could not be stored and must not be acknowledged.
        """
        label = Label(source=message.source, received=message.received).model_dump_json().encode()
        write_once(self.folder / f"{sha256_of(message.raw)}.msg", label + b"\n" + message.raw)

    def _sweep(self) -> None:
        """Remove unfinished files of killed intakes. Their messages were never acknowledged."""
        for part in self.folder.glob(".*.part"):
            with suppress(FileNotFoundError):  # another intake may have removed it
                if time.time() - part.stat().st_mtime > STALE_S:
                    part.unlink()

    def waiting(self) -> list[Path]:
        """Return the paths of the waiting messages, oldest first."""
        return sorted(self.folder.glob("*.msg"), key=_age)

    def read(self, path: Path) -> ReceivedMessage | None:
        """Read a waiting message; return None if another intake has filed it meanwhile.

        A complete message with an unreadable label gets the name and the time of its file.

        Raises
        ------
        NewerVersion
            A later version of this software wrote the file in its own format.
        InvalidInput
            Both the label and the message are damaged.
        """
        try:
            label, _, raw = path.read_bytes().partition(b"\n")
            written = path.stat().st_mtime
        except FileNotFoundError:
            return None
        is_whole = path.name == f"{sha256_of(raw)}.msg"
        try:
            known = parse_kept(label, Label, name=str(path))
        except InvalidInput as error:
            if not is_whole:
                raise
            log.error("%s; the message itself is complete and was filed", error)
            return ReceivedMessage(
                raw, f"{path.name}, unreadable label", datetime.fromtimestamp(written, UTC)
            )
        if not is_whole:
            log.error("%s: damaged on disk: the SHA-256 differs; the message was filed as it is", path)
        return ReceivedMessage(raw, known.source, known.received)

    def done(self, path: Path) -> None:
        """Remove a message that was filed or put into quarantine."""
        path.unlink(missing_ok=True)


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except FileNotFoundError:
        return 0, path.name
