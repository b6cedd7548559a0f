"""The executor against real worker processes; its queue gets what is no task of Airflow's."""

import subprocess
import sys
import textwrap

from airflowruns import PROJECT

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
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        env={"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT / "plugins"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no worker has taken a task" in done.stdout + done.stderr
