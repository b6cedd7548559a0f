"""Messages that were lost inside a stream before they arrived here, as the intake noticed it.

One line each in ``archive/streams/gaps.jsonl``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime

from mxtvhf.models.kept import KeptModel
from mxtvhf.models.kept_lines import append_record, read_records


class StreamGap(KeptModel):
    """Messages of a stream that never arrived here."""

    stream: str
    first: int
    """Number in the stream."""
    last: int
    account: int
    """How many times the stream's numbers had begun anew before."""
    cause: Literal["unreadable in the stream", "the stream lost its end"]
    noticed: AwareDatetime

    @property
    def messages(self) -> int:
        """How many."""
        return self.last - self.first + 1


def write_gap(archive_root: Path, gap: StreamGap) -> None:
    """Write down a loss, durably."""
    append_record(_path(archive_root), gap)


def read_gaps(archive_root: Path) -> list[StreamGap]:
    """Return the noticed losses of all streams, in the order in which they were noticed."""
    return read_records(_path(archive_root), StreamGap)


def _path(archive_root: Path) -> Path:
    return archive_root / "streams" / "gaps.jsonl"
