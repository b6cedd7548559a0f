"""The polling of a GP job: what each poll means, and when the next one is due."""

from __future__ import annotations

import time
from collections.abc import Callable

from mxtvhf.workflow.gp.contract import (
    UNKNOWN_GRACE_S,
    GpBusy,
    GpStatus,
    GpTimeout,
    GpUnknownJobError,
    pause_after_failures,
)


class Polling:
    """The state of a series of polls, whoever makes them and whether they block or not.

    Parameters
    ----------
    interval_s
        Seconds between two polls while GP answers; failing polls are spaced further and further.
    unknown_grace_s
        For how long GP may say that it does not know the job, as while it restarts.
    clock
        Seconds on any clock that only grows.
    """

    def __init__(
        self,
        interval_s: float,
        *,
        unknown_grace_s: float = UNKNOWN_GRACE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last = "not asked yet"
        """What the last poll gave, for a message."""
        self._interval_s, self._grace_s, self._clock = interval_s, unknown_grace_s, clock
        self._failures = 0
        self._retry_after: float | None = None
        self._unknown_since: float | None = None

    def answered(self, status: GpStatus) -> None:
        """Note that GP gave the job's state."""
        self._failures, self._retry_after, self._unknown_since = 0, None, None
        self.last = f"still {status.state}"

    def failed(self, error: GpBusy | GpUnknownJobError) -> None:
        """Note that a poll failed in a way that may pass.

        Raises
        ------
        GpUnknownJobError
            GP has not known the job for longer than the grace.
        """
        self.last = str(error)
        if isinstance(error, GpBusy):
            self._failures, self._retry_after = self._failures + 1, error.retry_after
            return
        self._failures, self._retry_after = 0, None
        if self._unknown_since is None:
            self._unknown_since = self._clock()
        if self._clock() - self._unknown_since >= self._grace_s:
            raise error

    def given_up(self, text: str) -> GpBusy | GpTimeout:
        """Return the error of a wait that is over: GP is not reached, or works for too long."""
        return GpBusy(text) if self._failures else GpTimeout(text)

    def pause_s(self, left_s: float) -> float:
        """Return the seconds until the next poll, of those that are left before the deadline."""
        return min(left_s, pause_after_failures(self._failures, self._retry_after, self._interval_s))
