"""Wake-ups of the idle scheduler through a named pipe."""

import asyncio
import textwrap

import httpx
import pytest
from fastapi import FastAPI

from mxtvhf_airflow.environment import process_settings
from mxtvhf_airflow.wakeup import WakeScheduler, WakeUps, wake_scheduler, wakeup_pipe

# Nothing else ends a wait of an hour: the test would last until its time limit.
WOKEN = textwrap.dedent("""
    import threading
    from types import SimpleNamespace
    from airflow.executors.local_executor import LocalExecutor
    from mxtvhf_airflow import executor
    from mxtvhf_airflow.environment import process_settings
    from mxtvhf_airflow.wakeup import wake_scheduler, wakeup_pipe
    executor.preload = lambda: None
    executor.BUSY_WAIT_S = executor.IDLE_WAIT_S = 3600.0
    executor.IDLE_AFTER_S = -1.0
    LocalExecutor._spawn_workers_with_gc_freeze = lambda self, number: None
    watched = executor.PreloadedLocalExecutor(parallelism=4)
    watched.start()

    threading.Timer(0.2, wake_scheduler, [wakeup_pipe(process_settings())]).start()
    watched.sync()

    watched.activity_queue = SimpleNamespace(put=lambda task: None, empty=lambda: True)
    watched.queued_tasks["sent"] = SimpleNamespace(key="sent", ti=SimpleNamespace(priority_weight=1))
    watched.heartbeat()

    watched.result_queue.put(("sent", "success", None))
    watched.sync()
    print("woken three times", flush=True)
""")

# The first wait is a busy one. Time passes without work before the second one.
IDLE = textwrap.dedent("""
    from types import SimpleNamespace
    from airflow.executors.local_executor import LocalExecutor
    from mxtvhf_airflow import executor
    executor.preload = lambda: None
    LocalExecutor._spawn_workers_with_gc_freeze = lambda self, number: None
    now, waits = [1000.0], []
    executor.time = SimpleNamespace(monotonic=lambda: now[0], sleep=waits.append)
    watched = executor.PreloadedLocalExecutor(parallelism=4)
    watched.start()
    woken = [False]
    watched._wake_ups = SimpleNamespace(wait=lambda limit: waits.append(limit) or woken[0])
    for now[0], woken[0] in ((1001, False), (1003, False), (1004, True), (1005, False), (1007, False)):
        watched.sync()
    busy, idle = executor.BUSY_WAIT_S, executor.IDLE_WAIT_S
    print(busy < idle, waits == [busy, 0.0, idle, idle, busy, 0.0, idle], flush=True)
""")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pipe"


def test_a_wait_ends_with_a_wake_up_also_an_earlier_one(path):
    waiting = WakeUps(path)
    assert not waiting.wait(0.0)
    for _ in range(3):
        wake_scheduler(path)
    assert waiting.wait(3600.0)
    assert not waiting.wait(0.0)


def test_more_wake_ups_than_the_pipe_holds_neither_block_nor_fail(path, caplog):
    waiting = WakeUps(path)
    for _ in range(70_000):
        wake_scheduler(path)
    assert waiting.wait(0.0)
    assert not waiting.wait(0.0)
    assert not caplog.text


def test_without_a_scheduler_a_wake_up_has_no_effect(path, caplog):
    wake_scheduler(path)
    assert not path.exists()
    first = WakeUps(path)
    first.close()
    wake_scheduler(path)
    assert not caplog.text
    # The next scheduler uses the same pipe.
    again = WakeUps(path)
    assert not again.wait(0.0)
    wake_scheduler(path)
    assert again.wait(0.0)


def test_a_pipe_that_cannot_be_opened_is_logged_with_its_cause(tmp_path, caplog):
    wake_scheduler(tmp_path)
    assert "the idle scheduler sees the request late" in caplog.text
    assert str(tmp_path) in caplog.text


@pytest.mark.parametrize(
    ("method", "url", "wakes"),
    [
        ("POST", "/api/v2/dags/mxt_vhf/dagRuns", True),
        ("PATCH", "/execution/task-instances/1/state", True),
        ("PUT", "/execution/task-instances/1/heartbeat", False),
        ("GET", "/api/v2/dags", False),
    ],
)
def test_a_request_wakes_the_scheduler_after_its_answer(monkeypatch, tmp_path, method, url, wakes):
    monkeypatch.setenv("MXTVHF_STATE", str(tmp_path))
    process_settings.cache_clear()
    waiting = WakeUps(wakeup_pipe(process_settings()))
    app = FastAPI()
    app.add_middleware(WakeScheduler)
    woken_before = []

    @app.api_route("/{path:path}", methods=[method])
    def answer(path: str) -> str:
        woken_before.append(waiting.wait(0.0))
        return path

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return await client.request(method, url)

    try:
        assert asyncio.run(ask()).status_code == 200
        assert woken_before == [False]
        assert waiting.wait(0.0) == wakes
    finally:
        process_settings.cache_clear()


@pytest.mark.slow
def test_wake_ups_tasks_and_results_end_the_wait_of_the_scheduler(beside_airflow):
    status, told = beside_airflow(WOKEN)
    assert status == 0, told
    assert told.endswith("woken three times\n")


@pytest.mark.slow
def test_the_scheduler_waits_longer_without_work(beside_airflow):
    status, told = beside_airflow(IDLE)
    assert status == 0, told
    assert told.endswith("True True\n")
