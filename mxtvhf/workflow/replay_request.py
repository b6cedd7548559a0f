"""The parameters of the replay DAG."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId

REPLAY_DAG_ID = "mxt_vhf_replay"
SLOWEST = 1e-3
"""Smallest playback speed; it stretches an hour between two inputs to six weeks."""


class ReplayRequest(Model):
    """The inputs to replay and the playback speed: ``dag_run.conf`` of ``mxt_vhf_replay``."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    burst_id: BurstId | None = Field(
        default=None, description="Only this burst; empty replays the newest inputs of the archive"
    )
    burst_ids: tuple[BurstId, ...] = Field(default=(), description="Only these bursts")
    first_day: date | None = Field(
        default=None,
        alias="from",
        description="Only bursts of this day or later (date in the burst id)",
    )
    last_day: date | None = Field(
        default=None,
        alias="to",
        description="Only bursts of this day or earlier (date in the burst id)",
    )
    limit: int = Field(default=5, ge=1, le=1000, description="Largest number of inputs, newest first")
    speed: float | None = Field(
        default=None,
        ge=SLOWEST,
        allow_inf_nan=False,
        description="Playback speed: 1 keeps the original spacing, 10 is ten times faster; empty sends all "
        "at once",
    )

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise ValueError(
                f"the first day {self.first_day} is after the last day {self.last_day}; swap them"
            )
        return self

    @property
    def bursts(self) -> frozenset[str]:
        """The burst ids that are named; empty means all."""
        return frozenset(filter(None, (self.burst_id, *self.burst_ids)))

    def wants(self, burst_id: str) -> bool:
        """Return True if a burst is selected.

        The day is the one in the burst id, so that it is the same for all inputs of a burst however late
        they arrive.

        Parameters
        ----------
        burst_id
            Burst id, ``sbYYMMDDnn``.
        """
        day = burst_id[2:8]
        return (
            (not self.bursts or burst_id in self.bursts)
            and (self.first_day is None or f"{self.first_day:%y%m%d}" <= day)
            and (self.last_day is None or day <= f"{self.last_day:%y%m%d}")
        )
