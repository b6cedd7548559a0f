"""Cases in which the listener sends no message: no NATS, other DAGs, or an error in it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from mxtvhf.archive.archive import Archive, Retraction
from mxtvhf.notification.ledger import Ledger
from support.project import PROJECT

pytestmark = pytest.mark.integration

PLUGINS = PROJECT / "plugins"

# In a process of its own: the listener reads its settings once, and Airflow needs a home.
PROGRAM = """
import json, sys
from types import SimpleNamespace
from airflow.models.dagrun import DagRun
from mxtvhf_airflow import listener

about = json.load(sys.stdin)
run = DagRun(dag_id=about["dag_id"], run_id="sb26051102__1", conf=about["conf"], run_type="manual")
step = SimpleNamespace(
    dag_id=about["dag_id"], run_id=run.run_id, dag_run=run, task_id="update_BA", try_number=1, state="success"
)
listener.on_dag_run_running(run)
listener.on_task_instance_running(step)
listener.on_task_instance_failed(step, KeyError("x"))
listener.on_task_instance_success(step)
listener.on_dag_run_failed(run, "task_failure")
"""


@pytest.fixture
def tell(tmp_path):
    """Return a function that calls the hooks and returns messages and log."""

    def use(*, nats="nats://127.0.0.1:4222", dag_id="mxt_vhf", conf=None):
        environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("AIRFLOW", "MXTVHF"))
            },
            **{"AIRFLOW_HOME": str(tmp_path / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
            **{"MXTVHF_STATE": str(tmp_path / "var"), "MXTVHF_NATS_URL": nats, "PYTHONPATH": str(PLUGINS)},
            "MXTVHF_NOTIFICATION": '{"channels": "/channels"}',
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps({"dag_id": dag_id, "conf": conf}),
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outbox = tmp_path / "var" / "outbox"
        return [
            json.loads(path.read_text()) for path in sorted(outbox.glob("*.json"))
        ], done.stdout + done.stderr

    return use


def test_without_nats_nothing_is_written(tell, tmp_path):
    assert tell(nats="")[0] == []
    assert not (tmp_path / "var" / "outbox").exists()


def test_other_dags_are_ignored(tell):
    assert tell(dag_id="somebody_elses")[0] == []


@pytest.mark.parametrize(
    ("dag_id", "is_replay"), [("mxt_vhf", False), ("mxt_vhf_test", False), ("mxt_vhf_rerun", True)]
)
def test_runs_of_alerts_give_messages_in_every_dag(tell, dag_id, is_replay):
    messages, _ = tell(dag_id=dag_id, conf={"burst_id": "sb26030704"})
    assert [message["is_replay"] for message in messages] == [is_replay] * len(messages)
    assert len(messages) >= 4


def test_a_missing_report_affects_only_its_own_message(tell):
    conf = {"burst_id": "sb26051102", "alert": "<VOEvent role='observation'/>"}
    told, logged = tell(conf=conf)
    assert [(message["kind"], message["state"]) for message in told] == [
        ("run", "started"), ("step", "started"), ("step", "failed"), ("step", "succeeded"), ("run", "failed"),
    ]  # fmt: skip
    assert told[2]["error"] == "KeyError: 'x'"
    assert {message["is_test"] for message in told} == {False}
    assert "run sb26051102__1: message not queued" in logged


@pytest.mark.parametrize("conf", [None, {"burst_id": "../../etc", "alert": 7}])
def test_a_run_with_an_invalid_configuration_gives_a_message_without_burst(tell, conf):
    told, _ = tell(conf=conf)
    assert [message["burst_id"] for message in told] == [None] * 5
    assert {message["is_test"] for message in told} == {None}


@pytest.mark.parametrize("is_retracted", [False, True])
def test_a_run_that_a_retraction_stopped_notifies_nobody_of_a_failure(tell, tmp_path, is_retracted):
    """The person on duty was asked to call the operator."""
    burst_id, home = "sb26051102", tmp_path / "var"
    if is_retracted:
        retraction = Retraction(ivorn="ivo://a/b#c", received=datetime.now(UTC))
        Archive(home / "archive").mark_retracted(burst_id, retraction, is_test=False)
    tell(conf={"burst_id": burst_id, "alert": "<VOEvent role='observation'/>"})
    record = Ledger(home / "notifications").record(burst_id)
    assert [one.event for one in record.occurrences] == ([] if is_retracted else ["run_failed"])
