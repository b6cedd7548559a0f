"""For all tests."""

import gc
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from mxtvhf.instrument.calibration import default_calibration, packaged_store
from mxtvhf.models.text import LineFormatter
from mxtvhf.operation.stack.processes import ProcessGroup
from support.airflow_programs import AirflowPrograms, airflow_programs
from support.nats_server import NatsServer
from support.project import PROJECT

# No time limit per example: a busy machine is no reason to fail. More examples: MXTVHF_EXAMPLES=1000.
EXAMPLES = int(os.environ.get("MXTVHF_EXAMPLES", "40"))
settings.register_profile("mxtvhf", deadline=None, max_examples=EXAMPLES)
settings.load_profile("mxtvhf")

# Python's threshold of 700 new objects makes an eighth of the tests' CPU time a search for garbage.
gc.set_threshold(20_000)

OWN_VERSION = "900-own"


def pytest_sessionstart(session: pytest.Session) -> None:
    """Escape what logs quote in reports: xdist's processes cannot pass a surrogate on."""
    captured = session.config.pluginmanager.get_plugin("logging-plugin")
    captured.report_handler.setFormatter(LineFormatter("%(levelname)s %(name)s: %(message)s"))


@pytest.fixture
def exchange(tmp_path: Path) -> Callable[..., Path]:
    """Write a calibration file like the packaged one but for some values, and return its folder."""

    def write(item: str, **changes: object) -> Path:
        text = packaged_store().path_of(default_calibration().files()[item]).read_text()
        for name, value in {"version": f'"{OWN_VERSION}"', **changes}.items():
            text, found = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
            assert found == 1, f"{item} has no {name}"
        folder = tmp_path / "own_calibration"
        folder.mkdir(exist_ok=True)
        (folder / f"{item}_{OWN_VERSION}.toml").write_text(text)
        return folder

    return write


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """Run a NATS server with JetStream and WebSocket."""
    with NatsServer(tmp_path) as server:
        yield server


def _apart(folder: Path) -> dict[str, str]:
    """Return the environment of a program with our plugins that keeps its state in a folder of its own."""
    return {
        "AIRFLOW_HOME": str(folder),
        "MXTVHF_STATE": str(folder / "var"),
        "PYTHONPATH": str(PROJECT / "plugins"),
        "PATH": "/usr/bin:/bin",
    }


@pytest.fixture
def beside_plugins(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run a program that imports Airflow and our plugins in a new Python.

    Return its exit status and the end of what it printed.
    """

    def use(program: str, **more: str) -> tuple[int, str]:
        environment = {**_apart(tmp_path), **more}
        with ProcessGroup(environment, tmp_path, grace=1.0) as group:
            status = group.start("program", [sys.executable, "-c", program]).wait()
            return status, group.log_tail("program")

    return use


@pytest.fixture(scope="session")
def airflow_fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowPrograms]:
    """Import Airflow once for many programs."""
    with airflow_programs(tmp_path_factory.mktemp("airflow")) as programs:
        yield programs


@pytest.fixture
def beside_airflow(airflow_fork: AirflowPrograms, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run a program with our plugins in a process that has imported Airflow.

    Return its exit status and what it printed.
    """

    def use(program: str, text: str = "", **more: str) -> tuple[int, str]:
        return airflow_fork.run(program, tmp_path, {**_apart(tmp_path), **more}, text)

    return use
