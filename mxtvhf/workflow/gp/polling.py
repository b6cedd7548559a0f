"""Polling of a GP job: interpret each poll and time the next one."""

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
    """The state of a series of polls; shared by blocking and asynchronous callers.

    Parameters
    ----------
    interval_s
        Seconds between two polls while GP answers; the interval grows after failed polls.
    unknown_grace_s
        Seconds during which GP may answer that the job is unknown, as while it restarts.
    clock
        Monotonic clock, seconds.
    """

    def __init__(
        self,
        interval_s: float,
        *,
        unknown_grace_s: float = UNKNOWN_GRACE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last = "not polled yet"
        """Result of the last poll, for messages."""
        self._interval_s, self._grace_s, self._clock = interval_s, unknown_grace_s, clock
        self._failures = 0
        self._retry_after: float | None = None
        self._unknown_since: float | None = None

    def answered(self, status: GpStatus) -> None:
        """Record a successful poll.

        Parameters
        ----------
        status
            Status that GP returned.
        """
        self._failures, self._retry_after, self._unknown_since = 0, None, None
        self.last = f"still {status.state}"

    def failed(self, error: GpBusy | GpUnknownJobError) -> None:
        """Record a failed poll that may be repeated.

        Parameters
        ----------
        error
            Error of the poll.

        Raises
        ------
        GpUnknownJobError
            GP has answered that the job is unknown for longer than ``unknown_grace_s``.
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
        """Return the error for a wait that has timed out: GP is unreachable, or its analysis takes too long.

        Parameters
        ----------
        text
            Message of the error.
        """
        return GpBusy(text) if self._failures else GpTimeout(text)

    def pause_s(self, left_s: float) -> float:
        """Return the seconds until the next poll.

        Parameters
        ----------
        left_s
            Seconds left before the deadline.
        """
        return min(left_s, pause_after_failures(self._failures, self._retry_after, self._interval_s))
