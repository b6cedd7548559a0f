from celery.signals import heartbeat_sent

from mxtvhf.operation.deployment.service_health import ALIVE_FILE
from mxtvhf_airflow.celery_options import CELERY_CONFIG


def test_each_heartbeat_of_a_worker_touches_its_file(tmp_path, monkeypatch):
    monkeypatch.setenv(ALIVE_FILE, str(tmp_path / "alive"))
    heartbeat_sent.send(sender=None)
    assert (tmp_path / "alive").exists()


def test_without_an_installation_no_file_is_touched(tmp_path, monkeypatch):
    monkeypatch.delenv(ALIVE_FILE, raising=False)
    monkeypatch.chdir(tmp_path)
    heartbeat_sent.send(sender=None)
    assert list(tmp_path.iterdir()) == []


def test_all_else_is_the_configuration_of_the_provider():
    assert CELERY_CONFIG["task_acks_late"] is not None
    assert CELERY_CONFIG["broker_url"]
