"""Comments on bursts: one thread per burst, to which comments are only added.

::

    desk/comments/<burst>.jsonl     one `Comment` per line
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from mxtvhf.errors import InvalidInput
from mxtvhf.models.ids import BurstId
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.kept_lines import append_record, read_records

MAX_COMMENT = 2000
"""Maximum number of characters of a comment."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters other than tab and line breaks: a terminal obeys them, a page cannot show them."""

CommentText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_COMMENT)]


class Comment(KeptModel):
    """Comment on a burst."""

    burst_id: BurstId
    author: str = Field(min_length=1)
    """Login name."""
    written: AwareDatetime
    text: CommentText
    """Text as typed; the pages escape it."""


class Comments:
    """Comments in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def of(self, burst_id: str) -> list[Comment]:
        """Return the comments on a burst, oldest first."""
        return read_records(self._path(burst_id), Comment)

    def add(self, burst_id: str, text: str, *, author: str, now: datetime) -> Comment:
        """Add a comment and sync it to disk.

        Raises
        ------
        pydantic.ValidationError
            The text is empty or longer than ``MAX_COMMENT`` characters.
        InvalidInput
            It has control characters.
        OSError
            The file cannot be written.
        """
        if CONTROL.search(text):
            raise InvalidInput("the comment has control characters; type it without them")
        comment = Comment(burst_id=burst_id, author=author, written=now, text=text)
        self.root.mkdir(parents=True, exist_ok=True)
        append_record(self._path(burst_id), comment)
        return comment

    def _path(self, burst_id: str) -> Path:
        return self.root / f"{burst_id}.jsonl"
