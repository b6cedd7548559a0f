"""Two listeners submit the runs of one burst; a retraction stops all of them."""

from datetime import UTC, datetime

from mxtvhf.archive.archive import Retraction
from mxtvhf.intake.dispatch import dispatch
from mxtvhf.intake.planned import PlannedRun, planned_folder
from mxtvhf.models.files import write_once
from mxtvhf.models.ids import run_id_of
from mxtvhf.models.run_conf import RunConf

BURST = "sb26010101"
NOW = datetime(2026, 1, 1, 3, tzinfo=UTC)


class Airflow:
    """Runs by id with their states; ``meanwhile`` happens while a run is being started."""

    def __init__(self, meanwhile):
        self.meanwhile, self.states = meanwhile, {}

    def start_run(self, run_id, conf):
        self.states[run_id] = "running"
        self.meanwhile(run_id)
        return True

    def run(self, run_id):
        return {"state": self.states[run_id]}

    def stop_run(self, run_id, note):
        assert f"burst {BURST} was retracted: notice ivo://a/b#c" in note
        self.states[run_id] = "failed"


def planned(archive, sequence, **fields):
    run = PlannedRun(
        run_id=run_id_of(BURST, sequence),
        conf=RunConf(burst_id=BURST, alert=f"file:///alert{sequence}.xml", sequence=sequence),
        cause="notice",
        reason="notice ivo://a/b#c",
        is_test=False,
        planned=NOW,
        **fields,
    )
    write_once(planned_folder(archive, BURST) / f"{sequence:04d}.json", run.model_dump_json().encode())
    return run


def test_a_retraction_by_another_listener_stops_a_run_that_is_being_started(archive):
    """The run had no submission yet, so the retraction overlooked it."""
    first = planned(archive, 1, packets=5, photons=9)
    retraction = planned(archive, 2, is_retraction=True)

    def meanwhile(run_id):
        if run_id == first.run_id:
            archive.mark_retracted(BURST, Retraction(ivorn="ivo://a/b#c", received=NOW), is_test=False)
            dispatch(retraction, archive, airflow)

    airflow = Airflow(meanwhile)
    assert dispatch(first, archive, airflow).outcome == "accepted"
    assert airflow.states == {first.run_id: "failed", retraction.run_id: "running"}
