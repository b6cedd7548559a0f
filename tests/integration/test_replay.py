"""Replays in a real Airflow: equal results are reproduced, and differences are detected."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from mxtvhf.archive.products import product_folder
from mxtvhf.simulator.scenario import scenario_of, write_scenario

pytestmark = pytest.mark.integration

BURST = "sb26012301"
DAG_ID = "mxt_vhf_replay"


@pytest.fixture(scope="module")
def originals(run, settings):
    """Return a run with a report, and one without packets and therefore without a report."""
    folder = settings.inputs / "replayed"
    start = datetime(2026, 1, 23, 4, 5, 6, tzinfo=UTC)
    write_scenario(scenario_of(BURST, ra_deg=120.0, dec_deg=20.0, start=start, seed=3), folder)
    alert, packets = ((folder / name).as_uri() for name in ("alert.xml", "packets.bin"))
    run_ids = [f"{BURST}__1", f"{BURST}__2"]
    assert run(run_ids[0], burst_id=BURST, alert=alert, packets=packets) == "success"
    run(run_ids[1], burst_id=BURST, alert=alert, sequence=2)
    return run_ids


@pytest.fixture(scope="module")
def replay(stack, settings):
    """Run ``mxtvhf replay``."""

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "mxtvhf", "replay", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=stack.processes.environment,
        )

    return call


@pytest.fixture(scope="module")
def replayed(replay, originals):
    """Return the comparisons of a replay of the burst, by original run."""
    done = replay(BURST, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    return {one["archived_run"]: one for one in json.loads(done.stdout)}


def task_of(run, run_id, task_id):
    return f"/api/v2/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}"


def newest(run):
    return run.ids(DAG_ID)[0]


def test_a_replay_is_equal_to_its_original(run, originals, replayed):
    found = replayed[originals[0]]
    assert found["outcome"] == "equal", found
    assert found["best"]["separation_arcsec"] == 0.0
    assert replayed[originals[1]]["outcome"] == "equal", "a notice alone has no report to miss"
    new = found["new_run"]
    written = json.loads((run.folder(new) / "comparison.json").read_text())
    assert written["reason"] == found["reason"]
    assert run.api.run(new)["note"] == f"replay of {originals[0]}"
    assert new in run.ids("mxt_vhf_rerun")


def test_the_comparison_is_a_link_and_a_file_of_the_run(run, web, originals, replayed):
    for task_id in ("compare_reports", "nothing_changed"):
        links = run.api.get(f"{task_of(run, newest(run), task_id)}/links")["extra_links"]
        page = web(links["Comparison"])
        assert page.status_code == 200
        assert "2 replays: 2 equal, 0 changed, 0 missing" in page.text
    assert web("/mxtvhf/replays/none").status_code == 404
    new_run = replayed[originals[0]]["new_run"]
    assert web(f"/mxtvhf/runs/{new_run}/comparison.json").json()["outcome"] == "equal"


def test_a_retry_continues_with_the_replays_of_the_first_try(run, replayed):
    replay_run, before = newest(run), set(run.ids())
    tries = {"dry_run": False, "dag_run_id": replay_run, "only_failed": False, "include_downstream": True}
    run.api.post(f"/api/v2/dags/{DAG_ID}/clearTaskInstances", {**tries, "task_ids": ["start_replays"]})
    assert run.wait(replay_run, dag_id=DAG_ID) == "success"
    assert set(run.ids()) == before
    assert set(run.api.task_states(replay_run, dag_id=DAG_ID).values()) == {"success"}


def test_a_changed_result_fails_the_dag_run(run, settings, replay, originals):
    path = product_folder(settings.products, BURST, originals[0]) / "report.json"
    archived = path.read_bytes()
    report = json.loads(archived)
    report["best_position"]["dec_deg"] += 0.1
    path.write_text(json.dumps(report))
    try:
        done = replay("--from", "2026-01-23", "--to", "2026-01-23")
    finally:
        path.write_bytes(archived)
    assert done.returncode == 1, done.stderr
    assert re.search(
        rf"^changed +360\".* {originals[0]}__replay_\S+: differs: best_position", done.stdout, re.M
    )
    states = run.api.task_states(newest(run), dag_id=DAG_ID)
    assert states["compare_reports"] == "success"
    assert states["nothing_changed"] == "failed"
    log = run.api.get(f"{task_of(run, newest(run), 'nothing_changed')}/logs/1")["content"]
    assert any(str(line["event"]).startswith("1 of 2 replays changed: ") for line in log)


def test_days_without_a_burst_have_nothing_to_replay(run, replay, originals):
    before = set(run.ids())
    done = replay("--from", "2026-01-24", "--to", "2026-01-25", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (2, [])
    assert set(run.ids()) == before


def test_with_a_speed_the_runs_keep_the_spacing_of_their_inputs(run, replay, originals):
    speed = 100.0
    done = replay(BURST, "--speed", str(speed), "--no-wait")
    replay_run = done.stdout.strip()
    assert run.wait(replay_run, dag_id=DAG_ID) == "success"
    series = run.api.get(
        f"{task_of(run, replay_run, 'select_archived_inputs')}/xcomEntries/return_value?deserialize=true"
    )["value"]
    assert [len(one) for one in series] == [1, 1]
    selected = [one for (one,) in series]
    received = [datetime.fromisoformat(one["replay"]["received"]) for one in selected]
    begun = [datetime.fromisoformat(run.api.run(one["replay"]["run_id"])["run_after"]) for one in selected]
    assert [one["replay"]["original"] for one in selected] == originals
    spacing = (begun[1] - begun[0]).total_seconds()
    assert spacing == pytest.approx((received[1] - received[0]).total_seconds() / speed, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "give burst ids, days"),
        (("no-burst",), "burst_ids.0"),
        ((BURST, "--speed", "0"), "speed"),
    ],
)
def test_bad_input_is_rejected_before_anything_is_started(run, replay, arguments, reason):
    before = run.ids(DAG_ID)
    done = replay(*arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr
    assert run.ids(DAG_ID) == before
