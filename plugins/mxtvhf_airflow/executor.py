"""LocalExecutor that notices when its queue is stuck."""

from __future__ import annotations

import os
import time

from airflow.executors.local_executor import LocalExecutor

STUCK_S = 30.0
"""So long no worker took a task that waits for one; far longer than a busy machine makes it wait."""


class WatchedLocalExecutor(LocalExecutor):
    """Ends the scheduler when no worker takes what is queued, so that its supervisor starts both anew.

    Of the idle workers one holds the lock of the queue that all read from. When that one is killed (by the
    kernel for want of memory, say) the lock is never given back, and no task would ever start again, without
    an error (Airflow 3.3). The next scheduler takes up the tasks that waited.
    """

    _waiting_since: float | None = None

    def sync(self) -> None:
        """Read results, replace dead workers, and look whether the queue moves."""
        # A worker says so when it takes a task, and again at its end.
        moved = not self.result_queue.empty()
        super().sync()
        if moved or self.activity_queue.empty():
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = time.monotonic()
        elif time.monotonic() - self._waiting_since > STUCK_S:
            self.log.critical("no worker has taken a task for %.0f s: the scheduler ends", STUCK_S)
            # An orderly end would wait for the workers.
            os._exit(1)
