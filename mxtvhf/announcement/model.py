"""The decision of the Burst Advocate and what was released by it."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from mxtvhf.models import BurstId, Model, Position, Product


class Decision(Model):
    """What the Burst Advocate decided about the report of a run."""

    run_id: str
    burst_id: BurstId
    choice: Literal["approve", "reject"]
    position: str | None = None
    """Label of the position to announce; None: the report's best one."""
    comment: str = Field(default="", max_length=2000)
    decided_by: str
    """Who, as Airflow knows them."""
    decided_at: AwareDatetime


class Delivery(Model):
    """What became of an announcement on one way out."""

    channel: Literal["nats", "webhook"]
    state: Literal["sent", "refused", "unknown", "off"]
    """``unknown``: the sender was killed in the middle, it may have arrived and is not sent again; ``off``:
    not configured, or not meant to leave (a test)."""
    time: AwareDatetime
    reason: str | None = None


class Release(Model):
    """An announcement as archived: once per run, never changed."""

    decision: Decision
    number: int = Field(ge=1)
    """Counts the announcements of a burst; each supersedes the one before."""
    ivorn: str
    """Of our VOEvent."""
    is_test: bool
    position: Position
    released: AwareDatetime
    products: dict[str, Product]
    """``voevent``, ``gcn_notice``, ``circular``, ``message``: paths relative to the release's folder."""
    deliveries: tuple[Delivery, ...] = ()
