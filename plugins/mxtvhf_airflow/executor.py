"""LocalExecutor that preloads, queues no more tasks than it has workers and detects a blocked queue."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.executors.local_executor import LocalExecutor
from airflow.utils.state import TaskInstanceState

from mxtvhf_airflow.preload import preload

if TYPE_CHECKING:
    from airflow.executors.workloads import ExecutorWorkload
    from airflow.executors.workloads.types import WorkloadKey, WorkloadState
    from airflow.models.taskinstance import TaskInstance

STUCK_S = 30.0
"""Seconds after which a queue from which no worker takes a task is blocked; far longer than at full load."""


class PreloadedLocalExecutor(LocalExecutor):
    """LocalExecutor whose workers have loaded what tasks need, with a slot for each task that it was given.

    It overrides methods that Airflow documents for executors (*Writing Your Own Executor*: `start`,
    `_process_workloads`, `sync`) and public methods of `BaseExecutor` (`change_state`, `revoke_task`). Each
    of them does what Airflow's own method does, and in addition:

    `start` loads what tasks need before the workers are forked (`preload`).

    `_process_workloads` holds a slot for each task. LocalExecutor of Airflow 3.3 holds none
    (https://github.com/apache/airflow/pull/71914): it gives out whatever is due until the pipe to the workers
    is full, 64 kB, then the scheduler stands still until a worker reads from it
    (https://github.com/apache/airflow/issues/70526), and what is in the pipe goes first, whatever its
    priority.

    `change_state` keeps a task among the running ones until each part that was given out has ended. A task
    that waits for an answer ends and, answered, is given out again as the same try. The scheduler may hear of
    that end after it has given out the second part, and would take the task for killed
    (https://github.com/apache/airflow/issues/71580, https://github.com/apache/airflow/issues/72716): the
    answer of the Burst Advocate would be lost.

    `sync` ends the scheduler when no worker takes a task. Of the idle workers one holds the lock of the queue
    that all read from. When that one is killed (by the kernel for want of memory, say) the lock is never
    given back, and no task would ever start again, without an error. The supervisor of the scheduler starts
    it and its workers anew, and it takes up the tasks that waited.
    """

    _waiting_since: float | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parts: Counter[WorkloadKey] = Counter()

    def start(self) -> None:
        """Preload, then start the workers."""
        preload()
        super().start()

    def _process_workloads(self, workload_list: Sequence[ExecutorWorkload]) -> None:
        """Give out tasks, and hold a slot for each."""
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
