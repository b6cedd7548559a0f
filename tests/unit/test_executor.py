"""The executor against real worker processes; its queue gets what is no task of Airflow's."""

import sys
import textwrap

from airflowruns import PROJECT

from mxtvhf.stack.processes import ProcessGroup

# All workers are killed while they wait, one of them with the queue's lock, then a task comes.
KILLED = textwrap.dedent("""
    import os, signal, time
    from mxtvhf_airflow import executor
    executor.STUCK_S = 1.0
    watched = executor.WatchedLocalExecutor(parallelism=2)
    watched.start()
    time.sleep(1.0)
    for pid in watched.workers:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    with watched._unread_messages:
        watched._unread_messages.value += 1
    watched.activity_queue.put("a task")
    for _ in range(100):
        watched.sync()
        time.sleep(0.1)
    os._exit(7)
""")


def test_a_queue_whose_lock_died_with_its_holder_ends_the_scheduler(tmp_path):
    environment = {
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONPATH": str(PROJECT / "plugins"),
        "PATH": "/usr/bin:/bin",
    }
    with ProcessGroup(environment, tmp_path, grace=1.0) as group:
        assert group.start("executor", [sys.executable, "-c", KILLED]).wait() == 1
        assert "no worker has taken a task" in group.log_tail("executor")
