"""Programs that use Airflow, each in a process of its own.

Airflow takes three seconds to import. The processes are therefore forked from one that has imported it; what
they import, set or break stays in them. A program about the start of Python needs a new one: the fixture
``beside_plugins``.
"""

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from support.project import PROJECT

IMPORTED = (
    "airflow.executors.local_executor",
    "airflow.listeners",
    "airflow.models.dagrun",
    "airflow.providers.http.hooks.http",
    "airflow.providers.standard.operators.trigger_dagrun",
    "airflow.sdk.execution_time.task_runner",
    "lxml.etree",
    "numpy",
    "pydantic_settings",
)
"""Modules that the programs need; none of the project, which may read the environment."""


class AirflowPrograms:
    """Runs programs one after the other."""

    def __init__(self, home: Path) -> None:
        path = os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT / "tests")])
        self._server = subprocess.Popen(
            [sys.executable, "-c", "from support.airflow_programs import serve; serve()"],
            env={
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),  # read when Airflow is imported
                "PYTHONPATH": path,
                "PATH": os.defpath,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, program: str, folder: Path, environment: Mapping[str, str], text: str = ""
    ) -> tuple[int, str]:
        """Run a program with ``text`` as its input; return its exit status and its output."""
        (folder / "input").write_text(text)
        order = {"program": program, "folder": str(folder), "environment": dict(environment)}
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        return status, (folder / "output").read_text(errors="replace")

    def stop(self) -> None:
        """End the process that is forked."""
        self._server.kill()
        self._server.wait()
        self._server.stdin.close()
        self._server.stdout.close()


@contextmanager
def airflow_programs(home: Path) -> Iterator[AirflowPrograms]:
    """Start the process that is forked, with a home of Airflow of its own."""
    programs = AirflowPrograms(home)
    try:
        yield programs
    finally:
        programs.stop()


def serve() -> None:
    """Fork for each order that is read, and print the exit status of its program."""
    for name in IMPORTED:
        __import__(name)
    gc.freeze()  # the collections of the programs need not look through Airflow
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            become(order["program"], Path(order["folder"]), order["environment"])
        _, status = os.waitpid(pid, 0)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what the program has left behind
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(program: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Run a program in this process like Python does, and end."""
    os.setsid()
    given = os.open(folder / "input", os.O_RDONLY)
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for source, target in ((given, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102
    sys.exit(0)
