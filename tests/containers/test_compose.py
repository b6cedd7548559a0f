"""An installation with Docker Compose from its start to a restore; each test builds on earlier ones."""

import re
import shutil
import signal
import time

import pytest
import requests
import yaml

from containers.installation import URL, Installation, docker, read_file, started, wait_until, write_file
from support.project import PROJECT

BACKUP = "/var/lib/mxtvhf/backup.tar.gz"
LARGEST_IDLE_LOAD = 0.35
"""Of one core, all containers together."""
SETTLED_S, IDLE_S = 30, 90
LARGEST_CHECK_S = 0.1
"""CPU time of a health check."""
KILLED = (
    "worker", "scheduler", "api-server", "dag-processor", "triggerer", "listen", "gp", "redis", "nats",
    "postgres",
)  # fmt: skip


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    yield from started(Installation, tmp_path_factory.mktemp("installation"))


def test_every_service_is_healthy(installation):
    assert installation.unhealthy() == {}
    ended = docker("ps", "--all", "--filter", "name=migrate", "--format", "{{.Status}}")
    assert ended.startswith("Exited (0)")


def test_an_idle_installation_uses_at_most_a_third_of_a_core(installation):
    containers = {one: name for name in installation.services for one in installation.containers(name)}
    wait = ("run", "--rm", "--network", "none", "--entrypoint", "sleep", "mxt-vhf:0.2.0")
    docker(*wait, SETTLED_S)
    before, began = {one: installation.cpu_seconds(one) for one in containers}, time.monotonic()
    docker(*wait, IDLE_S)
    used = {one: installation.cpu_seconds(one) - before[one] for one in containers}
    seconds = time.monotonic() - began
    for one, name in containers.items():
        print(f"{name:15} {used[one] / seconds:.3f} of a core")
    assert sum(used.values()) / seconds <= LARGEST_IDLE_LOAD


@pytest.mark.parametrize("service", [name for name in KILLED if name != "postgres"])
def test_a_health_check_costs_little(installation, service):
    script = f"TIMEFORMAT=%U+%S; time mxtvhf-health {service}"
    container = installation.containers(service)[0]
    # The least of three, since other work on the same cores adds to the CPU time, too.
    told = [docker("exec", container, "bash", "-c", f"{{ {script}; }} 2>&1") for _ in range(3)]
    used = min(sum(map(float, times.split("+"))) for times in told)
    print(f"{service}: {used:.3f} s")
    assert used <= LARGEST_CHECK_S


def test_alerts_from_inbox_and_nats_become_reports_by_both_workers(installation):
    installation.drop_into_inbox(*installation.simulate("sb26112901"))
    installation.publish(*installation.simulate("sb26112902"))
    for burst_id in ("sb26112901", "sb26112902"):
        installation.wait_for_report(burst_id)
    assert len(installation.workers_of("sb26112901") | installation.workers_of("sb26112902")) == 2


def test_the_web_interface_answers(installation):
    assert "<html" in requests.get(URL, timeout=30).text.lower()
    assert "sb26112901" in installation.get("/mxtvhf/desk/sb26112901").text
    assert "<h1>MXT-VHF" in installation.get("/mxtvhf/manual/").text
    assert requests.get(f"{URL}/mxtvhf/runs", timeout=30).status_code in (401, 403)


@pytest.mark.parametrize(
    ("service", "command", "says"),
    [
        ("redis", "health", "ok  listener"),
        ("nats", "info", "sb26112901"),
        ("gp", "info --latency", "T0 to report"),
        ("scheduler", "retention --dry-run", "task logs: 0"),
        ("triggerer", "catalogue list", "bright-xray"),
        ("worker", "replay sb26112901 --limit 1", "1 replays"),
        ("api-server", "info --quarantine", ""),
        ("dag-processor", "log-queue --no-follow", ""),
    ],
)
def test_commands_work_in_the_container_of_any_service(installation, service, command, says):
    assert says in installation.exec(service, "mxtvhf", *command.split())
    without = ("env", "-u", "MXTVHF_CONFIG", "mxtvhf")
    assert says in installation.exec(service, *without, *command.split())


def test_a_run_can_be_started_and_announced_inside(installation):
    files = installation.simulate("sb26112903")
    for name in files:
        installation.exec("listen", "cp", name, "/var/lib/mxtvhf/inputs/")
    inputs = [f"/var/lib/mxtvhf/inputs/{name.rpartition('/')[2]}" for name in files]
    installation.exec("worker", "mxtvhf", "start", *inputs, "--wait")
    run = installation.runs("sb26112903")[0]["process_id"]
    report = f"/var/lib/mxtvhf/products/sb26112903/{run}/report.json"
    written = installation.exec("gp", "mxtvhf", "announce", report, "--by", "me", "--out", "/tmp/texts")
    assert "circular.txt" in written


def test_a_wrong_password_ends_a_service_with_the_message_of_the_server(installation):
    with pytest.raises(AssertionError) as caught:
        installation.run_with_secret("scheduler", "postgres", "wrong")
    fault = 'mxtvhf: database airflow at postgres: password authentication failed for user "airflow"'
    assert str(caught.value).strip().splitlines()[-1].endswith(fault)


def test_a_restore_over_a_running_installation_is_rejected(installation):
    installation.exec("listen", "mxtvhf", "backup", BACKUP, "--secrets")
    restore = f"mxtvhf restore {BACKUP} --overwrite 2>&1 || true"
    told = installation.exec("redis", "sh", "-c", restore)
    assert re.search(r"still running: .*SchedulerJob.*the listener", told)


@pytest.mark.parametrize("service", KILLED)
def test_a_killed_container_is_restarted_and_its_alert_becomes_a_report(installation, service):
    burst_id = f"sb261128{KILLED.index(service) + 1:02d}"
    files = installation.simulate(burst_id)
    victim = installation.containers(service)[0]
    installation.drop_into_inbox(*files)
    wait_until(lambda: installation.runs(burst_id), f"run of {burst_id}", 120)
    installation.send_signal(victim)
    installation.wait_for_report(burst_id)
    installation.wait_until_healthy()


def test_a_hanging_service_is_restarted(installation):
    (listener,) = installation.containers("listen")
    inside = installation.exec("listen", "sh", "-c", "cat /tmp/mxtvhf-50000/listen.json")
    pid = re.search(r'"pid": (\d+)', inside).group(1)
    installation.exec("listen", "python", "-c", f"import os; os.kill({pid}, {signal.SIGSTOP.value})")
    restarts = ("inspect", "--format", "{{.RestartCount}}", listener)
    before = docker(*restarts)
    wait_until(lambda: docker(*restarts) != before, "end of the hung listener", 400)
    installation.wait_until_healthy()


def test_an_upgrade_is_a_migration_between_stop_and_start(installation):
    others = [name for name in installation.services if name not in ("postgres", "redis", "nats")]
    installation.run("stop", "--timeout", "60", *others)
    installation.run("run", "--rm", "--no-deps", "migrate")
    installation.start()
    installation.wait_until_healthy()


def test_further_secrets_and_files_come_from_the_override_of_the_documentation(installation, tmp_path):
    text = (PROJECT / "docs" / "how-to" / "deploy.md").read_text()
    (override,) = (block for block in re.findall("```yaml\n(.*?)```", text, re.S) if "x-further" in block)
    (tmp_path / "docker-compose.override.yaml").write_text(override)
    shutil.copy(installation.folder / "docker-compose.yaml", tmp_path)
    merged = yaml.safe_load(docker("compose", "--project-directory", tmp_path, "config"))
    for name in set(merged["services"]) - {"postgres"}:
        service = merged["services"][name]
        assert {secret["source"] for secret in service["secrets"]} >= {"ldap", "jwt", "channels"}, name
        assert {config["source"] for config in service["configs"]} == {"mxtvhf", "ca"}, name


def test_existing_secrets_are_not_changed(installation):
    secrets = installation.folder / "secrets"
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    installation.make_secrets()
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before


def test_a_backup_is_restored_into_empty_volumes(installation):
    bursts = ("sb26112901", "sb26112902")
    runs = {burst: installation.runs(burst) for burst in bursts}
    installation.exec("scheduler", "mxtvhf", "backup", BACKUP, "--secrets")
    content = read_file(installation.containers("listen")[0], BACKUP)
    installation.stop()
    installation.run("up", "--detach", "--no-build", "migrate", "redis")
    assert docker("wait", installation.run("ps", "--all", "--quiet", "migrate").strip()).strip() == "0"
    write_file(installation.containers("redis")[0], BACKUP, content)
    installation.exec("redis", "mxtvhf", "restore", BACKUP)
    installation.start()
    installation.wait_until_healthy()
    for burst, before in runs.items():
        now = wait_until(lambda burst=burst: installation.runs(burst), burst, 60)
        assert [run["process_id"] for run in now] == [run["process_id"] for run in before]
        assert installation.get(f"/mxtvhf/desk/{burst}").ok
