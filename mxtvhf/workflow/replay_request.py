"""What may be asked of the replay DAG."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId

REPLAY_DAG_ID = "mxt_vhf_replay"
SLOWEST = 1e-3
"""Least speed of a replay: an hour between two inputs becomes six weeks; much less has no end in time."""


class ReplayRequest(Model):
    """What is to be replayed, and how fast: ``dag_run.conf`` of ``mxt_vhf_replay``."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    burst_id: BurstId | None = Field(
        default=None, description="Only this burst; empty: the newest inputs of the archive"
    )
    burst_ids: tuple[BurstId, ...] = Field(default=(), description="Only these bursts")
    first_day: date | None = Field(
        default=None,
        alias="from",
        description="Only bursts of this day or later (the date in the id)",
    )
    last_day: date | None = Field(
        default=None,
        alias="to",
        description="Only bursts of this day or earlier (the date in the id)",
    )
    limit: int = Field(default=5, ge=1, le=1000, description="How many inputs at most, newest first")
    speed: float | None = Field(
        default=None,
        ge=SLOWEST,
        allow_inf_nan=False,
        description="With the times between the inputs as they came, so many times as fast; empty: at once",
    )

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise ValueError(f"no day is from {self.first_day} to {self.last_day}; swap the two")
        return self

    @property
    def bursts(self) -> frozenset[str]:
        """The bursts that are named; empty: all."""
        return frozenset(filter(None, (self.burst_id, *self.burst_ids)))

    def wants(self, burst_id: str) -> bool:
        """Tell whether a burst is asked for.

        The day is that of the id, ``sbYYMMDDnn``: it stays what it is however late an input comes, and holds
        all inputs of a burst together.
        """
        day = burst_id[2:8]
        return (
            (not self.bursts or burst_id in self.bursts)
            and (self.first_day is None or f"{self.first_day:%y%m%d}" <= day)
            and (self.last_day is None or day <= f"{self.last_day:%y%m%d}")
        )
