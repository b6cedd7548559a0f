"""The command ``mxtvhf-health``, the health check of a service inside its container.

All containers together call it every three seconds, so a call must cost less than 0.1 s of CPU. A service
therefore writes the description of its check at its start (`mxtvhf.operation.deployment.health_target`). This
module imports neither pydantic nor Typer, and no client library other than PostgreSQL's.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from mxtvhf.errors import Failure, MxtVhfError, Retriable
from mxtvhf.operation.deployment.service import Service

TIMEOUT_S = 5.0
OLDEST_HEARTBEAT_S = 30.0
"""Largest age of a heartbeat, seconds; Airflow's default of ``scheduler_health_check_threshold``."""

ALIVE_FILE = "MXTVHF_ALIVE_FILE"
"""Environment variable with the file that a worker or listener touches while it works."""

Target = Mapping[str, Any]
"""Description of a check: ``kind``, a key of `CHECKS`, and the arguments of that check."""


def runtime_folder() -> Path:
    """Return the private folder of the files that services and health checks exchange.

    Raises
    ------
    Failure
        The folder belongs to another user.
    """
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"mxtvhf-{os.getuid()}"  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise Failure(f"{folder}: belongs to another user; remove it, or set TMPDIR")
    return folder


def target_file(name: Service) -> Path:
    """Return the path of the file in which a service of this host describes its health check."""
    return runtime_folder() / f"{name}.json"


def check(target: Target) -> None:
    """Check the health of a service on this host.

    Raises
    ------
    Failure
        The service does not answer, or its heartbeat has stopped. The message gives the reason.
    Retriable
        The check is impossible, because another service does not answer.
    """
    arguments = {key: value for key, value in target.items() if key not in ("kind", "pid")}
    CHECKS[target["kind"]](**arguments)


def _heartbeat_in_database(*, job: str, host: str, uri: str, password_file: str) -> None:
    """Check the heartbeat of an Airflow component in the database."""
    import psycopg2

    # The newest heartbeat counts, because a container keeps its host name after a restart.
    ask = (
        "SELECT extract(epoch FROM now() - latest_heartbeat) FROM job"
        " WHERE job_type = %s AND hostname = %s AND state = 'running' ORDER BY latest_heartbeat DESC LIMIT 1"
    )
    try:
        with (
            closing(
                psycopg2.connect(uri, password=_secret(password_file), connect_timeout=int(TIMEOUT_S))
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(ask, (job, host))
            found = cursor.fetchone()
    except psycopg2.Error as error:
        raise Retriable(f"{job}: the database does not answer: {type(error).__name__}") from None
    if found is None or float(found[0]) > OLDEST_HEARTBEAT_S:
        raise Failure(f"{job}: no heartbeat" + (f" for {float(found[0]):.0f} s" if found else ""))


def _heartbeat_file(*, path: str) -> None:
    """Check the age of the file that the service touches while it works."""
    try:
        age = time.time() - Path(path).stat().st_mtime
    except FileNotFoundError:
        raise Failure(f"{Path(path).name}: no heartbeat yet") from None
    if age > OLDEST_HEARTBEAT_S:
        raise Failure(f"{Path(path).name}: no heartbeat for {age:.0f} s")


def _http(*, url: str) -> None:
    """Check that a GET request succeeds. The certificate of this host is not verified."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: HTTPConnection = HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
    else:
        connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        with closing(connection):
            connection.request("GET", parts.path)
            status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise Failure(f"{url}: {type(error).__name__}") from None
    if status >= 400:
        raise Failure(f"{url}: HTTP {status}")


def _redis(*, host: str, port: int, password_file: str) -> None:
    """Log in to Redis and ping it.

    Inline commands: https://redis.io/docs/latest/develop/reference/protocol-spec
    """
    password = _secret(password_file).replace("\\", "\\\\").replace('"', '\\"')
    answer = _conversation(host, port, f'AUTH "{password}"\r\nPING\r\n', end="+PONG\r\n")
    if not answer.endswith("+PONG\r\n"):
        raise Failure(f"redis: {_first_line(answer)}")


def _nats(*, host: str, port: int) -> None:
    """Check in NATS's greeting that JetStream is available. The greeting precedes login and TLS.

    Message INFO: https://docs.nats.io/reference/reference-protocols/nats-protocol
    """
    greeting = _first_line(_conversation(host, port, "", end="\r\n"))
    word, _, content = greeting.partition(" ")
    try:
        has_jetstream = word == "INFO" and bool(json.loads(content).get("jetstream"))
    except ValueError:
        has_jetstream = False
    if not has_jetstream:
        raise Failure(f"nats: JetStream unavailable: {greeting[:60] or 'no answer'}")


def _conversation(host: str, port: int, text: str, *, end: str) -> str:
    """Send a text and return the answer up to ``end``, or all of it."""
    answer = b""
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_S) as connection:
            connection.sendall(text.encode())
            while not answer.endswith(end.encode()) and (piece := connection.recv(65536)):
                answer += piece
                if answer.startswith(b"-"):  # Redis's errors
                    break
    except OSError as error:
        raise Failure(f"{host}:{port}: {error.strerror or error}") from None
    return answer.decode(errors="replace")


def _first_line(answer: str) -> str:
    return answer.partition("\r\n")[0]


def _secret(path: str) -> str:
    return Path(path).read_text().strip()


CHECKS: dict[str, Callable[..., None]] = {
    "database": _heartbeat_in_database,
    "file": _heartbeat_file,
    "http": _http,
    "redis": _redis,
    "nats": _nats,
}


def main() -> None:
    """Check a service. An unhealthy one gives exit status 1 and a line on stderr."""
    parser = argparse.ArgumentParser("mxtvhf-health", description="Check a service of this host.")
    parser.add_argument("name", type=Service, metavar="SERVICE", help=", ".join(Service))
    parser.add_argument(
        "--end-after",
        type=int,
        metavar="N",
        help="end a once healthy service after N failed checks in a row",
    )
    options = parser.parse_args()
    try:
        _check_and_count(options.name, options.end_after)
    except MxtVhfError as error:
        print(f"mxtvhf-health: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def _check_and_count(name: Service, end_after: int | None) -> None:
    path = target_file(name)
    try:
        target = json.loads(path.read_text())
    except FileNotFoundError:
        raise Failure(f"{name}: not started on this host; {path} is missing") from None
    failures = path.with_suffix(".failures")
    try:
        check(target)
    except Retriable:
        raise
    except Failure:
        if end_after and failures.exists():
            _end_hung(target["pid"], failures, end_after)
        raise
    failures.write_text("0")


def _end_hung(pid: int, failures: Path, end_after: int) -> None:
    """Count a failure and end the service at the last allowed one, so that the engine restarts it.

    Docker and Compose do not restart an unhealthy container, only an ended one. SIGKILL follows if SIGTERM
    had no effect.
    """
    count = int(failures.read_text() or 0) + 1
    failures.write_text(str(count))
    if count >= end_after:
        print(f"mxtvhf-health: {count} failures in a row; ending process {pid}", file=sys.stderr)
        os.kill(pid, signal.SIGTERM if count == end_after else signal.SIGKILL)


if __name__ == "__main__":
    main()
