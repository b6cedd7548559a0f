"""The ledger of the messages received from a stream, used to detect losses inside the stream.

NATS 2.9 silently skips a message whose bytes on its disk have changed. If it loses its newest messages, it
silently gives their numbers to later ones. ::

    archive/streams/<stream>.<made>.seen    one line per stored message: stream sequence number and digest;
                                            the first line is the format (missing in version 0.1.0)
    archive/streams/gaps.jsonl              one line per detected loss, see ``archive.stream_gaps``
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from mxtvhf import __version__
from mxtvhf.archive.stream_gaps import StreamGap, read_gaps, write_gap
from mxtvhf.models.files import sha256_of, write_once
from mxtvhf.models.kept import log_once
from mxtvhf.models.kept_lines import append_line, keep_unreadable, read_content

LEDGER_VERSION = 1
_FORMAT = re.compile(rb"# schema_version (\d{1,9})")
_LINE = re.compile(rb"(\d{1,19}) ([0-9a-f]{16})")


class StreamLedger:
    """The ledger of one stream, shared by all intakes of an archive.

    Parameters
    ----------
    archive_root
        Folder of the archive.
    stream
        Name of the stream.
    made
        Creation time of the stream on the server. A stream that is created again numbers from 1.
    """

    def __init__(self, archive_root: Path, stream: str, made: datetime) -> None:
        self.stream = stream
        self._archive_root = archive_root
        self._folder = archive_root / "streams"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._folder / f"{stream}.{made.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}.seen"
        self._begin()
        self._read_up_to = 0
        self._seen: dict[int, str] = {}

    def note(self, number: int, raw: bytes) -> None:
        """Record a stored message. Call it before the message is acknowledged."""
        append_line(self._path, f"{number} {sha256_of(raw)[:16]}".encode(), durable=False)

    def newest(self) -> int | None:
        """Return the highest received number; None before the first message."""
        return max(self._account(), default=None)

    def agrees(self, number: int, raw: bytes) -> bool:
        """Return True if the message with this number is the one that was received under it."""
        return self._account().get(number) == sha256_of(raw)[:16]

    def missing(self, first: int, last: int) -> list[int]:
        """Return the numbers of a range that were neither received nor recorded as lost."""
        seen = self._account()
        known, account = read_gaps(self._archive_root), self._number()
        here = [gap for gap in known if (gap.stream, gap.account) == (self.stream, account)]
        lost = {number for gap in here for number in range(gap.first, gap.last + 1)}
        return [number for number in range(first, last + 1) if number not in seen and number not in lost]

    def lose(self, first: int, last: int, cause: str) -> StreamGap:
        """Record a loss and return it."""
        gap = StreamGap.model_validate(
            {
                "stream": self.stream,
                "first": first,
                "last": last,
                "account": self._number(),
                "cause": cause,
                "noticed": datetime.now(UTC),
            }
        )
        write_gap(self._archive_root, gap)
        return gap

    def start_anew(self) -> None:
        """Start a new ledger file, because the numbers of the stream have been reused."""
        moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        self._path.rename(self._path.with_name(f"{self._path.name}.until-{moment}"))
        self._begin()
        self._seen, self._read_up_to = {}, 0

    def _begin(self) -> None:
        write_once(self._path, f"# schema_version {LEDGER_VERSION}\n".encode())

    def _number(self) -> int:
        return len(list(self._folder.glob(f"{self.stream}.*.until-*")))

    def _account(self) -> dict[int, str]:
        """Read the lines that this and other intakes have added."""
        if self._path.stat().st_size < self._read_up_to:
            self._seen, self._read_up_to = {}, 0
        whole, end, _ = read_content(self._path, self._read_up_to).rpartition(b"\n")
        self._read_up_to += len(whole) + len(end)
        for line in whole.split(b"\n") if end else ():
            self._read_line(line)
        return self._seen

    def _read_line(self, line: bytes) -> None:
        if found := _LINE.fullmatch(line):
            self._seen[int(found[1])] = found[2].decode()
        elif version := _FORMAT.fullmatch(line):
            if int(version[1]) > LEDGER_VERSION:
                log_once(
                    f"{self._path}: schema version {int(version[1])}; mxtvhf {__version__} reads up to "
                    f"{LEDGER_VERSION}; upgrade mxtvhf; lines in an unknown format are ignored"
                )
        elif line:
            keep_unreadable(self._path, line, f"{self._path}: unreadable line {line[:40]!r}")
