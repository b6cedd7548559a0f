"""Task supervisor that notices the end of the task's process at once.

The supervisor of Airflow 3.3 reads from the process until its sockets are closed, checks once whether the
process has exited, and otherwise waits on no socket at all for ``[workers] min_heartbeat_interval`` (5 s). A
process closes its sockets a moment before it exits; on a machine with more work than cores the check mostly
falls into that moment, and the worker is lost to other tasks for 5 s (``docs/performance.md``).
"""

from __future__ import annotations

from contextlib import suppress

from airflow.sdk.execution_time.supervisor import WatchedSubprocess

_listen = WatchedSubprocess._service_subprocess


def notice_task_end() -> None:
    """Make the task supervisors of this process, and of those forked from it, wait with `wait_for`."""
    WatchedSubprocess._service_subprocess = wait_for  # type: ignore[method-assign]


def wait_for(
    self: WatchedSubprocess,
    max_wait_time: float,
    raise_on_timeout: bool = False,
    expect_signal: int | None = None,
) -> int | None:
    """Wait for a message of the process or, with all sockets closed, for its exit; return its exit status.

    Replaces `WatchedSubprocess._service_subprocess`, whose parameters these are.
    """
    if self.selector.get_map():
        return _listen(self, max_wait_time, raise_on_timeout, expect_signal)  # type: ignore[no-any-return]
    with suppress(self._process.TimeoutExpired):
        self._process.wait(timeout=max_wait_time)
    status: int | None = self._check_subprocess_exit(raise_on_timeout, expect_signal)
    return status
