"""The exit status of ``mxtvhf replay``, with given answers of Airflow."""

import json

import pytest

from mxtvhf.cli import replay
from mxtvhf.workflow.comparison import ComparisonSummary, Outcome
from support.commands import mxtvhf

BURST, OTHER = "sb26030704", "sb26051102"


class Airflow:
    """Ends every run at once with given comparisons."""

    def __init__(self, *outcomes):
        self.found = [
            ComparisonSummary(
                burst_id=BURST, archived_run="a", new_run="b", outcome=outcome, reason="x"
            ).model_dump(mode="json")
            for outcome in outcomes
        ]
        self.started = []

    def start_run(self, run_id, conf, dag_id):
        self.started.append(conf)

    def run(self, run_id, dag_id):
        return {"state": "success"}

    def task_states(self, run_id, dag_id):
        if not self.found:
            return {"select_archived_inputs": "skipped"}
        return {"compare_reports": "success"}

    def get(self, path):
        return {"value": self.found}


@pytest.mark.parametrize(
    ("outcomes", "arguments", "status", "words"),
    [
        ([Outcome.EQUAL], [BURST], 0, ""),
        ([Outcome.CHANGED], [BURST], 1, ""),
        ([], ["sb99999999"], 2, "nothing was replayed"),
        ([], ["--from", "2026-01-01"], 2, "nothing was replayed"),
        ([Outcome.EQUAL], [BURST, OTHER], 2, f"not replayed: {OTHER}"),
    ],
)
def test_the_exit_status_of_a_replay(monkeypatch, outcomes, arguments, status, words):
    monkeypatch.setattr(replay, "POLL_S", 0.0)
    monkeypatch.setattr(replay, "airflow", lambda: Airflow(*outcomes))
    done = mxtvhf("replay", *arguments, "--json")
    assert done.returncode == status, done.stderr
    assert len(json.loads(done.stdout)) == len(outcomes)
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give burst ids, days (--from, --to) or --limit"),
        (
            ["--from", "2026-03-31", "--to", "2026-03-01"],
            "the first day 2026-03-31 is after the last day 2026-03-01",
        ),
        (["--from", "2026-03-31T12:00"], "expected a day such as"),
        (["no-burst"], "burst_ids.0: found 'no-burst', expected"),
        (
            [BURST, "--speed", "1e-300"],
            "speed: found 1e-300, expected a value greater than or equal to 0.001",
        ),
    ],
)
def test_an_invalid_request_starts_nothing(monkeypatch, arguments, words):
    api = Airflow()
    monkeypatch.setattr(replay, "airflow", lambda: api)
    done = mxtvhf("replay", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert not api.started
