"""The records of notifications on disk."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from mxtvhf.models.ids import BURST_ID_PATTERN, TEST_MARK
from mxtvhf.models.kept import KeptModel
from mxtvhf.models.position import Position
from mxtvhf.settings import NotifiedEvent

INSTALLATION = "installation"
"""Subject of occurrences that are not about a burst."""

SUBJECT_PATTERN = rf"{BURST_ID_PATTERN.rstrip('$')}({TEST_MARK})?$|^{INSTALLATION}$"


class Occurrence(KeptModel):
    """An event that people are notified of, as written once to ``<subject>/occurrences/<key>.json``."""

    key: str = Field(pattern=r"^[A-Za-z0-9._~:+-]{1,200}$")
    """Unique key of the occurrence, so that it is recorded once."""
    event: NotifiedEvent | Literal["shift_reminder"]
    subject: str = Field(pattern=SUBJECT_PATTERN)
    """Burst id, for a test with the mark of tests, or `INSTALLATION`."""
    raised: AwareDatetime
    title: str
    """Title in one line."""
    body: str
    """Event, position, significance, action and link, one line each."""
    run_id: str | None = None
    """Run id of the result; None without a result."""
    to: str | None = None
    """The addressed person; None if the rules determine the addressees."""
    verdict: str = ""
    """Verdict of the result; empty without a result."""
    seen_by: tuple[str, ...] = ()
    """Instruments of other missions that probably detected the burst, as far as the message names them."""
    no_longer_seen_by: tuple[str, ...] = ()
    """Instruments whose detection was withdrawn since an earlier message."""
    position: Position | None = None
    """Best position of the result; None without a result."""

    @property
    def is_test(self) -> bool:
        """True for a test burst."""
        return self.subject.endswith(TEST_MARK)

    @property
    def burst_id(self) -> str | None:
        """Return the burst id; None if the occurrence is not about a burst."""
        return None if self.subject == INSTALLATION else self.subject.removesuffix(TEST_MARK)


class Addressed(KeptModel):
    """The addressees of one stage of an occurrence, as a line of ``<subject>/addressed.jsonl``."""

    key: str
    """Key of the occurrence."""
    stage: int = Field(ge=0, le=2)
    """0: first addressees; 1: next person, without an acknowledgement; 2: everybody."""
    to: tuple[str, ...]
    """Tags of channels."""
    reason: str
    """Reason for the choice as a clause."""
    time: AwareDatetime


class Attempt(KeptModel):
    """One attempt to deliver an occurrence by a channel, as a line of ``<subject>/attempts.jsonl``."""

    key: str
    channel: str
    """Name of the channel, whose URL is a secret."""
    to: tuple[str, ...]
    """Tags of the channel."""
    state: Literal["sent", "failed"]
    """``sent`` if the service of the channel accepted the message."""
    reason: str = ""
    time: AwareDatetime


class Acknowledgement(KeptModel):
    """An acknowledgement, as a line of ``<subject>/acknowledged.jsonl``; the last line counts."""

    by: str
    """Login name of the person."""
    time: AwareDatetime


class DrillOrder(KeptModel):
    """The order that a test burst notifies like a live one, as written to ``<subject>/drill-order.json``."""

    by: str
    time: AwareDatetime
