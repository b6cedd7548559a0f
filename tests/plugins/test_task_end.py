"""The wait for the end of a task's process, with real processes that say nothing more."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

# A worker that waits out the long time, as Airflow's own does, is ended by the test's limit.
SILENT = textwrap.dedent("""
    import selectors, subprocess, sys
    from types import SimpleNamespace
    import psutil
    from airflow.sdk.execution_time.supervisor import PsutilTracker, WatchedSubprocess
    from mxtvhf_airflow.patches.task_end import notice_task_end

    notice_task_end()

    class Supervisor:
        _service_subprocess = WatchedSubprocess._service_subprocess
        _check_subprocess_exit = WatchedSubprocess._check_subprocess_exit

        def __init__(self, program):
            self.selector = selectors.DefaultSelector()
            started = subprocess.Popen([sys.executable, "-c", program])
            self._process = PsutilTracker(psutil.Process(started.pid))
            self._exit_code = self._process_exit_monotonic = None
            self.process_log = SimpleNamespace(warning=lambda *_, **__: None)

    for status in (0, 3):
        ends = Supervisor(f"import time; time.sleep(0.5); raise SystemExit({status})")
        print(ends._service_subprocess(1000.0), ends._service_subprocess(1000.0), flush=True)
    goes_on = Supervisor("import time; time.sleep(30)")
    print(goes_on._service_subprocess(0.05), flush=True)
    goes_on._process.send_signal(9)
""")


@pytest.mark.timeout(120)
def test_a_process_that_ends_later_than_it_falls_silent_is_noticed(beside_plugins):
    status, told = beside_plugins(SILENT)
    assert status == 0
    assert told.splitlines()[-3:] == ["0 0", "3 3", "None"]
