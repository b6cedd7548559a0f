"""The Burst Advocate's decision in a real Airflow and the resulting messages."""

import json
from contextlib import suppress

import pytest
import requests

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import REPORT_FOLDERS
from mxtvhf.errors import InvalidInput
from mxtvhf.intake.open_questions import OpenQuestions
from mxtvhf.operation.stack.airflow_config import user_passwords
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.reporting.announcement.model import Decision, Release
from mxtvhf.reporting.announcement.question import decided_report, read_report
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.airflow_api import DAG_ID, DECISION_DAG_ID, AirflowApi
from support.airflow_runs import conf_of

pytestmark = pytest.mark.integration

BURST, TEST_BURST = "sb26051103", "sb26051104"
WORKERS = 8
"""``parallelism`` of the embedded stack."""


class Desk:
    """Asks and answers over Airflow's API, as a user."""

    def __init__(self, stack, settings, user):
        self.url, self.settings, self.user = stack.url, settings, user
        self.api = AirflowApi(stack.url, user, user_passwords(settings.home)[user])

    def address(self, run_id, rest="/-1/hitlDetails"):
        return f"/api/v2/dags/{DECISION_DAG_ID}/dagRuns/{run_id}/taskInstances/ba_decision{rest}"

    def question(self, run_id):
        return self.api.get(self.address(run_id))

    def answer(self, run_id, option, position="best", comment="", report=None):
        """Answer Airflow, by default about the newest report."""
        body = self.body(option, report or self.newest(run_id), position=position, comment=comment)
        return self.api._request("PATCH", self.address(run_id), json=body).status_code

    def answer_on_the_desk(self, run_id, option, report):
        """Answer like the form of the page, and return the status and the reason."""
        address = f"/mxtvhf/desk/{run_id.split('__')[0]}/answer?run={run_id}"
        headers = {"Authorization": f"Bearer {self.token}"}
        body = self.body(option, report, position="best", comment="")
        answer = requests.patch(self.url + address, json=body, headers=headers, timeout=60)
        return answer.status_code, answer.json().get("detail")

    @property
    def token(self):
        login = {"username": self.user, "password": user_passwords(self.settings.home)[self.user]}
        return requests.post(f"{self.url}/auth/token", json=login, timeout=10).json()["access_token"]

    @staticmethod
    def body(option, report, **fields):
        return {"chosen_options": [option], "params_input": {**fields, "report": report}}

    def newest(self, run_id):
        """Digest of the newest report of a run."""
        return read_report(self.settings.products, run_id.split("__")[0], run_id)[1]


@pytest.fixture(scope="module")
def ada(stack, settings):
    return Desk(stack, settings, "ada")


@pytest.fixture(scope="module")
def bob(stack, settings):
    return Desk(stack, settings, "bob")


def inputs(settings, burst, role):
    folder = settings.inputs / f"decision-{role}"
    write_scenario(scenario_of(burst, ra_deg=120.0, dec_deg=30.0, counts=200, seed=3, role=role), folder)
    return conf_of(burst, folder)


@pytest.fixture(scope="module")
def analysed(run, settings):
    """Return an analysis of a real burst with an open question."""
    run_id = f"{BURST}__1"
    assert run(run_id, **inputs(settings, BURST, "observation")) == "success", run.api.task_states(run_id)
    assert run.api.task_states(run_id)["ask_ba"] == "success"
    return run_id


@pytest.fixture
def another(analysed, run, settings):
    """Copy the report of the analysis to another run id and ask about it."""

    def use(sequence, burst=BURST, wait=True, **conf):
        run_id = f"{burst}__{sequence}"
        report = json.loads((run.folder(analysed) / "report.json").read_text())
        report |= {"run_id": run_id, "burst_id": burst}
        report["written"] = report["written"].replace("2026-", f"{3000 + sequence}-")
        folder = settings.products / burst / run_id
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json.dumps(report))
        assert run.api.start_run(run_id, {"burst_id": burst, **conf}, dag_id=DECISION_DAG_ID)
        if wait:
            wait_for_the_question(run, run_id)
        return run_id

    return use


def states(run, run_id):
    return run.api.task_states(run_id, dag_id=DECISION_DAG_ID)


def test_a_question_notifies_and_one_person_acknowledges_the_burst(analysed, phone, stack, ada, bob):
    # The message about the first position asks for the decision, too, if it is sent before the question.
    titles = f"{BURST}: decision needed", f"{BURST}: first position"

    def messages():
        return [body["message"] for _, body in phone.got if body["title"].startswith(titles)]

    wait_until(messages, what="the notification", timeout=120)
    assert f"Page: {stack.url}/mxtvhf/desk/{BURST}?run={analysed}" in messages()[0]
    address = f"/mxtvhf/desk/{BURST}/acknowledge"
    body = {"subject": BURST, "instead_of": None}

    def acknowledge(user, **changes):
        return user.api._request("POST", address, json=body | changes)

    assert acknowledge(bob).status_code == 403, "a viewer"
    assert acknowledge(ada, subject=TEST_BURST).status_code == 422
    assert acknowledge(ada).json()["by"] == "ada"
    admin = Desk(stack, ada.settings, "admin")
    refused = acknowledge(admin)
    assert refused.status_code == 409
    assert "acknowledged by ada at" in refused.json()["detail"]
    assert acknowledge(admin, instead_of="ada").json()["by"] == "admin"


def wait_for_the_question(run, run_id):
    def is_open():
        # There is no run of the decision before the first report.
        with suppress(InvalidInput):
            return states(run, run_id).get("ba_decision") == "awaiting_input"
        return False

    wait_until(is_open, what=f"question {run_id}", timeout=300)


def ended(run, run_id):
    return run.wait(run_id, dag_id=DECISION_DAG_ID)


def answered(run, desk, run_id, option, *answer):
    """Answer, once, and wait for the end of the run."""
    wait_for_the_question(run, run_id)
    assert desk.answer(run_id, option, *answer) == 200
    return ended(run, run_id)


def reason(run, run_id, task_id):
    path = f"/api/v2/dags/{DECISION_DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/reason"
    return run.api.get(path)["value"]


def released_of(settings, run_id):
    path = settings.releases / run_id.split("__")[0] / run_id / "release.json"
    return Release.model_validate_json(path.read_bytes()) if path.exists() else None


def decided_of(settings, run_id):
    path = settings.releases / run_id.split("__")[0] / run_id / "decision.json"
    return Decision.model_validate_json(path.read_bytes()) if path.exists() else None


@pytest.fixture(scope="module")
def announcements(told):
    """Return the messages of a run stored by NATS."""
    return lambda run_id: [one for one in told(run_id) if one.kind == "announcement"]


def test_the_question_shows_the_result_and_the_drafts(run, analysed, ada, web, stack):
    wait_for_the_question(run, analysed)
    question = ada.question(analysed)
    digest = question["params"]["report"]["value"]
    report = decided_report(ada.settings.products, BURST, analysed, digest)
    assert question["subject"] == report.headline
    assert question["options"] == ["Approve", "Reject"]
    assert set(question["params"]) == {"position", "comment", "report"}
    assert question["params"]["position"]["schema"]["enum"] == [
        "best",
        *(one.label for one in report.positions if one.origin != "MXT GP"),  # the reference GP's
    ]
    assert f"{stack.url}/mxtvhf/desk/{BURST}?run={analysed}" in question["body"]
    # On a busy machine the question may be put after the final report, and then has no preliminary drafts.
    for below in {REPORT_FOLDERS[report.status], ""}:
        drafts = {path.name for path in (run.folder(analysed) / below / "drafts").iterdir()}
        assert drafts == {"voevent.xml", "gcn_notice.json", "circular.txt", "message.txt"}
    below = REPORT_FOLDERS[report.status]
    for draft in drafts:
        address = f"/mxtvhf/runs/{analysed}/{below}drafts/{draft}"
        assert address in question["body"]
        assert web(address).status_code == 200


def test_a_viewer_cannot_answer(run, analysed, bob, stack):
    wait_for_the_question(run, analysed)
    assert bob.question(analysed)["response_received"] is False
    assert bob.answer(analysed, "Approve") == 403
    body = {"chosen_options": ["Approve"], "params_input": {}}
    assert requests.patch(stack.url + bob.address(analysed), json=body, timeout=10).status_code == 401
    assert states(run, analysed)["ba_decision"] == "awaiting_input"


def test_an_approval_is_published_once(run, analysed, ada, settings, webhook, announcements):
    wait_for_the_question(run, analysed)
    webhook.got.clear()
    assert ada.answer(analysed, "Perhaps") == 400
    assert answered(run, ada, analysed, "Approve") == "success"
    assert ada.answer(analysed, "Reject") == 409
    released = released_of(settings, analysed)
    assert (released.number, released.decision.decided_by) == (1, "ada")
    told = ada.question(analysed)
    assert released.decision.decided_at.isoformat() == told["responded_at"].replace("Z", "+00:00")
    assert [delivery.state for delivery in released.deliveries] == ["sent", "sent"]
    message = (settings.releases / BURST / analysed / "message.txt").read_text()
    assert webhook.texts == [message]
    assert len(announcements(analysed)) == 1
    again = {"dry_run": False, "dag_run_id": analysed, "task_ids": ["announce"], "only_failed": False}
    run.api.post(f"/api/v2/dags/{DECISION_DAG_ID}/clearTaskInstances", again)
    assert ended(run, analysed) == "success"
    assert released_of(settings, analysed) == released
    assert (len(webhook.got), len(announcements(analysed))) == (1, 1)


def test_the_secret_of_the_webhook_is_in_no_log(settings, analysed):
    secret = settings.webhook_file.read_text().strip().rsplit("/", 1)[1]
    logs = [path for path in (settings.home / "log").rglob("*") if path.is_file()]
    assert any(f"dag_id={DECISION_DAG_ID}" in str(path) for path in logs)
    assert not [path for path in logs if secret in path.read_text(errors="replace")]


def test_a_correction_is_published(run, another, ada, settings):
    run_id = another(2)
    assert (
        answered(run, ada, run_id, "Approve", "eclairs-wakeup", "The X-ray source is unrelated.") == "success"
    )
    released = released_of(settings, run_id)
    assert released.position.label == "eclairs-wakeup"
    assert released.supersedes == f"ivo://mxt-vhf/announcements#{BURST}_1"
    circular = (settings.releases / BURST / run_id / "circular.txt").read_text()
    assert "The X-ray source is unrelated." in circular


def test_a_rejection_publishes_nothing(run, another, ada, settings, webhook, announcements):
    run_id = another(3)
    webhook.got.clear()
    assert answered(run, ada, run_id, "Reject", "best", "A cosmic ray.") == "success"
    assert states(run, run_id) == {"ba_decision": "success", "announce": "skipped"}
    assert reason(run, run_id, "announce") == f"{run_id}: rejected by ada; nothing is announced"
    decided = decided_of(settings, run_id)
    assert (decided.choice, decided.comment) == ("reject", "A cosmic ray.")
    assert released_of(settings, run_id) is None
    assert (webhook.got, announcements(run_id)) == ([], [])


def test_without_an_answer_nothing_is_published(run, another, settings):
    run_id = another(4, wait=False, answer_within_s=1.0)
    assert ended(run, run_id) == "success"
    assert states(run, run_id) == {"ba_decision": "skipped", "announce": "skipped"}
    assert "no answer in time; nothing is announced" in reason(run, run_id, "ba_decision")
    assert decided_of(settings, run_id) is None


def test_an_invalid_position_is_rejected(run, another, ada, settings):
    run_id = another(5)
    assert answered(run, ada, run_id, "Approve", "moon") == "failed"
    assert "position 'moon'" in reason(run, run_id, "ba_decision")
    assert released_of(settings, run_id) is None


def asked_again(run, ada, run_id):
    """Wait until the question is asked again."""
    wait_until(
        lambda: ada.api.get(ada.address(run_id, ""))["try_number"] == 2,
        what=f"next try {run_id}",
        timeout=300,
    )
    wait_for_the_question(run, run_id)


def test_the_question_is_repeated_for_a_changed_report(run, another, ada, settings):
    run_id = another(6)
    path, read = settings.products / BURST / run_id / "report.json", ada.newest(f"{BURST}__6")
    path.write_text(path.read_text() + "\n")
    assert ada.answer(run_id, "Approve", report=read) == 200
    asked_again(run, ada, run_id)
    assert released_of(settings, run_id) is None
    assert not ada.question(run_id)["response_received"]
    assert answered(run, ada, run_id, "Reject") == "success"


GP_RUNNING = b'{"processing_descriptor": {"process_id": "job-1", "state": "RUNNING"}}'
GP_FAILED = b'{"processing_descriptor": {"process_id": "job-1", "state": "FAILED", "message": "no attitude"}}'


@pytest.fixture
def slow_gp(bad_gp):
    """Run a GP that works until ``status`` says otherwise."""
    with bad_gp("status", GP_RUNNING) as gp:
        yield gp


def asked_while_gp_runs(run, settings, burst):
    """Start a run and wait for its question while GP is working."""
    run_id = f"{burst}__1"
    assert run.api.start_run(run_id, inputs(settings, burst, "observation") | {"gp_timeout_s": 1200})
    wait_for_the_question(run, run_id)
    assert not (run.folder(run_id) / "report.json").exists()
    return run_id


def test_the_preliminary_report_is_announced_while_gp_runs(run, settings, ada, slow_gp, announcements):
    """The Burst Advocate used to wait up to 30 minutes for GP, although the position was known after 3 s."""
    run_id = asked_while_gp_runs(run, settings, "sb26051105")
    assert answered(run, ada, run_id, "Approve") == "success"
    released = released_of(settings, run_id)
    assert released.decision.report_status == "preliminary"
    assert [one.report_status for one in announcements(run_id)] == ["preliminary"]
    assert run.api.run(run_id)["state"] == "running"
    slow_gp.status = GP_FAILED
    run.wait(run_id)
    assert (run.folder(run_id) / "report.json").exists()
    assert run.api.task_states(run_id)["ask_ba_final"] == "skipped"
    assert run.ids(DECISION_DAG_ID).count(run_id) == 1
    assert released_of(settings, run_id) == released


def test_a_final_report_updates_the_open_question(run, settings, ada, bob, slow_gp):
    run_id = asked_while_gp_runs(run, settings, "sb26051106")
    read = ada.newest(run_id)
    slow_gp.status = GP_FAILED
    run.wait(run_id)
    status, detail = ada.answer_on_the_desk(run_id, "Approve", read)
    assert status == 409
    assert detail.startswith("A newer result is available, the final report")
    # Airflow itself takes any answer; what is not about the newest report announces nothing.
    assert ada.answer(run_id, "Approve", report=read) == 200
    asked_again(run, ada, run_id)
    assert released_of(settings, run_id) is None
    assert bob.answer_on_the_desk(run_id, "Approve", ada.newest(run_id))[0] == 403
    assert ada.answer_on_the_desk(run_id, "Approve", ada.newest(run_id))[0] == 200
    assert ended(run, run_id) == "success"
    assert released_of(settings, run_id).decision.report_status == "final"
    status, detail = ada.answer_on_the_desk(run_id, "Reject", ada.newest(run_id))
    assert (status, detail.split(",")[0]) == (409, "Already decided by ada")


def test_nothing_of_a_test_alert_is_sent(run, settings, ada, webhook, announcements):
    run_id = f"{TEST_BURST}__1__test"
    webhook.got.clear()
    assert run(run_id, **inputs(settings, TEST_BURST, "test")) == "success"
    wait_for_the_question(run, run_id)
    assert answered(run, ada, run_id, "Approve") == "success"
    released = released_of(settings, run_id)
    assert released.is_test
    assert {delivery.state for delivery in released.deliveries} == {"off"}
    assert (webhook.got, announcements(run_id)) == ([], [])
    assert "TEST" in (settings.releases / TEST_BURST / run_id / "circular.txt").read_text()


def test_a_replay_is_not_asked_about(run, settings):
    run_id = f"{TEST_BURST}__1__replay_20260101T000000Z"
    assert run(run_id, **inputs(settings, TEST_BURST, "test")) == "success"
    assert run.api.task_states(run_id)["ask_ba"] == "skipped"
    assert run_id not in run.ids(DECISION_DAG_ID)


def test_questions_hold_no_worker(run, another, settings):
    """An analysis finishes although there are more open questions than workers."""
    # Of different bursts: of one burst only the newest question stays open.
    asked = [another(1, burst=f"sb260601{number:02d}", wait=False) for number in range(1, WORKERS + 3)]
    for run_id in asked:
        wait_for_the_question(run, run_id)
    wait_until(
        lambda: run.api.get("/api/v2/pools/default_pool")["occupied_slots"] == 0,
        what="free slots",
        timeout=60,
    )
    assert run("sb26051103__20__test", **inputs(settings, BURST, "observation")) == "success"
    assert {states(run, run_id)["ba_decision"] for run_id in asked} == {"awaiting_input"}


def test_an_immediate_answer_is_accepted(run, another, ada):
    """The second part of the task is sent before the end of the first part is known."""
    asked = [another(1, burst=f"sb260602{number:02d}", wait=False) for number in range(1, 2 * WORKERS + 1)]
    open_ones = set(asked)

    def all_answered():
        for run_id in [one for one in open_ones if states(run, one).get("ba_decision") == "awaiting_input"]:
            assert ada.answer(run_id, "Reject") == 200
            open_ones.discard(run_id)
        return not open_ones

    wait_until(all_answered, what="questions", timeout=300)
    assert {ended(run, run_id) for run_id in asked} == {"success"}
    tries = [run.api.get(ada.address(run_id, ""))["try_number"] for run_id in asked]
    assert tries == [1] * len(asked)


def test_a_repeated_question_is_asked_once(run, settings):
    run_id = "sb26051109__1"
    assert run(run_id, **inputs(settings, "sb26051109", "observation")) == "success"
    again = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["ask_ba"], "only_failed": False}
    run.api.post(f"/api/v2/dags/{DAG_ID}/clearTaskInstances", again)
    assert run.wait(run_id) == "success"
    assert run.api.task_states(run_id)["ask_ba"] == "skipped"
    assert run.ids(DECISION_DAG_ID).count(run_id) == 1


def test_a_superseded_question_is_closed(another, run, ada, settings):
    """Thirteen questions about eight bursts used to be open, and Airflow's form accepted answers to all."""
    older, newer = another(41), another(42)
    OpenQuestions(Archive(settings.archive), settings.products, run.api.separate()).end_unneeded()
    assert ended(run, older) == "failed"
    assert run.api.run(older, dag_id=DECISION_DAG_ID)["note"].endswith(f"superseded by {newer}")
    # Airflow still takes an answer, and does nothing with it.
    ada.answer(older, "Approve")
    assert states(run, older)["ba_decision"] not in ("success", "awaiting_input", "running")
    assert not (settings.releases / BURST / older).exists()
    assert states(run, newer)["ba_decision"] == "awaiting_input"
    assert answered(run, ada, newer, "Reject") == "success"


def sent_to_desk(desk, run_id, path, **body):
    """Send a form of the desk like its page, and return status and answer."""
    answer = desk.api._request("POST", f"/mxtvhf/desk/{run_id.split('__')[0]}/{path}", json=body)
    return answer.status_code, answer.json().get("detail") if answer.content else None


def test_an_announcement_is_submitted_and_retracted_by_users_who_may_decide(
    run, another, ada, bob, settings, webhook, told
):
    run_id = another(1, burst="sb26051108")
    answered(run, ada, run_id, "Approve")
    out, before = released_of(settings, run_id), len(webhook.got)
    retraction = {"action": "retract", "about": out.ivorn, "reason": "A particle event."}
    for path, body in (
        ("submission", {"run": run_id, "circular": 44454}),
        ("event", {"name": "GRB 260511B"}),
        ("change", retraction),
    ):
        status, detail = sent_to_desk(bob, run_id, path, **body)
        assert (status, detail) == (403, "bob is not allowed to decide about announcements")
    assert sent_to_desk(ada, run_id, "submission", run=run_id, circular="GCN 1")[0] == 422
    assert sent_to_desk(ada, run_id, "submission", run=run_id, circular=44454) == (204, None)
    assert sent_to_desk(ada, run_id, "event", name="<b>GRB</b>")[0] == 409
    assert sent_to_desk(ada, run_id, "event", name="GRB 260511B") == (204, None)
    assert sent_to_desk(ada, run_id, "change", **retraction) == (204, None)
    status, detail = sent_to_desk(ada, run_id, "change", **retraction)
    assert status == 409
    assert "announcement 1 was already retracted by ada" in detail
    folder = settings.releases / "sb26051108" / "sb26051108__announcement_2"
    assert "in GCN Circ. 44454." in (folder / "circular.txt").read_text()
    assert webhook.texts[before].startswith("GRB 260511B (sb26051108): retraction of the SVOM/MXT result")
    wait_until(lambda: len(told(run_id)) >= 3, what="messages", timeout=60)
    kinds = {(one.kind, getattr(one, "action", None)) for one in told(run_id)}
    assert {("announcement", "announce"), ("announcement", "retract"), ("circular", None)} <= kinds
