"""The waiting room: messages as received, durable before they are acknowledged.

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
"""No intake takes so long to write a message."""
MAX_SOURCE = 500
"""Characters of a source; paths and subjects may have thousands."""


class Label(KeptModel):
    """The first line of a waiting message."""

    source: str
    received: AwareDatetime


@dataclass(frozen=True)
class ReceivedMessage:
    """A message that was received and waits to be filed.

    Attributes
    ----------
    raw
        Its bytes as received.
    source
        By which way it came and under which name there; kept with escapes for what cannot be printed, since
        a name may be any bytes.
    received
        When, UTC.
    signature
        Its publisher's, where the way has room for one (`intake.signatures`); checked before it is kept.
    """

    raw: bytes
    source: str
    received: datetime
    signature: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", escaped(self.source, MAX_SOURCE))


class Spool:
    """The waiting room below one archive; several intakes may share it.

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
        """Keep a message; when this returns it survives the loss of power and may be acknowledged.

        Raises
        ------
        OSError
            It could not be kept: it must not be acknowledged.
        """
        label = Label(source=message.source, received=message.received).model_dump_json().encode()
        write_once(self.folder / f"{sha256_of(message.raw)}.msg", label + b"\n" + message.raw)

    def _sweep(self) -> None:
        """Remove what a killed intake had begun to write, and not acknowledged."""
        for part in self.folder.glob(".*.part"):
            with suppress(FileNotFoundError):  # another intake sweeps, too
                if time.time() - part.stat().st_mtime > STALE_S:
                    part.unlink()

    def waiting(self) -> list[Path]:
        """Messages that wait, oldest first."""
        return sorted(self.folder.glob("*.msg"), key=_age)

    def read(self, path: Path) -> ReceivedMessage | None:
        """Read one of `waiting`; None when another intake has filed it meanwhile.

        A message that is whole behind an unreadable label gets its file's name and time.

        Raises
        ------
        NewerVersion
            It was kept in the format of a later version of this software.
        InvalidInput
            Neither its label nor the message is as it was kept.
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
            log.error("%s; the message itself is complete and is filed", error)
            return ReceivedMessage(
                raw, f"{path.name}, unreadable label", datetime.fromtimestamp(written, UTC)
            )
        if not is_whole:
            log.error("%s: damaged on disk: the SHA-256 differs; the message is filed as it is", path)
        return ReceivedMessage(raw, known.source, known.received)

    def done(self, path: Path) -> None:
        """Forget a message: it is filed, or in quarantine."""
        path.unlink(missing_ok=True)


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except FileNotFoundError:
        return 0, path.name
