"""An installation with Celery workers, Redis and NATS, each service started as in its container."""

import shutil

import pytest

from mxtvhf.errors import Failure
from mxtvhf.operation.deployment.cluster import native_cluster, worker_name
from mxtvhf.operation.deployment.health_target import TARGETS, check_service
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.airflow_runs import Runner, has_packets, planned, state_folder
from support.nats_server import free_port
from support.project import PROJECT

BURST = "sb26030704"


@pytest.fixture(scope="module")
def cluster():
    with (
        state_folder() as folder,
        native_cluster(folder, project=PROJECT, port=free_port(), workers=2) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def run(cluster):
    return Runner(cluster, cluster.deployment)


def test_a_burst_in_the_inbox_becomes_a_report_by_both_workers(cluster, run, tmp_path):
    alert, _, packets, _ = write_scenario(scenario_of(BURST), tmp_path)
    for path in (alert, packets):
        shutil.copy(path, cluster.deployment.inbox)
    (first, *_) = planned(cluster.deployment, BURST, has_packets)
    assert run.wait(first.run_id) == "success"
    assert (run.folder(first.run_id) / "report.json").exists()
    for number in range(2):
        assert "succeeded" in (cluster.processes.logs / f"{worker_name(number)}.log").read_text()


@pytest.mark.parametrize("service", TARGETS)
def test_every_service_is_healthy(cluster, service):
    check_service(service, cluster.deployment, instance=worker_name(0) if service == "worker" else None)


def test_a_missing_worker_is_unhealthy(cluster):
    with pytest.raises(Failure, match="worker-9"):
        check_service("worker", cluster.deployment, instance="worker-9")


def test_no_secret_is_in_a_log(cluster, run):
    secrets = [path.read_text().strip() for path in (cluster.config.parent / "secrets").iterdir()]
    logs = [path.read_text() for path in cluster.config.parent.glob("log/**/*.log")]
    assert len(secrets) >= 6
    assert not [secret for secret in secrets for log in logs if secret in log]
