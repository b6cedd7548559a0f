"""LocalExecutor that queues no more tasks than it has workers and detects a blocked queue."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.executors.local_executor import LocalExecutor
from airflow.utils.state import TaskInstanceState

if TYPE_CHECKING:
    from airflow.executors.workloads import ExecutorWorkload
    from airflow.executors.workloads.types import WorkloadKey, WorkloadState
    from airflow.models.taskinstance import TaskInstance

STUCK_S = 30.0
"""Seconds after which a queue from which no worker takes a task is blocked; far longer than at full load."""


class WatchedLocalExecutor(LocalExecutor):
    """Holds a slot for each queued task, and ends the scheduler when no worker takes one.

    Airflow 3.3 holds no slots in this executor (its pull request 71914): it gives out whatever is due until
    the pipe to the workers is full, 64 kB, then the scheduler stands still until a worker reads from it
    (its issue 70526), and what is in the pipe goes first, whatever its priority.

    A task that waits for an answer ends and, answered, is given out again as the same try. The scheduler may
    hear of that end after it has given out the second part, and would take it for the second part's, and the
    task for killed (its issues 71580 and 72716): the answer of the Burst Advocate would be lost. So a task
    stays one of this executor's until each part that was given out has ended.

    Of the idle workers one holds the lock of the queue that all read from. When that one is killed (by the
    kernel for want of memory, say) the lock is never given back, and no task would ever start again, without
    an error. The scheduler ends then; its supervisor starts it and its workers anew, and it takes up the
    tasks that waited.
    """

    _waiting_since: float | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parts: Counter[WorkloadKey] = Counter()

    def _process_workloads(self, workload_list: Sequence[ExecutorWorkload]) -> None:
        keys = [workload.key for workload in workload_list]
        self.running.update(keys)
        self._parts.update(keys)
        super()._process_workloads(workload_list)

    def change_state(
        self, key: WorkloadKey, state: WorkloadState, info: Any = None, remove_running: bool = True
    ) -> None:
        """Record the state of a task; its slot is free once all its parts have ended or one has failed."""
        if state == TaskInstanceState.SUCCESS and self._parts[key] > 1:
            self._parts[key] -= 1
            remove_running = False
        else:
            del self._parts[key]
        super().change_state(key, state, info, remove_running)

    def revoke_task(self, *, ti: TaskInstance) -> None:
        """Free the slot of a task that never started, its worker killed; the API refuses a late start."""
        self.queued_tasks.pop(ti.key, None)
        self.running.discard(ti.key)
        del self._parts[ti.key]

    def sync(self) -> None:
        """Read results, replace dead workers, and check that the queue moves."""
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
