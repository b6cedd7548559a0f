"""Messages that were lost inside a stream before they arrived here, as the intake noticed it.

One line each in ``archive/streams/gaps.jsonl``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime

from mxtvhf.models.base import Model


class StreamGap(Model):
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
    with _path(archive_root).open("ab") as file:
        file.write(gap.model_dump_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_gaps(archive_root: Path) -> Iterator[StreamGap]:
    """Yield the noticed losses of all streams, in the order in which they were noticed."""
    path = _path(archive_root)
    for line in path.read_bytes().splitlines() if path.exists() else ():
        yield StreamGap.model_validate_json(line)


def _path(archive_root: Path) -> Path:
    return archive_root / "streams" / "gaps.jsonl"
