import subprocess
import sys
import textwrap
from itertools import pairwise
from types import SimpleNamespace

import psutil
import pytest

from mxtvhf.errors import Failure
from mxtvhf.operation.stack import processes
from mxtvhf.operation.stack.processes import ProcessGroup, wait_until

# A process that ignores SIGTERM and starts a grandchild in a session of its own.
STUBBORN = textwrap.dedent("""
    import signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    print(child.pid, flush=True)
    time.sleep(600)
""")

# A process with a worker in a process group of its own, but in its session.
PARENT = textwrap.dedent("""
    import subprocess, sys, time
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    print(subprocess.Popen(sleep, process_group=0).pid, flush=True)
    time.sleep(600)
""")


def test_leaving_the_group_ends_every_descendant(tmp_path):
    with ProcessGroup({}, tmp_path, grace=0.5) as group:
        process = group.start("stubborn", [sys.executable, "-c", STUBBORN])
        log = tmp_path / "stubborn.log"
        wait_until(lambda: log.read_text().strip().isdigit(), what="grandchild", timeout=20)
        grandchild = int(log.read_text())
        assert psutil.pid_exists(grandchild)
    assert process.poll() is not None
    assert not psutil.pid_exists(grandchild)


# A supervisor that misses the end of its child, like Airflow's triggerer.
WAITING = textwrap.dedent("""
    import signal, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    time.sleep(600)
""")


@pytest.mark.timeout(60)
def test_a_process_that_missed_the_end_of_its_child_is_not_waited_for(tmp_path):
    """Half of the stops of the stack took 8 s, until the triggerer was killed."""
    with ProcessGroup({}, tmp_path, grace=300.0) as group:
        process = group.start("waiting", [sys.executable, "-c", WAITING], misses_child=True)
        wait_until((tmp_path / "waiting.log").read_text, what="the process", timeout=20)
    assert not psutil.pid_exists(process.pid)


def test_other_children_of_the_caller_are_not_ended(tmp_path):
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    before = subprocess.Popen(sleep)
    with ProcessGroup({}, tmp_path) as group:
        group.start("sleeper", sleep)
        during = subprocess.Popen(sleep)
    for other in (before, during):
        with other:
            assert other.poll() is None
            other.kill()


def test_a_killed_launcher_ends_its_children(tmp_path):
    launcher = textwrap.dedent("""
        import pathlib, sys, time
        from mxtvhf.operation.stack.processes import ProcessGroup
        group = ProcessGroup({}, pathlib.Path(sys.argv[1])).__enter__()
        print(group.start("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
        time.sleep(600)
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", launcher, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        sleeper = psutil.Process(int(process.stdout.readline()))
        process.kill()
    wait_until(
        lambda: not sleeper.is_running() or sleeper.status() == psutil.STATUS_ZOMBIE, what="end", timeout=20
    )


def test_the_log_of_an_ended_process_is_in_the_error(tmp_path):
    with ProcessGroup({}, tmp_path) as group:
        group.start("failing", [sys.executable, "-c", "import sys; print('no port'); sys.exit(3)"])
        with pytest.raises(Failure, match=r"failing ended with status 3:\nno port"):
            wait_until(lambda: False, what="failing", timeout=20, processes=group)


def test_run_to_the_end_reports_a_failure(tmp_path):
    with ProcessGroup({}, tmp_path) as group:
        group.run("good", [sys.executable, "-c", "pass"])
        with pytest.raises(Failure, match="bad ended with status 1"):
            group.run("bad", [sys.executable, "-c", "raise SystemExit(1)"])


def test_a_wait_without_success_ends_with_an_error():
    with pytest.raises(Failure, match="the moon: not ready after 0 s"):
        wait_until(lambda: False, what="the moon", timeout=0.2)


@pytest.mark.parametrize(("every", "checks"), [(0.1, 81), (0.4, 65)])
def test_a_long_wait_asks_less_often(every, checks, monkeypatch):
    """Ten requests per second kept a third of a core of the API server busy."""
    now, asked = 0.0, []

    def sleep(seconds):
        nonlocal now
        now += seconds

    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    with pytest.raises(Failure, match="the moon"):
        wait_until(lambda: bool(asked.append(now)), what="the moon", timeout=30.0, every=every)
    assert asked[1] == every
    assert len(asked) <= checks


def test_a_killed_process_is_restarted_and_its_children_are_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "STEADY_S", 0.0)
    with ProcessGroup({}, tmp_path) as group:
        first = group.start("service", [sys.executable, "-c", PARENT])
        log = tmp_path / "service.log"
        wait_until(lambda: log.read_text().strip().isdigit(), what="worker", timeout=20)
        worker = psutil.Process(int(log.read_text()))
        assert group.revive() == {}
        first.kill()
        first.wait()
        assert group.revive() == {"service": -9}
        assert group.pid("service") != first.pid
        wait_until(lambda: not _lives(worker), what="end of the old worker", timeout=20)


def test_a_process_that_fails_at_its_start_is_restarted_with_growing_pauses(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: now))
    starts = [now]
    with ProcessGroup({}, tmp_path) as group:
        process = group.start("failing", ["false"])
        for _ in range(150):
            process.wait()
            now += 0.5
            if group.revive():
                starts.append(now)
                process = group._running["failing"].process
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert pauses == [1.5, 2.5, 4.5, 8.5, 16.5, 30.5]


def _lives(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
