"""Health, metrics and backup of a real installation."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mxtvhf.operation.backup_file import read_manifest
from mxtvhf.operation.stack.processes import wait_until
from support.project import PROJECT

pytestmark = pytest.mark.integration


def command(stack, settings, *arguments):
    environment = {**stack.processes.environment, "MXTVHF_AIRFLOW_URL": stack.url}
    # As on a bare machine: the embedded database is that of the state folder.
    environment.pop("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    return subprocess.run(
        [sys.executable, "-m", "mxtvhf", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_running_installation_is_healthy(stack, settings, web):
    wait_until(lambda: web("/mxtvhf/health").json()["is_healthy"], what="health", timeout=120)
    told = command(stack, settings, "health")
    assert told.returncode == 0, told.stdout
    for part in ("airflow_scheduler", "listener", "disk", "gp", "nats"):
        assert f"ok  {part} " in told.stdout
    assert re.search(r"^ok  airflow_version +3\S+ \(tested\); patches: none$", told.stdout, re.M)


def test_prometheus_reads_the_metrics(web):
    answer = web("/mxtvhf/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {sample.labels["part"] for sample in families["mxtvhf_healthy"].samples} > {"listener", "nats"}
    assert families["mxtvhf_disk_free_bytes"].samples[0].value > 0


def test_a_running_installation_is_saved(stack, settings, tmp_path):
    saved = command(stack, settings, "backup", str(tmp_path / "backup.tar.gz"))
    assert saved.returncode == 0, saved.stderr
    manifest = read_manifest(tmp_path / "backup.tar.gz")
    assert {"dag_run", "task_instance", "xcom"} < manifest.database.tables.keys()
    assert not any(name.startswith("state/secrets/") for name in manifest.sha256)
    assert stack.api.is_healthy()


def test_maintenance_lines_of_the_docs(stack, settings, tmp_path):
    pages = [PROJECT / "docs" / "how-to" / name for name in ("monitor.md", "back-up-and-recover.md")]
    blocks = [block for page in pages for block in page.read_text().split("```sh\n")[1:]]
    lines = [
        line
        for block in blocks
        for line in block.split("```")[0].splitlines()
        if line.startswith(".venv/bin/mxtvhf ") and "--" not in line.split("#")[0].replace("--dry-run", "")
    ]
    done = {}
    for line in lines:
        _, name, *words = shlex.split(line, comments=True)
        words = [str(tmp_path / word) if word.endswith(".gz") else word for word in words]
        done[name] = command(stack, settings, name, *words)
    assert {name: one.returncode for name, one in done.items() if name != "restore"} == {
        "health": 0,
        "backup": 0,
        "retention": 0,
    }, done
    # It is for a stack that is down.
    assert "uses this state folder" in done["restore"].stderr


def test_retention_is_paused_until_it_is_enabled(stack, run):
    dag_id = "mxt_vhf_retention"
    assert stack.api.get(f"/api/v2/dags/{dag_id}")["is_paused"]
    stack.api.start_run("by-hand", {}, dag_id=dag_id)
    stack.api.unpause(dag_id)
    assert run.wait("by-hand", dag_id=dag_id) == "success"
