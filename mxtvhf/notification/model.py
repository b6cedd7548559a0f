"""The records of notifications, as kept on disk."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from mxtvhf.models.ids import BURST_ID_PATTERN, TEST_MARK
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.position import Position
from mxtvhf.settings import NotifiedEvent

INSTALLATION = "installation"
"""Subject of what is about no burst."""

SUBJECT_PATTERN = rf"{BURST_ID_PATTERN.rstrip('$')}({TEST_MARK})?$|^{INSTALLATION}$"


class Occurrence(KeptModel):
    """Something that people are notified of, as written to ``<subject>/occurrences/<key>.json``, once."""

    key: str = Field(pattern=r"^[A-Za-z0-9._~:+-]{1,200}$")
    """The same occurrence has the same key, so that it is kept once."""
    event: NotifiedEvent | Literal["shift_reminder"]
    subject: str = Field(pattern=SUBJECT_PATTERN)
    """Burst id, that of a test with its mark, or `INSTALLATION`."""
    raised: AwareDatetime
    title: str
    """One line."""
    body: str
    """What, where, how sure, what to do, the link: a line each."""
    run_id: str | None = None
    """The run whose result it tells of; None for what tells of no result."""
    to: str | None = None
    """The person that it is for; None: as the rules say."""
    verdict: str = ""
    """Of the result that it tells of; empty without one."""
    position: Position | None = None
    """Best position of that result."""

    @property
    def is_test(self) -> bool:
        """True for a test burst."""
        return self.subject.endswith(TEST_MARK)

    @property
    def burst_id(self) -> str | None:
        """The burst; None for what is about no burst."""
        return None if self.subject == INSTALLATION else self.subject.removesuffix(TEST_MARK)


class Addressed(KeptModel):
    """To whom an occurrence goes, as a line of ``<subject>/addressed.jsonl``; decided once for each stage."""

    key: str
    """Of the occurrence."""
    stage: int = Field(ge=0, le=2)
    """0: at once; 1: the next person, as nobody acknowledged; 2: everybody."""
    to: tuple[str, ...]
    """Tags of channels."""
    reason: str
    """Why these, in a clause."""
    time: AwareDatetime


class Attempt(KeptModel):
    """One try to deliver an occurrence by a channel, as a line of ``<subject>/attempts.jsonl``."""

    key: str
    channel: str
    """Name of the channel; its URL is a secret."""
    to: tuple[str, ...]
    """The channel's tags."""
    state: Literal["sent", "failed"]
    """``sent``: the channel's service took it."""
    reason: str = ""
    time: AwareDatetime


class Acknowledgement(KeptModel):
    """Somebody has a burst in hand, as a line of ``<subject>/acknowledged.jsonl``; the last one counts."""

    by: str
    """Login name."""
    time: AwareDatetime


class DrillOrder(KeptModel):
    """A test burst that notifies people as a live one does, as written to ``<subject>/drill-order.json``."""

    by: str
    time: AwareDatetime
