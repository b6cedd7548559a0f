"""The executor with real worker processes; the items in its queue are not tasks of Airflow."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

# All workers are killed while they wait, one of them with the queue's lock, then a task comes.
KILLED = textwrap.dedent("""
    import os, signal, time
    from mxtvhf_airflow import executor
    executor.STUCK_S = 1.0
    executor.preload = lambda: None
    watched = executor.PreloadedLocalExecutor(parallelism=2)
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


# Nobody takes the tasks: as many are given out as there are slots; an end or a loss frees one.
SLOTS = textwrap.dedent("""
    from types import SimpleNamespace
    from airflow.executors.local_executor import LocalExecutor
    from mxtvhf_airflow import executor
    from mxtvhf_airflow.executor import PreloadedLocalExecutor
    executor.preload = lambda: None
    LocalExecutor._spawn_workers_with_gc_freeze = lambda self, number: None
    watched = PreloadedLocalExecutor(parallelism=4)
    watched.start()
    given = []
    watched.activity_queue = SimpleNamespace(put=given.append, empty=lambda: not given)
    for number in range(20):
        ti = SimpleNamespace(priority_weight=number)
        watched.queued_tasks[number] = SimpleNamespace(key=number, ti=ti)
    # By priority; in 3.3.1 Airflow sorts the other way round, and only the scheduler's choice counts.
    order = [key for key, _ in watched.order_queued_tasks_by_priority()]
    for _ in range(3):
        watched.heartbeat()
    print([task.key for task in given] == order[:4], watched.slots_available, flush=True)
    watched.change_state(order[0], "success")
    watched.revoke_task(ti=SimpleNamespace(key=order[1]))
    watched.heartbeat()
    print([task.key for task in given[4:]] == order[4:6], flush=True)
""")

# Two tasks are given out twice before a first end is heard of: the first parts end, then one second part
# ends and the other fails.
PARTS = textwrap.dedent("""
    from types import SimpleNamespace
    from airflow.executors.local_executor import LocalExecutor
    from mxtvhf_airflow import executor
    from mxtvhf_airflow.executor import PreloadedLocalExecutor
    executor.preload = lambda: None
    LocalExecutor._spawn_workers_with_gc_freeze = lambda self, number: None
    watched = PreloadedLocalExecutor(parallelism=8)
    watched.start()
    watched.activity_queue = SimpleNamespace(put=lambda task: None, empty=lambda: True)
    def give():
        for key in ("answered", "killed", "lost"):
            ti = SimpleNamespace(priority_weight=1)
            watched.queued_tasks[key] = SimpleNamespace(key=key, ti=ti)
        watched.heartbeat()
    give()
    give()
    told = [sorted(watched.running)]
    for key in ("answered", "killed", "lost"):
        watched.change_state(key, "success")
    told.append(sorted(watched.running))
    watched.change_state("answered", "success")
    watched.change_state("killed", "failed")
    watched.revoke_task(ti=SimpleNamespace(key="lost"))
    told.append(sorted(watched.running))
    give()
    for key in ("answered", "killed", "lost"):
        watched.change_state(key, "success")
    told.append(sorted(watched.running))
    print(told, flush=True)
""")


# Each message that tells a worker to end ends one before the next message is sent. The last worker would wait
# forever if messages were sent only to workers that are still alive.
ENDED = textwrap.dedent("""
    import multiprocessing
    from types import SimpleNamespace
    from mxtvhf_airflow import executor
    executor.preload = lambda: None
    watched = executor.PreloadedLocalExecutor(parallelism=4)
    watched.start()
    # The first worker waits for the first message, and Airflow asks the last one first whether it is alive.
    watched.workers = dict(reversed(watched.workers.items()))
    queue, processes = watched.activity_queue, list(watched.workers.values())
    def send(task):
        alive = {process.sentinel: process for process in processes if process.is_alive()}
        queue.put(task)
        for sentinel in multiprocessing.connection.wait(alive):
            alive[sentinel].join()
    watched.activity_queue = SimpleNamespace(put=send, empty=queue.empty, close=queue.close)
    watched.end()
    print("all workers have ended", flush=True)
""")


# A worker tells what it finds loaded.
PRELOADED = textwrap.dedent("""
    import sys
    from airflow.executors import local_executor
    from mxtvhf_airflow import executor
    def fake_preload():
        sys.modules["preloaded"] = sys
    executor.preload = fake_preload
    def fake_worker(output, **_):
        output.put(("preloaded" in sys.modules))
    local_executor._run_worker = fake_worker
    watched = executor.PreloadedLocalExecutor(parallelism=1)
    watched.start()
    print("preloaded:", watched.result_queue.get(), flush=True)
""")


def test_only_tasks_with_a_free_slot_are_sent_in_airflows_order(beside_airflow):
    status, told = beside_airflow(SLOTS)
    assert status == 0
    assert "True -16" in told
    assert told.rstrip().endswith("True")


def test_a_task_is_running_until_all_its_parts_have_ended(beside_airflow):
    status, told = beside_airflow(PARTS)
    assert status == 0
    all_three = ["answered", "killed", "lost"]
    assert told.rstrip().endswith(str([all_three, all_three, [], []]))


def test_each_worker_is_told_to_end_also_if_others_have_already_ended(beside_airflow):
    status, told = beside_airflow(ENDED)
    assert status == 0, told
    assert told.endswith("all workers have ended\n")


def test_a_blocked_queue_ends_the_scheduler(beside_airflow):
    status, told = beside_airflow(KILLED)
    assert status == 1
    assert "no worker took a task" in told


def test_what_tasks_need_is_loaded_before_the_workers_are_forked(beside_airflow):
    status, told = beside_airflow(PRELOADED)
    assert status == 0, told
    assert "preloaded: True" in told
