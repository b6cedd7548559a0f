"""LocalExecutor that preloads modules, limits queued tasks to free workers and detects a blocked queue."""

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
"""Time without progress after which the queue counts as blocked, seconds; much longer than at full load."""


class PreloadedLocalExecutor(LocalExecutor):
    """LocalExecutor with preloaded workers and one slot for each task.

    The class overrides methods that Airflow documents for executors (*Writing Your Own Executor*: `start`,
    `_process_workloads`, `sync`) and public methods of `BaseExecutor` (`change_state`, `revoke_task`). Each
    method extends Airflow's own method:

    `start` preloads modules before the workers are forked (`preload`).

    `_process_workloads` reserves a slot for each task. The LocalExecutor of Airflow 3.3 reserves none
    (https://github.com/apache/airflow/pull/71914). It sends all due tasks until the pipe to the workers
    (64 kB) is full. The scheduler then blocks until a worker reads
    (https://github.com/apache/airflow/issues/70526), and tasks in the pipe run first whatever their priority.

    `change_state` keeps a task among the running ones until all of its parts have ended. A deferred task ends
    and is sent again as the same try when its answer arrives. The scheduler may receive the end of the first
    part after it has sent the second one and would then treat the task as killed
    (https://github.com/apache/airflow/issues/71580, https://github.com/apache/airflow/issues/72716), so that
    the answer of the Burst Advocate would be lost.

    `sync` ends the scheduler if no worker takes a task. One idle worker holds the lock of the common queue.
    If this worker is killed, for example for lack of memory, the lock is never released, and no task would
    start again. The supervisor then restarts the scheduler and its workers, and the waiting tasks run.
    """

    _waiting_since: float | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parts: Counter[WorkloadKey] = Counter()

    def start(self) -> None:
        """Preload modules and start the workers."""
        preload()
        super().start()

    def _process_workloads(self, workload_list: Sequence[ExecutorWorkload]) -> None:
        """Send tasks to the workers and reserve a slot for each."""
        keys = [workload.key for workload in workload_list]
        self.running.update(keys)
        self._parts.update(keys)
        super()._process_workloads(workload_list)

    def change_state(
        self, key: WorkloadKey, state: WorkloadState, info: Any = None, remove_running: bool = True
    ) -> None:
        """Record the state of a task. Its slot is released when all of its parts have ended or one failed."""
        if state == TaskInstanceState.SUCCESS and self._parts[key] > 1:
            self._parts[key] -= 1
            remove_running = False
        else:
            del self._parts[key]
        super().change_state(key, state, info, remove_running)

    def revoke_task(self, *, ti: TaskInstance) -> None:
        """Release the slot of a task that never started, because its worker was killed.

        The API server rejects a late start of the task.
        """
        self.queued_tasks.pop(ti.key, None)
        self.running.discard(ti.key)
        del self._parts[ti.key]

    def sync(self) -> None:
        """Read results, replace dead workers, and check that the queue makes progress."""
        # A worker sends a result when it takes a task and when the task ends.
        moved = not self.result_queue.empty()
        super().sync()
        if moved or self.activity_queue.empty():
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = time.monotonic()
        elif time.monotonic() - self._waiting_since > STUCK_S:
            self.log.critical("no worker took a task for %.0f s; ending the scheduler", STUCK_S)
            # A regular shutdown would wait for the workers.
            os._exit(1)
