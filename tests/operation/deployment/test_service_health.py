import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest

from mxtvhf.errors import Failure, InvalidInput, Retriable
from mxtvhf.operation.deployment import service_health
from mxtvhf.operation.deployment.configuration import read_deployment
from mxtvhf.operation.deployment.health_target import TARGETS, alive_file, check_service, write_target
from mxtvhf.operation.deployment.servers import nats_configuration, redis_configuration
from mxtvhf.operation.deployment.service import Service
from mxtvhf.operation.deployment.service_health import OLDEST_HEARTBEAT_S, check, main, target_file
from support.deployment import PASSWORD, write_deployment
from support.nats_server import free_port


@pytest.fixture(autouse=True)
def _runtime(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("runtime")))


@pytest.fixture
def deployment(tmp_path):
    return read_deployment(write_deployment(tmp_path))


@contextmanager
def answering(text):
    """Yield the address of a server that sends a text to each client."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.sendall(text)

        thread = threading.Thread(target=serve)
        thread.start()
        yield {"host": "127.0.0.1", "port": server.getsockname()[1]}
        thread.join()


def test_a_health_check_imports_few_modules():
    """Imports of health checks used to be a third of the load of an idle installation."""
    script = "import sys, mxtvhf.operation.deployment.service_health; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = {name.partition(".")[0] for name in done.stdout.split()}
    assert not modules & {
        "pydantic",
        "typer",
        "requests",
        "redis",
        "nats",
        "celery",
        "astropy",
        "numpy",
        "airflow",
    }


@pytest.mark.parametrize("service", TARGETS)
def test_the_description_of_a_health_check_contains_no_secret(deployment, service):
    write_target(service, deployment, "worker-1")
    text = target_file(service).read_text()
    assert target_file(service).stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in text
    assert "s3cret" not in text
    target = json.loads(text)
    assert target.pop("pid") == os.getpid()
    with pytest.raises(Failure):  # nothing runs here
        check({**target, **({"host": "127.0.0.1", "port": 1} if "port" in target else {})})


def test_a_service_that_is_not_long_running_has_no_check(deployment):
    with pytest.raises(InvalidInput, match="migrate: not a long-running service"):
        check_service(Service.MIGRATE, deployment)


def test_each_worker_and_listener_has_its_own_heartbeat_file(deployment):
    path = alive_file(Service.WORKER, deployment, "worker-1")
    assert path != alive_file(Service.WORKER, deployment, "worker-2")
    assert path != alive_file(Service.LISTEN, deployment, "worker-1")
    with pytest.raises(Failure, match=r"worker-1.alive: no heartbeat yet"):
        check_service(Service.WORKER, deployment, instance="worker-1")
    path.touch()
    check_service(Service.WORKER, deployment, instance="worker-1")
    old = time.time() - OLDEST_HEARTBEAT_S - 1
    os.utime(path, (old, old))
    with pytest.raises(Failure, match=r"worker-1.alive: no heartbeat for 31 s"):
        check_service(Service.WORKER, deployment, instance="worker-1")


@pytest.mark.parametrize(("status", "fails"), [(200, False), (503, True)])
def test_a_web_service_is_checked_by_http(status, fails):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        target = {"kind": "http", "url": f"http://127.0.0.1:{server.server_port}/health"}
        if fails:
            with pytest.raises(Failure, match="HTTP 503"):
                check(target)
        else:
            check(target)
        thread.join()


@pytest.mark.parametrize(
    ("greeting", "fault"),
    [
        (b'INFO {"server_id":"x","jetstream":true}\r\n', None),
        (b'INFO {"server_id":"x"}\r\n', "JetStream unavailable"),
        (b"INFO {\r\n", "JetStream unavailable"),
        (b"-ERR\r\n", "JetStream unavailable"),
        (b"", "no answer"),
    ],
)
def test_the_greeting_of_nats_shows_its_health(greeting, fault):
    with answering(greeting) as address:
        if fault is None:
            check({"kind": "nats", **address})
        else:
            with pytest.raises(Failure, match=fault):
                check({"kind": "nats", **address})


def wait_until_healthy(process, deployment, service):
    for _ in range(100):
        try:
            return check_service(service, deployment)
        except Failure:
            assert process.poll() is None
            time.sleep(0.1)
    return check_service(service, deployment)


@pytest.mark.service
@pytest.mark.parametrize("service", [Service.REDIS, Service.NATS])
def test_redis_and_nats_are_checked_by_their_protocols(deployment, tmp_path, service):
    address = {"listen": "127.0.0.1", "port": free_port(), "data": tmp_path}
    part = getattr(deployment, service).model_copy(update=address)
    deployment = deployment.model_copy(update={str(service): part})
    path = tmp_path / "server.conf"
    if service == Service.REDIS:
        path.write_text(redis_configuration(part))
        command = ["redis-server", path]
    else:
        path.write_text(nats_configuration(part, deployment.nats_credentials))
        command = [shutil.which("nats-server") or "/usr/sbin/nats-server", "-c", path]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_healthy(process, deployment, service)
        if service == Service.REDIS:
            part.password.write_text("another")
            with pytest.raises(Failure, match="redis: -WRONGPASS"):
                check_service(service, deployment)
    finally:
        process.terminate()
        process.wait()


def test_an_unreachable_database_is_not_a_fault_of_the_service(deployment, tmp_path):
    part = deployment.database.model_copy(update={"host": tmp_path})
    with pytest.raises(Retriable, match="SchedulerJob: the database does not answer: OperationalError"):
        check_service(Service.SCHEDULER, deployment.model_copy(update={"database": part}))


@pytest.fixture
def hung():
    """A process that ignores SIGTERM."""
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def status_of(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["mxtvhf-health", *arguments])
    try:
        main()
    except SystemExit as end:
        return end.code
    return 0


def test_a_hanging_service_is_ended(deployment, monkeypatch, hung, capsys):
    write_target(Service.LISTEN, deployment, "host")
    path = target_file(Service.LISTEN)
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": hung.pid}))
    alive = alive_file(Service.LISTEN, deployment, "host")
    command = ("listen", "--end-after", "2")
    for _ in range(4):
        assert status_of(monkeypatch, *command) == 1, "it has not worked yet"
    assert hung.poll() is None
    alive.touch()
    assert status_of(monkeypatch, *command) == 0
    alive.unlink()
    assert status_of(monkeypatch, *command) == 1
    alive.touch()
    assert status_of(monkeypatch, *command) == 0, "failures that are not in a row do not count"
    alive.unlink()
    capsys.readouterr()
    assert [status_of(monkeypatch, *command) for _ in range(2)] == [1, 1]
    assert f"2 failures in a row; ending process {hung.pid}" in capsys.readouterr().err
    assert psutil.Process(hung.pid).status() != psutil.STATUS_ZOMBIE, "it was asked to end first"
    assert status_of(monkeypatch, *command) == 1
    assert hung.wait(10) < 0


def test_a_fault_of_another_service_ends_no_service(deployment, monkeypatch, hung):
    def fail(target):
        raise Retriable("database away")

    write_target(Service.SCHEDULER, deployment, "host")
    path = target_file(Service.SCHEDULER)
    path.write_text(json.dumps({"pid": hung.pid}))
    path.with_suffix(".failures").write_text("0")
    monkeypatch.setattr(service_health, "check", fail)
    for _ in range(3):
        assert status_of(monkeypatch, "scheduler", "--end-after", "1") == 1
    assert hung.poll() is None


def test_a_service_not_started_on_this_host_is_unhealthy(monkeypatch, capsys):
    assert status_of(monkeypatch, "gp") == 1
    assert capsys.readouterr().err.startswith("mxtvhf-health: gp: not started on this host")


def test_a_folder_of_another_user_is_not_trusted(monkeypatch):
    folder = service_health.runtime_folder()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    folder.rename(folder.with_name("mxtvhf-12345"))
    with pytest.raises(Failure, match="belongs to another user"):
        service_health.runtime_folder()
