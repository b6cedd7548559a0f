"""Only some runs wait for their first report at a time, and none of the others is lost."""

import pytest

from mxtvhf.archive.products import PRELIMINARY_REPORT
from mxtvhf.intake.admission import LONGEST_S, OVERDUE_S, Admission, start_order
from mxtvhf.intake.intake import Intake
from mxtvhf.intake.planned import PlannedRun, planned_runs
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.run_conf import RunConf
from mxtvhf.settings import IntakePolicy
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.arrivals import NOON, seconds
from support.clock import Clock
from support.kept_state import Airflow

AT_ONCE = 2


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def admission(products, clock):
    return Admission(products, AT_ONCE, clock)


def run_of(number, *, packets=100, is_test=False):
    burst_id = f"sb260307{number:02d}"
    return PlannedRun(
        run_id=f"{burst_id}__1",
        conf=RunConf(burst_id=burst_id, alert="file:///alert.xml"),
        cause="photons",
        reason="first photons",
        is_test=is_test,
        packets=packets,
        planned=NOON,
    )


def report(products, run_id):
    path = products / run_id[:10] / run_id / PRELIMINARY_REPORT
    path.parent.mkdir(parents=True)
    path.write_text("{}")


def full(admission, **kind):
    for number in range(1, AT_ONCE + 1):
        run = run_of(number, **kind)
        assert admission.admits(run)
        admission.start(run)


def test_a_run_waits_until_another_one_has_its_report(admission, products):
    full(admission)
    assert not admission.admits(run_of(9))
    report(products, run_of(1).run_id)
    admission.refresh()
    assert admission.admits(run_of(9))
    admission.start(run_of(9))
    assert not admission.admits(run_of(10))


def test_a_run_without_a_report_holds_back_others_only_for_a_while(admission, clock):
    full(admission)
    clock.now = LONGEST_S - 0.1
    admission.refresh()
    assert not admission.admits(run_of(9))
    clock.now = LONGEST_S
    admission.refresh()
    assert admission.admits(run_of(9))


def test_a_run_without_packets_neither_waits_nor_counts(admission):
    for number in range(10):
        admission.start(run_of(number, packets=0))
    full(admission)
    assert admission.admits(run_of(20, packets=0))


def test_tests_never_hold_back_a_real_alert(admission):
    full(admission, is_test=True)
    assert not admission.admits(run_of(9, is_test=True))
    assert admission.admits(run_of(9))


def test_real_alerts_hold_back_tests(admission):
    full(admission)
    assert not admission.admits(run_of(9, is_test=True))


def test_waiting_runs_start_in_the_order_of_their_urgency():
    def waits(number, sequence, second, **changes):
        run = run_of(number)
        conf = run.conf.model_copy(update={"sequence": sequence})
        return run.model_copy(update={"conf": conf, "planned": seconds(second), **changes})

    retraction = waits(1, 3, 0, is_retraction=True)
    first_of_new_burst, first_of_old_burst = waits(2, 1, 30), waits(3, 1, 10)
    update, update_before = waits(4, 2, 40), waits(4, 2, 20)
    test = waits(5, 1, 50, is_test=True)
    mixed = [test, update_before, first_of_old_burst, retraction, update, first_of_new_burst]
    expected = [retraction, first_of_new_burst, first_of_old_burst, update, update_before, test]
    assert sorted(mixed, key=start_order) == expected


@pytest.fixture(scope="module")
def storm(tmp_path_factory):
    """Return packets and notice of each burst of a storm, in the order of arrival."""
    found = {}
    for number in range(1, 5):
        burst_id = f"sb260307{number:02d}"
        folder = tmp_path_factory.mktemp(burst_id)
        scenario = scenario_of(burst_id, ra_deg=80.0, dec_deg=10.0, counts=80, role="observation")
        write_scenario(scenario, folder)
        found[burst_id] = [(folder / name).read_bytes() for name in ("packets.bin", "eclairs-wakeup.xml")]
    return found


def intake_of(archive, airflow, products, clock=None):
    intake = Intake(archive, airflow, IntakePolicy(analyses_at_once=AT_ONCE), products)
    # The time limit for a missing report must not depend on the speed of this machine.
    intake._admission = Admission(products, AT_ONCE, clock or Clock())
    return intake


def test_a_storm_starts_some_runs_and_each_report_starts_the_newest_other_one(storm, archive, products):
    airflow = Airflow()
    intake = intake_of(archive, airflow, products)
    for number, messages in enumerate(storm.values()):
        for raw in messages:
            intake.keep(ReceivedMessage(raw, "test", seconds(number)))
        intake.round(lambda number=number: seconds(number))
    ids = [f"{burst_id}__1" for burst_id in storm]
    assert list(airflow.runs) == ids[:AT_ONCE]
    for number in range(len(ids)):
        report(products, list(airflow.runs)[number])
        intake.round(lambda: seconds(10))
    assert list(airflow.runs) == [*ids[:AT_ONCE], *reversed(ids[AT_ONCE:])]


def test_a_failed_run_does_not_hold_back_the_others(storm, archive, products, clock):
    airflow = Airflow()
    intake = intake_of(archive, airflow, products, clock)
    for messages in storm.values():
        for raw in messages:
            intake.keep(ReceivedMessage(raw, "test", NOON))
    intake.round(lambda: seconds(1))
    first, second = airflow.runs
    airflow.states |= {first: "running", second: "failed"}
    for clock.now, started in ((OVERDUE_S - 0.1, 2), (OVERDUE_S, 3), (OVERDUE_S + 0.1, 3)):
        intake.round(lambda: seconds(2))
        assert len(airflow.runs) == started
    assert airflow.asked == [first, second]


def test_runs_that_nobody_waits_for_are_not_asked_about(storm, archive, products, clock):
    airflow = Airflow()
    intake = intake_of(archive, airflow, products, clock)
    for raw in next(iter(storm.values())):
        intake.keep(ReceivedMessage(raw, "test", NOON))
    for clock.now in (0.0, OVERDUE_S):
        intake.round(lambda: seconds(1))
    assert len(airflow.runs) == 1
    assert not airflow.asked


def test_the_runs_that_waited_in_a_killed_intake_start_once_each(storm, archive, products):
    airflow = Airflow()
    killed = intake_of(archive, airflow, products)
    for messages in storm.values():
        for raw in messages:
            killed.keep(ReceivedMessage(raw, "test", NOON))
    killed.round(lambda: seconds(1))
    assert len(airflow.runs) == AT_ONCE
    # Airflow accepted these runs, but the killed intake did not record it.
    for path in archive.root.glob("sb*/planned/*.posted.json"):
        path.unlink()
    intake = intake_of(archive, airflow, products)
    for _ in storm:
        intake.round(lambda: seconds(2))
        for run_id in airflow.runs:
            if not (products / run_id[:10]).exists():
                report(products, run_id)
    assert sorted(airflow.runs) == [f"{burst_id}__1" for burst_id in storm]
    outcomes = [entry for burst_id in storm for entry in planned_runs(archive, burst_id)]
    assert [submission.outcome for _, submission in outcomes] == ["accepted"] * len(storm)
