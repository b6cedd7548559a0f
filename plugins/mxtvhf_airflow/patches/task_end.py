"""The worker of a task notices at once that the task's process has ended.

In Airflow 3.3 it listens to the process until nothing more can come, asks once whether the process is gone,
and else waits for a word from nobody, for ``[workers] min_heartbeat_interval`` (5 s). A process closes what
it speaks by a moment before it is gone; on a machine with more work than cores the worker mostly asks in
that moment, and is lost to other tasks for 5 s (``docs/performance.md``).
"""

from __future__ import annotations

from contextlib import suppress

from airflow.sdk.execution_time.supervisor import WatchedSubprocess

_listen = WatchedSubprocess._service_subprocess


def notice_task_end() -> None:
    """Have the supervisors of tasks in this process, and in those forked from it, wait by `wait_for`."""
    WatchedSubprocess._service_subprocess = wait_for  # type: ignore[method-assign]


def wait_for(
    self: WatchedSubprocess,
    max_wait_time: float,
    raise_on_timeout: bool = False,
    expect_signal: int | None = None,
) -> int | None:
    """Wait for a word from the process or, when none can come, for its end; return its status once gone.

    Stands in for `WatchedSubprocess._service_subprocess`, whose parameters these are.
    """
    if self.selector.get_map():
        return _listen(self, max_wait_time, raise_on_timeout, expect_signal)  # type: ignore[no-any-return]
    with suppress(self._process.TimeoutExpired):
        self._process.wait(timeout=max_wait_time)
    status: int | None = self._check_subprocess_exit(raise_on_timeout, expect_signal)
    return status
