import json
import os
import re
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.intake.alive import alive_file
from mxtvhf.intake.intake import Intake
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.intake.parts import Part
from mxtvhf.intake.planned import PlannedRun, planned_folder
from mxtvhf.notification.ledger import Ledger
from mxtvhf.notification.model import Addressed, Attempt, Occurrence
from mxtvhf.operation.health import health, oldest_waiting_s
from mxtvhf.operation.metrics import exposition
from mxtvhf.settings import IntakePolicy, Settings
from mxtvhf.workflow.airflow_api import COMPONENTS
from support.duty import Installation
from support.nats_server import NatsServer, free_port
from support.project import PROJECT

DEPLOY = PROJECT / "deploy"
BURST = "sb26030704"
AIRFLOW = dict.fromkeys(COMPONENTS, "healthy")


def test_a_message_filed_meanwhile_is_not_an_error(installation):
    # The same to a reader as a file that is removed after the folder was listed.
    (installation.archive / "incoming" / "filed.msg").symlink_to("nowhere")
    alive_file(installation.archive).unlink()
    alive_file(installation.archive).symlink_to("nowhere")
    assert oldest_waiting_s(Archive(installation.archive)) == 0.0
    found = {check.name: check.detail for check in health(installation, AIRFLOW, None).checks}
    assert found["listener"] == "never ran"


class Once:
    """An event that is set after the first check."""

    def __init__(self):
        self.looks = 0

    def is_set(self):
        self.looks += 1
        return self.looks > 1

    def wait(self, seconds):
        return True


@pytest.fixture
def installation(tmp_path):
    """Return the settings of an installation whose listener has just finished a round."""
    settings = Settings(state=tmp_path)
    intake = Intake(Archive(settings.archive), None, IntakePolicy(), settings.products)
    intake._woken.wait = lambda seconds: None
    intake.run(Once())
    return settings


@pytest.fixture
def gp_url():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/gp"


def bad(found):
    assert found.is_healthy == all(check.is_healthy for check in found.checks)
    return {check.name: check.detail for check in found.checks if not check.is_healthy}


def test_a_working_installation_is_healthy(installation, gp_url):
    found = health(installation, AIRFLOW, gp_url)
    assert found.is_healthy
    assert {check.name for check in found.checks} == {
        "airflow_metadatabase", "airflow_scheduler", "airflow_triggerer", "airflow_dag_processor",
        "listener", "inputs", "disk", "gp",
    }  # fmt: skip


def test_each_unhealthy_part_is_named(installation, gp_url):
    assert bad(health(installation, {**AIRFLOW, "scheduler": "unhealthy"}, gp_url)) == {
        "airflow_scheduler": "unhealthy"
    }
    assert list(bad(health(installation, AIRFLOW, None))) == ["gp"]
    assert list(bad(health(installation, AIRFLOW, f"http://127.0.0.1:{free_port()}"))) == ["gp"]
    assert list(bad(health(installation, AIRFLOW, "http://no.such.host.invalid"))) == ["gp"]
    old = time.time() - 3600
    os.utime(alive_file(installation.archive), (old, old))
    assert list(bad(health(installation, AIRFLOW, gp_url))) == ["listener"]
    alive_file(installation.archive).unlink()
    assert bad(health(installation, AIRFLOW, gp_url)) == {"listener": "never ran"}


def test_a_part_of_the_listener_that_keeps_failing_is_named_with_its_reason(installation, gp_url):
    def work(stop, works):
        raise InvalidInput("'x' is no NATS URL\x1b[2J")

    Part("messages out", work, installation.archive).run(Once())
    assert bad(health(installation, AIRFLOW, gp_url)).keys() == {"listener_messages_out"}
    (reason,) = bad(health(installation, AIRFLOW, gp_url)).values()
    assert reason.startswith(r"'x' is no NATS URL\x1b[2J (1 failure since ")


@pytest.mark.service
def test_nats_is_checked_if_it_is_configured(installation, gp_url, tmp_path):
    (tmp_path / "nats").mkdir()
    with NatsServer(tmp_path / "nats") as server:
        with_nats = installation.model_copy(update={"nats_url": server.url})
        found = health(with_nats, AIRFLOW, gp_url)
        assert found.is_healthy
        assert "nats" in {check.name for check in found.checks}
    assert list(bad(health(with_nats, AIRFLOW, gp_url))) == ["nats"]


def test_an_input_without_a_run_is_reported(installation, gp_url):
    archive = Archive(installation.archive)
    assert oldest_waiting_s(archive) == 0.0
    run = PlannedRun(
        run_id=f"{BURST}__1", conf={"burst_id": BURST, "alert": "file:///a.xml"}, cause="photons",
        reason="first photons", is_test=False, planned=datetime(2026, 3, 7, tzinfo=UTC),
    )  # fmt: skip
    planned_folder(archive, BURST).mkdir(parents=True)
    (planned_folder(archive, BURST) / "0001.json").write_text(run.model_dump_json())
    OpenBursts(archive.root).open(BURST)
    assert list(bad(health(installation, AIRFLOW, gp_url))) == ["inputs"]


def report(run_id, **changes):
    facts = {
        "burst_id": BURST, "run_id": run_id, "status": "final", "is_test": False, "is_replay": False,
        "is_retracted": False, "headline": "found", "written": "2026-03-07T00:01:08Z", "trigger_time": None,
        "best_position": None, "products": {},
        "packets": {"received": 30, "good": 25, "repeated": 3, "missing": 4, "corrupt": 2, "foreign": 0},
        "timeline": [{"name": "alert_received", "time": "2026-03-07T00:01:00Z"}],
    }  # fmt: skip
    return json.dumps({**facts, **changes})


def figures(settings, gp_url):
    text = exposition(settings, {"success": 3, "failed": 1}, health(settings, AIRFLOW, gp_url)).decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_metrics_describe_the_installation(installation, gp_url):
    archive = Archive(installation.archive)
    archive.keep_alert(BURST, b"<a>")
    archive.quarantine(b"noise", name="x", reason="no notice")
    for run_id, changes in (
        (f"{BURST}__1", {}),
        (f"{BURST}__1__replay_1", {"is_replay": True}),
    ):
        path = installation.products / BURST / run_id / "report.json"
        path.parent.mkdir(parents=True)
        path.write_text(report(run_id, **changes))
    found = figures(installation, gp_url)
    assert found["mxtvhf_alerts_received_total",] == 1
    assert found["mxtvhf_quarantined_total",] == 1
    assert found["mxtvhf_other_mission_notices", "read"] == 0
    assert found["mxtvhf_announcements_total",] == 0
    assert found["mxtvhf_runs", "failed"] == 1
    assert found["mxtvhf_healthy", "listener"] == 1
    assert found["mxtvhf_packets", "missing"] == 4
    assert found["mxtvhf_latency_seconds_count", "final", "live"] == 1
    assert found["mxtvhf_latency_seconds_sum", "final", "live"] == 8
    assert found["mxtvhf_latency_seconds_bucket", "5.0", "final", "live"] == 0
    assert found["mxtvhf_latency_seconds_bucket", "10.0", "final", "live"] == 1


@pytest.fixture
def notified(installation, tmp_path):
    """Return the same settings with people, one of whom was notified 5 minutes ago."""
    now = datetime.now(UTC)
    policy = Installation(tmp_path / "duty", rota=TODAY.format(now=now)).policy
    policy.channels.write_text("ada = json://s3cr3t@localhost\n")
    settings = installation.model_copy(update={"notification": policy})
    ledger, earlier = Ledger(settings.notifications), now - timedelta(minutes=5)
    ledger.raise_occurrence(
        Occurrence(key="k", event="first_notice", subject=BURST, raised=earlier, title="t", body="b")
    )
    ledger.address(BURST, Addressed(key="k", stage=0, to=("ada",), reason="on duty", time=earlier))
    return settings


TODAY = """
[people.ada]
name = "Ada"

[[shifts]]
person = "ada"
start = {now:%Y-%m-%d}T00:00:00
end = {now:%Y-%m-%d}T23:59:59
"""


def test_an_undelivered_notification_is_counted(notified, gp_url):
    assert figures(notified, gp_url)["mxtvhf_notifications_undelivered",] == 1
    attempt = Attempt(key="k", channel="ada/json", to=("ada",), state="sent", time=datetime.now(UTC))
    Ledger(notified.notifications).log_attempt(BURST, attempt)
    assert figures(notified, gp_url)["mxtvhf_notifications_undelivered",] == 0


def test_a_gap_in_the_rota_and_an_invalid_channel_are_reported(notified, gp_url):
    def lines():
        checks = health(notified, AIRFLOW, gp_url).checks
        return {one.name: (one.is_healthy, one.detail) for one in checks if one.name in ("rota", "channels")}

    found = lines()
    assert found["channels"] == (True, "1 channel")
    assert found["rota"][0]
    assert found["rota"][1].startswith("Ada is on duty until ")
    policy = notified.notification
    policy.channels.write_text("s3cr3t\nbob = json://s3cr3t@localhost\n")
    policy.rota.write_text('[people.ada]\nname = "Ada"\n')
    found = lines()
    assert found["rota"] == (False, "nobody is on duty for 14 days; everybody is notified")
    assert not found["channels"][0]
    assert "line 1: invalid line; expected" in found["channels"][1]
    assert found["channels"][1].endswith("; no channel for ada, who is in the rota")
    assert "s3cr3t" not in found["channels"][1]
    policy.rota.write_text("people")
    assert "not TOML" in lines()["rota"][1]


def test_dashboard_and_alert_rules_use_existing_metrics(installation, gp_url):
    path = installation.products / BURST / f"{BURST}__1" / "report.json"
    path.parent.mkdir(parents=True)
    path.write_text(report(f"{BURST}__1"))
    known = {name for name, *_ in figures(installation, gp_url)}
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
    asked += [rule["expr"] for rule in rules]
    assert len(asked) > 15
    used = {name for expression in asked for name in re.findall(r"mxtvhf_\w+", expression)}
    assert used <= known
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    assert scraped["rule_files"] == ["alerts.yml"]
