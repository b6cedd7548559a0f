"""An installation as in docs/how-to/deploy.md on the Docker engine named by the environment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
import yaml

from support.project import PROJECT

URL = "http://127.0.0.1:8080"
PUBLISH = """
import asyncio, sys
from pathlib import Path
from mxtvhf.reporting.messages.connection import connect

async def publish():
    client = await connect("nats://nats:4222", Path("/run/secrets/nats"), name="station")
    for name in sys.argv[1:]:
        await client.jetstream().publish("mxtvhf.in.alerts", Path(name).read_bytes())
    await client.close()

asyncio.run(publish())
"""
"""Program of a ground station; runs inside a container, because NATS has no port outside its network."""


def docker(*arguments: object, text: str | None = None, check: bool = True) -> str:
    """Run a Docker command and return its output; errors include its error output."""
    done = subprocess.run(
        ["docker", *map(str, arguments)], input=text, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
    return done.stdout


def read_file(container: str, name: str) -> bytes:
    """Return a file of a container."""
    return subprocess.run(["docker", "exec", container, "cat", name], capture_output=True, check=True).stdout


def write_file(container: str, name: str, content: bytes) -> None:
    """Write a file in a container, as its user."""
    command = ["docker", "exec", "-i", container, "sh", "-c", f"cat >{name}"]
    subprocess.run(command, input=content, check=True)


def wait_until(found: Callable[[], Any], what: str, timeout: float) -> Any:
    """Wait until a function returns something true, and return it."""
    deadline = time.monotonic() + timeout
    while not (value := found()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout:.0f} s")
        time.sleep(1)
    return value


class Installation:
    """The folder of an operator with compose file, mxtvhf.toml and secrets, and its running services."""

    stack = "mxtvhf-test"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("docker-compose.yaml", "mxtvhf.toml"):
            shutil.copy(PROJECT / name, folder)
        (folder / "mxtvhf.toml").chmod(0o644)
        self.make_secrets()
        self.compose = yaml.safe_load((folder / "docker-compose.yaml").read_text())
        self.services = sorted(self.compose["services"].keys() - {"migrate"})

    def make_secrets(self) -> None:
        """Create the missing secrets."""
        subprocess.run([PROJECT / "deploy" / "make-secrets.sh", self.folder / "secrets"], check=True)

    def expected(self) -> dict[str, int]:
        """Return the number of containers of each service."""
        deploy = {name: self.compose["services"][name]["deploy"] for name in self.services}
        return {name: part.get("replicas", 1) for name, part in deploy.items()}

    def clear(self) -> None:
        """Remove the remains of killed tests with their volumes, whose database has another password."""
        docker("swarm", "leave", "--force", check=False)
        self.run("down", "--volumes")

    def start(self) -> None:
        """Start everything."""
        self.run("up", "--detach", "--no-build")

    def stop(self) -> None:
        """Remove everything, the volumes too."""
        self.run("down", "--volumes", "--timeout", "20")

    def run(self, *arguments: object, **options: Any) -> str:
        """Run a command of Compose."""
        return docker(
            "compose", "--project-directory", self.folder, "--project-name", self.stack, *arguments, **options
        )

    def containers(self, service: str) -> list[str]:
        """Return the ids of the running containers of a service."""
        label = "com.docker.compose.service"
        project = f"label=com.docker.compose.project={self.stack}"
        found = docker("ps", "--no-trunc", "-q", "--filter", f"label={label}={service}", "--filter", project)
        return found.split()

    def exec(self, service: str, *command: object, **options: Any) -> str:
        """Run a command in the first container of a service."""
        return docker("exec", "-i", self.containers(service)[0], *command, **options)

    def run_with_secret(self, service: str, name: str, word: str) -> str:
        """Run a service in a separate container with another secret."""
        secrets = self.folder / "other-secrets"
        shutil.copytree(self.folder / "secrets", secrets, dirs_exist_ok=True)
        (secrets / name).write_text(word)
        for path in (secrets, *secrets.iterdir()):
            os.chown(path, -1, 50000)
        mounts = {
            self.folder / "mxtvhf.toml": "/etc/mxtvhf/mxtvhf.toml",
            secrets: "/run/secrets",
            f"{self.stack}_state": "/var/lib/mxtvhf",
        }
        volumes = [word for source, target in mounts.items() for word in ("--volume", f"{source}:{target}")]
        network = ("--network", f"{self.stack}_default")
        return docker("run", "--rm", *network, *volumes, self.compose["services"][service]["image"], service)

    def unhealthy(self) -> dict[str, str]:
        """Return the unhealthy services with the output of their health checks."""
        return {name: states for name in self.services if (states := self._states(name))}

    def _states(self, service: str) -> str:
        states = [
            docker("inspect", "--format", "{{.State.Health.Status}}", one, check=False).strip()
            for one in self.containers(service)
        ]
        good = states == ["healthy"] * self.expected()[service]
        return "" if good else (", ".join(states) or "no container")

    def wait_until_healthy(self, timeout: float = 600) -> None:
        """Wait until every service has all its containers, and all of them are healthy."""
        try:
            wait_until(lambda: not self.unhealthy(), "healthy", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.unhealthy()}") from None

    @cached_property
    def _password(self) -> str:
        return str(json.loads((self.folder / "secrets" / "users").read_text())["admin"])

    def get(self, path: str) -> requests.Response:
        """Send a GET request as admin with a new token, because the server may have been restarted."""
        login = {"username": "admin", "password": self._password}
        token = requests.post(f"{URL}/auth/token", json=login, timeout=30).json()["access_token"]
        return requests.get(f"{URL}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def runs(self, burst_id: str) -> list[dict[str, Any]]:
        """Return the runs of a burst from the REST API; none while the API server is unreachable."""
        with suppress(requests.RequestException, KeyError):
            answer = self.get(f"/mxtvhf/runs?burst_id={burst_id}")
            return answer.json() if answer.ok else []
        return []

    def simulate(self, burst_id: str, seed: int = 7) -> tuple[str, str]:
        """Simulate an alert and its packets in the listener's container and return their names."""
        folder = f"/tmp/{burst_id}"
        place = ("--ra", 83.6, "--dec", 22)
        command = ("mxtvhf", "simulate", "--burst", burst_id, *place, "--counts", 150, "--seed", seed)
        self.exec("listen", *command, "--out", folder)
        return f"{folder}/eclairs-wakeup.xml", f"{folder}/packets.bin"

    def drop_into_inbox(self, *files: str) -> None:
        """Put files of the listener's container into the inbox."""
        for name in files:
            short = name.removeprefix("/tmp/").replace("/", "-")
            inbox = "/var/lib/mxtvhf/inbox"
            move = f"cd {inbox} && cp {name} .{short} && mv .{short} {short}"
            self.exec("listen", "sh", "-c", move)

    def publish(self, *files: str) -> None:
        """Publish files of the listener's container to NATS."""
        self.exec("listen", "python", "-", *files, text=PUBLISH)

    def wait_for_report(self, burst_id: str, timeout: float = 300) -> list[dict[str, Any]]:
        """Wait until all runs of a burst have succeeded, at least one with a position."""

        def ended() -> list[dict[str, Any]]:
            runs = self.runs(burst_id)
            is_over = all(run["state"] in ("COMPLETED", "FAILED") for run in runs)
            return runs if is_over and any(run["best_position"] for run in runs) else []

        found = wait_until(ended, f"report of {burst_id}", timeout)
        answer = self.get(f"/api/v2/dags/~/dagRuns?run_id_pattern={burst_id}%").json()
        # That of the decision goes on: it waits for the Burst Advocate.
        if failed := [run["dag_run_id"] for run in answer["dag_runs"] if run["state"] == "failed"]:
            raise AssertionError(f"failed: {', '.join(failed)}")
        return found

    def workers_of(self, burst_id: str) -> set[str]:
        """Return the hosts on which the tasks of a burst's runs ran."""
        answer = self.get("/api/v2/dags/~/dagRuns/~/taskInstances?limit=1000").json()
        tasks = [one for one in answer["task_instances"] if one["dag_run_id"].startswith(burst_id)]
        return {task["hostname"] for task in tasks if task["hostname"]}

    def send_signal(self, container: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to the first process of a container from the host, like a crash."""
        os.kill(int(docker("inspect", "--format", "{{.State.Pid}}", container)), number)

    def cpu_seconds(self, container: str) -> float:
        """Return the CPU time that a container has used."""
        for path, name, unit in (
            (Path("/sys/fs/cgroup/cpuacct"), "cpuacct.usage", 1e-9),
            (Path("/sys/fs/cgroup"), "cpu.stat", 1e-6),
        ):
            for folder in path.glob(f"*/*{container}*"):
                return float((folder / name).read_text().split()[1 if name == "cpu.stat" else 0]) * unit
        raise AssertionError(f"{container}: no cgroup")


class Swarm(Installation):
    """The same installation on Docker Swarm with one node."""

    def start(self) -> None:
        docker("swarm", "init", "--advertise-addr", "127.0.0.1")
        node = docker("node", "ls", "-q").strip()
        docker("node", "update", "--label-add", "mxtvhf=data", node)
        self.deploy()

    def deploy(self) -> None:
        """Start missing services and update changed ones."""
        file = self.folder / "docker-compose.yaml"
        if not Path("/proc/net/ip_vs").exists():
            file = self._without_ipvs()
        docker("stack", "deploy", "--resolve-image", "never", "--compose-file", file, self.stack)

    def _without_ipvs(self) -> Path:
        """Return the compose file for a kernel without IPVS: no virtual addresses, no ingress network."""
        for service in self.compose["services"].values():
            service["deploy"]["endpoint_mode"] = "dnsrr"
        port = {"target": 8080, "published": 8080, "mode": "host"}
        self.compose["services"]["api-server"]["ports"] = [port]
        file = self.folder / "docker-stack.yaml"
        file.write_text(yaml.safe_dump(self.compose))
        return file

    def is_complete(self, service: str) -> bool:
        """Return True if the newest task of a service has succeeded."""
        states = docker("service", "ps", "--format", "{{.CurrentState}}", f"{self.stack}_{service}")
        return states.startswith("Complete")

    def stop(self) -> None:
        docker("swarm", "leave", "--force")
        for name in self.compose["volumes"]:
            wait_until(lambda name=name: self._removed(f"{self.stack}_{name}"), f"end of {name}", 120)

    def _removed(self, volume: str) -> bool:
        docker("volume", "rm", "--force", volume, check=False)
        return volume not in docker("volume", "ls", "-q").split()

    def containers(self, service: str) -> list[str]:
        label = f"label=com.docker.swarm.service.name={self.stack}_{service}"
        return docker("ps", "--no-trunc", "-q", "--filter", label).split()


def started(kind: type[Installation], folder: Path) -> Iterator[Installation]:
    """Yield an installation whose services are all healthy, and remove it."""
    installation = kind(folder)
    installation.clear()
    try:
        installation.start()
        installation.wait_until_healthy()
        yield installation
    finally:
        installation.stop()
