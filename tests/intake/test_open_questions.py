"""Questions to the Burst Advocate that no longer need an answer are closed."""

import threading
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.archive.archive import Archive, Retraction
from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.intake import open_questions
from mxtvhf.intake.open_questions import OpenQuestions, unneeded
from mxtvhf.models.files import write_atomically
from support.announcements import report

BURST = "sb26030704"
RUN_IDS = st.builds(
    "{}__{}{}".format,
    st.sampled_from([BURST, "sb26030801"]),
    st.integers(1, 30),
    st.sampled_from(["", "__test"]),
)


class Airflow:
    """Replacement of the client of Airflow's API."""

    def __init__(self, active, gone=(), away=0):
        self.active, self.gone, self.away = list(active), gone, away
        self.ended = {}

    def active_runs(self, dag_id):
        assert dag_id == "mxt_vhf_decision"
        if self.away:
            self.away -= 1
            raise Retriable("Airflow does not answer")
        return self.active

    def stop_run(self, run_id, note, dag_id):
        assert dag_id == "mxt_vhf_decision"
        if run_id in self.gone:
            raise InvalidInput("HTTP 404")
        self.ended[run_id] = note


def never(burst_id, is_test):
    return False


def no_later(burst_id, is_test, sequence):
    return None


@given(st.lists(RUN_IDS, unique=True))
def test_only_the_newest_question_of_a_burst_and_of_its_tests_stays_open(run_ids):
    left = set(run_ids) - unneeded(run_ids, never, no_later).keys()

    def story(run_id):
        return run_id.split("__")[0], run_id.endswith("__test")

    def sequence(run_id):
        return int(run_id.split("__")[1])

    assert Counter(map(story, left)) == Counter(set(map(story, run_ids)))
    for run_id in left:
        assert sequence(run_id) == max(sequence(one) for one in run_ids if story(one) == story(run_id))


def test_ten_comes_after_nine_and_the_reason_names_the_newer_one():
    assert unneeded([f"{BURST}__10", f"{BURST}__9"], never, no_later) == {
        f"{BURST}__9": f"superseded by {BURST}__10"
    }


@pytest.mark.parametrize(
    "run_id", ["manual__2026-03-07", f"{BURST}__2__replay_20260301T000000.000000Z", BURST]
)
def test_the_question_about_another_run_stays(run_id):
    assert unneeded([run_id, f"{BURST}__3"], never, no_later) == {}


def test_a_retraction_closes_the_questions_of_the_burst_but_not_of_its_tests(tmp_path):
    archive = Archive(tmp_path)
    retraction = Retraction(ivorn="ivo://org.svom/fsc#x", received=datetime(2026, 3, 7, tzinfo=UTC))
    archive.mark_retracted(BURST, retraction, is_test=False)
    airflow = Airflow([f"{BURST}__2", f"{BURST}__3", f"{BURST}__3__test"])
    OpenQuestions(archive, tmp_path, airflow).end_unneeded()
    assert airflow.ended == dict.fromkeys([f"{BURST}__2", f"{BURST}__3"], "closed: the burst was retracted")


def test_an_answered_newer_result_closes_the_older_questions(tmp_path):
    """A newer question answered within seconds is no longer open at the next check."""
    airflow = Airflow([f"{BURST}__2", f"{BURST}__2__test"])
    questions = OpenQuestions(Archive(tmp_path), tmp_path, airflow)
    for run_id, changes in (
        (f"{BURST}__1", {}),
        (f"{BURST}__3", {}),
        (f"{BURST}__4", {"best_position": None}),
        (f"{BURST}__5__test", {"is_replay": True}),
        (f"{BURST}__6__replay_20260301T000000.000000Z", {}),
    ):
        made = report(burst_id=BURST, run_id=run_id, status="preliminary", **changes)
        write_atomically(tmp_path / BURST / run_id / "preliminary" / "report.json", made.to_json())
    questions.end_unneeded()
    assert airflow.ended == {f"{BURST}__2": f"closed: superseded by {BURST}__3"}


def test_a_question_answered_meanwhile_does_not_block_others(tmp_path):
    airflow = Airflow([f"{BURST}__{n}" for n in (1, 2, 3)], gone=(f"{BURST}__1",))
    OpenQuestions(Archive(tmp_path), tmp_path, airflow).end_unneeded()
    assert list(airflow.ended) == [f"{BURST}__2"]


def test_an_unreachable_airflow_is_asked_again(tmp_path, monkeypatch):
    monkeypatch.setattr(open_questions, "EVERY_S", 0.0)
    airflow, stop, looks = Airflow([f"{BURST}__1", f"{BURST}__2"], away=2), threading.Event(), []

    def works():
        looks.append(len(airflow.ended))
        if len(looks) == 3:
            stop.set()

    OpenQuestions(Archive(tmp_path), tmp_path, airflow).run(stop, works)
    assert looks == [0, 0, 1]
