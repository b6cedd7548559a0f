"""Messages that were lost in a stream before the intake received them.

Each gap is one line in ``archive/streams/gaps.jsonl``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime

from mxtvhf.models.kept import KeptModel
from mxtvhf.models.kept_lines import append_record, read_records


class StreamGap(KeptModel):
    """Consecutive messages of a stream that were not received."""

    stream: str
    first: int
    """Sequence number in the stream."""
    last: int
    account: int
    """Number of restarts of the stream's sequence numbers before."""
    cause: Literal["unreadable in the stream", "the stream lost its end"]
    noticed: AwareDatetime

    @property
    def messages(self) -> int:
        """Number of lost messages."""
        return self.last - self.first + 1


def write_gap(archive_root: Path, gap: StreamGap) -> None:
    """Record a gap durably."""
    append_record(_path(archive_root), gap)


def read_gaps(archive_root: Path) -> list[StreamGap]:
    """Return the gaps of all streams in the order in which they were recorded."""
    return read_records(_path(archive_root), StreamGap)


def _path(archive_root: Path) -> Path:
    return archive_root / "streams" / "gaps.jsonl"
