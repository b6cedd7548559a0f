"""LocalExecutor that preloads modules, holds a slot for each task and waits when there is no work."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.executors.local_executor import LocalExecutor
from airflow.utils.state import TaskInstanceState

from mxtvhf_airflow.environment import process_settings
from mxtvhf_airflow.preload import preload
from mxtvhf_airflow.wakeup import WakeUps, wakeup_pipe

if TYPE_CHECKING:
    from airflow.executors.workloads import ExecutorWorkload
    from airflow.executors.workloads.types import WorkloadKey, WorkloadState
    from airflow.models.taskinstance import TaskInstance

STUCK_S = 30.0
"""Time without progress after which the queue counts as blocked, seconds; much longer than at full load."""
BUSY_WAIT_S = 0.1
"""Wait between two looks for work, seconds. At 1 s, Airflow's default, a chain of 7 no-op tasks takes 8 s."""
IDLE_WAIT_S = 0.5
"""Longest wait for a wake-up if there was no work for `IDLE_AFTER_S`, seconds.

Answers of triggers and schedules wake nobody.
"""
IDLE_AFTER_S = 2.0


class PreloadedLocalExecutor(LocalExecutor):
    """LocalExecutor with preloaded workers, one slot for each task, and a wait when there is no work.

    The class overrides methods that Airflow documents for executors (*Writing Your Own Executor*: `start`,
    `end`, `_process_workloads`, `sync`) and public methods of `BaseExecutor` (`change_state`, `revoke_task`).
    Each method extends Airflow's own method:

    `start` preloads modules before the workers are forked (`preload`).

    `end` tells each worker to end. Airflow tells only those that are alive when it reaches them in its list.
    If a worker has already ended because of the message meant for another one, a message is missing, and the
    scheduler waits forever for the last worker.

    `_process_workloads` reserves a slot for each task. The LocalExecutor of Airflow 3.3 reserves none
    (https://github.com/apache/airflow/pull/71914). It sends all due tasks until the pipe to the workers
    (64 kB) is full. The scheduler then blocks until a worker reads
    (https://github.com/apache/airflow/issues/70526), and tasks in the pipe run first whatever their priority.

    `change_state` keeps a task among the running ones until all of its parts have ended. A deferred task ends
    and is sent again as the same try when its answer arrives. The scheduler may receive the end of the first
    part after it has sent the second one and would then treat the task as killed
    (https://github.com/apache/airflow/issues/71580, https://github.com/apache/airflow/issues/72716), so that
    the answer of the Burst Advocate would be lost.

    `sync` waits if there is no work, and when idle until a wake-up (`mxtvhf_airflow.wakeup`). Airflow's own
    wait, `scheduler_idle_sleep_time`, cannot be ended early, so that it is 0.

    `sync` also ends the scheduler if no worker takes a task. One idle worker holds the lock of the common
    queue. If this worker is killed, for example for lack of memory, the lock is never released, and no task
    would start again. The supervisor then restarts the scheduler and its workers, and the waiting tasks run.
    """

    _waiting_since: float | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parts: Counter[WorkloadKey] = Counter()
        self._last_work = time.monotonic()
        self._sent = False

    def start(self) -> None:
        """Preload modules and start the workers."""
        preload()
        super().start()
        self._wake_ups = WakeUps(wakeup_pipe(process_settings()))

    def end(self) -> None:
        """End the workers when their tasks have ended."""
        self._wake_ups.close()
        for _ in self.workers:
            self.activity_queue.put(None)
        super().end()

    def _process_workloads(self, workload_list: Sequence[ExecutorWorkload]) -> None:
        """Send tasks to the workers and reserve a slot for each."""
        keys = [workload.key for workload in workload_list]
        self.running.update(keys)
        self._parts.update(keys)
        self._sent = True
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
        """Wait for work, read results, replace dead workers, and check that the queue makes progress."""
        woken = self._wait()
        # A worker sends a result when it takes a task and when the task ends.
        moved = not self.result_queue.empty()
        if woken or moved or self._sent:
            self._last_work = time.monotonic()
        self._sent = False
        super().sync()
        if moved or self.activity_queue.empty():
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = time.monotonic()
        elif time.monotonic() - self._waiting_since > STUCK_S:
            self.log.critical("no worker took a task for %.0f s; ending the scheduler", STUCK_S)
            # A regular shutdown would wait for the workers.
            os._exit(1)

    def _wait(self) -> bool:
        """Wait if there is nothing to do, and return whether there was a wake-up."""
        if self._sent or not self.result_queue.empty():
            return self._wake_ups.wait(0.0)
        if time.monotonic() - self._last_work > IDLE_AFTER_S:
            return self._wake_ups.wait(IDLE_WAIT_S)
        # Each request of a task is a wake-up. More frequent looks for work would take the cores from tasks.
        time.sleep(BUSY_WAIT_S)
        return self._wake_ups.wait(0.0)
