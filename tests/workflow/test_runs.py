"""What the REST API says of a run, read back with the client of GP's contract."""

from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.archive.archive import QuarantineNote
from mxtvhf.archive.products import ReportSummary
from mxtvhf.cli.tables import answer_text, bursts_text, quarantine_text, runs_text
from mxtvhf.models.ids import run_id_of
from mxtvhf.models.position import Origin
from mxtvhf.models.product import Product
from mxtvhf.models.run_conf import RunConf
from mxtvhf.models.times import utc_text
from mxtvhf.workflow.gp.contract import Answer, GpAnswerError, GpState, job_status, started_job
from mxtvhf.workflow.runs import Run, StepProblem, burst_entries, differing, run_answer, run_entry
from support.positions import place

BURST = "sb26030704"
NOW = datetime(2026, 3, 7, 14, tzinfo=UTC)
FAILED = StepProblem(step="wait_mxt_gp", state="failed", reason="no attitude")


def run(state="success", number=1, burst_id=BURST, **changes):
    facts = {"run_id": f"{burst_id}__{number}", "burst_id": burst_id, "sequence": number}
    return Run(**facts, state=state, created=NOW - timedelta(minutes=number), **changes)


def position(r90_arcsec=50.0, **changes):
    fields = {"label": "photons", "r90_stat_arcsec": 30.0, "r90_sys_arcsec": 40.0}
    return place(155.5, -21.0, r90_arcsec, **{**fields, **changes})


def report(best, **changes):
    facts = {
        "burst_id": BURST,
        "run_id": f"{BURST}__1",
        "status": "final",
        "is_test": True,
        "is_replay": False,
        "is_retracted": False,
        "headline": "a headline",
        "written": NOW,
        "trigger_time": NOW - timedelta(hours=2),
        "best_position": best,
        "products": {"event_file": Product(path="events.fits", sha256="0")},
        "timeline": (),
    }
    return ReportSummary(**{**facts, **changes})


def told(run, report):
    """What a client of GP understands of our answer."""
    content = run_answer(run, report, "/mxtvhf").model_dump_json().encode()
    headers = {"content-type": "application/json"}
    assert started_job(Answer("POST", "http://x/processing", 201, content, headers)) == run.run_id
    return job_status(Answer("GET", "http://x/status", 200, content, headers), run.run_id)


def test_a_client_of_gp_understands_a_finished_run():
    status = told(run(), report(position()))
    assert status.state is GpState.COMPLETED
    assert (status.position.ra_deg, status.position.dec_deg) == (155.5, -21.0)
    assert status.position.r90_arcsec == pytest.approx(50.0)
    assert not status.is_reference


@pytest.mark.parametrize(("state", "word"), [("queued", GpState.PENDING), ("running", GpState.RUNNING)])
def test_a_run_at_work_has_no_result_yet_but_its_preliminary_report(state, word):
    answer = run_answer(run(state), report(position(), status="preliminary"), "/mxtvhf")
    assert told(run(state), None).state is word
    assert answer.result is None
    assert answer.report.best_position == position()
    assert answer.report.json_url == f"/mxtvhf/runs/{BURST}__1/preliminary/report.json"


def test_a_run_of_a_paused_dag_says_why_it_does_not_go_on():
    assert "paused" in told(run("queued", is_paused=True), None).message
    assert told(run("success", is_paused=True), report(position())).message is None


def test_a_run_that_failed_with_a_position_is_completed_and_says_what_failed():
    status = told(run("failed", problems=(FAILED,)), report(position()))
    assert status.state is GpState.COMPLETED
    assert status.message == "wait_mxt_gp: no attitude"


@pytest.mark.parametrize(
    ("problems", "message"),
    [((), "the run ended without a position"), ((FAILED,), "wait_mxt_gp: no attitude")],
)
@pytest.mark.parametrize("found", [None, report(None), report(position(r90_arcsec=None))])
def test_a_run_without_a_position_is_failed_and_says_why(problems, message, found):
    status = told(run(problems=problems), found)
    assert status.state is GpState.FAILED
    assert status.message == message


def test_a_total_radius_alone_is_given_as_it_is():
    best = position(origin=Origin.ECLAIRS, r90_stat_arcsec=None, r90_sys_arcsec=0.0, r90_arcsec=500.0)
    assert told(run(), report(best)).position.r90_arcsec == pytest.approx(500.0)


def test_an_answer_about_another_run_is_refused_by_the_client():
    content = run_answer(run(), None, "").model_dump_json().encode()
    answer = Answer("GET", "http://x/status", 200, content, {"content-type": "application/json"})
    with pytest.raises(GpAnswerError, match="asked for other"):
        job_status(answer, "other")


def test_products_have_urls():
    reference = run_answer(run(), report(position()), "/base/mxtvhf").report
    assert reference.products == {"event_file": f"/base/mxtvhf/runs/{BURST}__1/events.fits"}
    assert reference.url == f"/base/mxtvhf/runs/{BURST}__1/report"


def test_run_ids_are_deterministic_and_differences_named():
    first = RunConf(burst_id=BURST, alert="a", sequence=3)
    assert run_id_of(first.burst_id, first.sequence) == f"{BURST}__3"
    assert differing(first, first) == []
    assert differing(first, first.model_copy(update={"alert": "b", "orbit": "7"})) == ["alert", "orbit"]


def test_bursts_come_with_their_newest_run_and_age():
    runs = [run(number=1), run(number=2, burst_id="sb26030303"), run(number=3)]
    asked = []

    def report_of(run_id):
        asked.append(run_id)
        return report(position()) if run_id == f"{BURST}__1" else None

    found = burst_entries(runs, report_of, "", limit=5, now=NOW)
    assert [(entry.burst_id, entry.runs) for entry in found] == [(BURST, 2), ("sb26030303", 1)]
    # Since T0 where a report tells it, else since the run was made.
    assert [entry.age_s for entry in found] == [7200.0, 120.0]
    assert asked == [f"{BURST}__1", "sb26030303__2"]
    assert len(burst_entries(runs, report_of, "", limit=1, now=NOW)) == 1


def test_tables_for_people():
    entry = run_entry(run(), report(position(), is_retracted=True), "", now=NOW)
    (_, line) = runs_text([entry])
    for word in (f"{BURST}__1", " position ", "1.0 min", "155.5000", '50"', "TEST RETRACTED"):
        assert word in line
    bursts = burst_entries([run()], lambda _: None, "", limit=1, now=NOW)
    assert bursts_text(bursts)[1].split()[:6] == [BURST, "1.0", "min", "1", "no", "position"]
    lines = answer_text(run_answer(run("failed", problems=(FAILED,)), report(position()), "/m"))
    assert lines[0] == f"{BURST}__1: position, run failed"
    assert "  failed    wait_mxt_gp: no attitude" in lines
    assert "  final     a headline" in lines
    assert quarantine_text([]) == []
    note = QuarantineNote(sha256="0" * 64, input="inbox x", reason="inbox x: empty", size=0, time=NOW)
    assert quarantine_text([note]) == [f"{utc_text(NOW)}  inbox x: empty (0 bytes, {'0' * 12})"]


def test_tables_tell_the_decision_and_a_retraction_in_the_words_of_the_desk():
    asked, retracted = (
        runs_text([run_entry(run(), report(position()), "", now=NOW, desk_state=word)])[1]
        for word in ("awaiting decision", "retracted")
    )
    assert "awaiting decision TEST" in asked
    assert "RETRACTED" in retracted
    assert "retracted" not in retracted


def test_a_replay_does_not_stand_for_its_burst():
    replay = run().model_copy(update={"run_id": f"{BURST}__1__replay_20261123T040000.000000Z"})
    (found,) = burst_entries([replay, run()], lambda _: None, "", limit=1, now=NOW)
    assert (found.latest.process_id, found.runs) == (f"{BURST}__1", 2)
    (alone,) = burst_entries([replay], lambda _: None, "", limit=1, now=NOW)
    assert alone.latest.process_id == replay.run_id
