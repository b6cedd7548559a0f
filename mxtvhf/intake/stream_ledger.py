"""Which messages of a stream have arrived here: the account by which losses inside the stream are noticed.

NATS 2.9 passes over a message whose bytes on its disk have changed, and after a loss of its newest messages
numbers others the same, both without a word. ::

    archive/streams/<stream>.<made>.seen    one line a kept message: its number in the stream, its digest
    archive/streams/gaps.jsonl              one line a noticed loss, see ``streamgaps``
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from mxtvhf.archive.stream_gaps import StreamGap, read_gaps, write_gap
from mxtvhf.models.files import sha256_of


class StreamLedger:
    """The account of one stream, shared by all intakes of an archive.

    Parameters
    ----------
    archive_root
        Folder of the archive.
    stream
        Name of the stream.
    made
        When the server made it: a stream that is made anew counts from 1 again.
    """

    def __init__(self, archive_root: Path, stream: str, made: datetime) -> None:
        self.stream = stream
        self._archive_root = archive_root
        self._folder = archive_root / "streams"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._folder / f"{stream}.{made.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}.seen"
        self._path.touch()
        self._read_up_to = 0
        self._seen: dict[int, str] = {}

    def note(self, number: int, raw: bytes) -> None:
        """Write down that a message is kept; before it is acknowledged."""
        line = f"{number} {sha256_of(raw)[:16]}\n".encode()
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            # One small write of an append-only file: lines of several intakes do not mix.
            os.write(handle, line)
        finally:
            os.close(handle)

    def newest(self) -> int | None:
        """Highest number that arrived; None before the first message."""
        return max(self._account(), default=None)

    def agrees(self, number: int, raw: bytes) -> bool:
        """Tell whether the message that has this number now is the one that arrived under it."""
        return self._account().get(number) == sha256_of(raw)[:16]

    def missing(self, first: int, last: int) -> list[int]:
        """Numbers of a range that have not arrived and are not known as lost."""
        seen = self._account()
        known, account = read_gaps(self._archive_root), self._number()
        here = [gap for gap in known if (gap.stream, gap.account) == (self.stream, account)]
        lost = {number for gap in here for number in range(gap.first, gap.last + 1)}
        return [number for number in range(first, last + 1) if number not in seen and number not in lost]

    def lose(self, first: int, last: int, cause: str) -> StreamGap:
        """Write down a loss."""
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
        """Set the account aside: the stream's numbers no longer mean what they did."""
        moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        self._path.rename(self._path.with_name(f"{self._path.name}.until-{moment}"))
        self._path.touch()
        self._seen, self._read_up_to = {}, 0

    def _number(self) -> int:
        return len(list(self._folder.glob(f"{self.stream}.*.until-*")))

    def _account(self) -> dict[int, str]:
        """Read what this and other intakes have added."""
        with self._path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < self._read_up_to:
                self._seen, self._read_up_to = {}, 0
            file.seek(self._read_up_to)
            added = file.read()
        whole, _, _ = added.rpartition(b"\n")
        self._read_up_to += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            number, _, digest = line.decode().partition(" ")
            self._seen[int(number)] = digest
        return self._seen
