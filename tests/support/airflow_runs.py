"""Starting runs of a real Airflow, and looking at what became of them."""

import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg2

from benchmarks.runs import print_failed_tasks
from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.intake.planned import planned_runs
from mxtvhf.models.ids import RUN_DAG_IDS
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID, run_path

FINAL = ("success", "failed")


@contextmanager
def state_folder():
    """Give a stack a state folder apart from pytest's.

    Each start of pytest closes its own folder to all other users, and PostgreSQL, which runs as one of them
    when tests run as root, ends when it cannot reach its files.
    """
    with tempfile.TemporaryDirectory(prefix="mxtvhf-tests-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "var"


def conf_of(burst_id, folder):
    """Configuration of a run on a scenario that was written into a folder."""
    alert, packets = ((folder / name).as_uri() for name in ("alert.xml", "packets.bin"))
    return {"burst_id": burst_id, "alert": alert, "packets": packets}


def all_run_ids(api):
    """Ids of all runs of alerts, those of each DAG the oldest first."""
    return [run_id for dag_id in RUN_DAG_IDS for run_id in _run_ids(api, dag_id)]


def _run_ids(api, dag_id):
    found, page = [], f"/api/v2/dags/{dag_id}/dagRuns?limit=100&order_by=id&offset="
    while more := api.get(f"{page}{len(found)}")["dag_runs"]:
        found += [run["dag_run_id"] for run in more]
    return found


def end_queued(run_ids, settings):
    """End runs of the embedded Airflow that have not started: their processing would show nothing more."""
    where = {"host": settings.home / "postgres", "user": "postgres", "dbname": "airflow"}
    query = "UPDATE dag_run SET state = 'failed' WHERE state = 'queued' AND run_id = ANY(%s)"
    with closing(psycopg2.connect(**where)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query, (list(run_ids),))


def planned(settings, burst_id, wanted):
    """Wait until the intake has submitted some of the planned runs of a burst, and return those selected.

    A notice and packets that arrive together get one run, otherwise two: a test that does not control the
    moment must ask for the run instead of assuming its sequence number.
    """

    def found():
        runs = planned_runs(Archive(settings.archive), burst_id)
        return [plan for plan, submission in runs if submission and wanted(plan)]

    wait_until(lambda: bool(found()), what=f"a run of {burst_id}", timeout=180)
    return found()


def has_packets(plan):
    """Select the planned runs that analyse photons."""
    return plan.packets > 0


class Runner:
    """Starts runs of the DAG and waits for their end."""

    def __init__(self, stack, settings):
        self.api = stack.api
        self.settings = settings

    def wait(self, run_id, timeout=300.0, dag_id=None):
        def has_ended():
            # A busy machine may keep an answer waiting for longer than the client does.
            with suppress(Retriable):
                return self.api.run(run_id, dag_id=dag_id)["state"] in FINAL
            return False

        # A run takes seconds, and each check costs the API server as much as a task's request.
        wait_until(has_ended, what=run_id, timeout=timeout, every=0.4)
        state = self.api.run(run_id, dag_id=dag_id)["state"]
        if state == "failed":
            # What a test that expected success needs to tell the cause.
            print_failed_tasks(self.api, run_id, dag_id)
        return state

    def __call__(self, run_id, timeout=300.0, **conf):
        assert self.api.start_run(run_id, conf)
        return self.wait(run_id, timeout)

    def ids(self, *dag_ids):
        """Ids of the latest runs of some DAGs, by default of those that analyse alerts."""
        page = "/api/v2/dags/{}/dagRuns?limit=100&order_by=-run_after"
        found = [self.api.get(page.format(dag_id))["dag_runs"] for dag_id in dag_ids or RUN_DAG_IDS]
        return [run["dag_run_id"] for runs in found for run in runs]

    def task(self, run_id, task_id, what, dag_id=None):
        """Something of a task instance."""
        return self.api.get(f"{run_path(run_id, dag_id)}/taskInstances/{task_id}/{what}")

    def end_questions(self):
        """End the open questions to the Burst Advocate: the scheduler looks at each of them in every loop."""
        for run_id in self.api.active_runs(DECISION_DAG_ID):
            with suppress(InvalidInput):  # it has ended meanwhile
                self.api.stop_run(run_id, note="the tests of this question are over", dag_id=DECISION_DAG_ID)

    def links(self, run_id, task_id):
        return self.task(run_id, task_id, "links")["extra_links"]

    def log(self, run_id, task_id, attempt=1, dag_id=None):
        lines = self.task(run_id, task_id, f"logs/{attempt}", dag_id)["content"]
        return "\n".join(str(line["event"]) for line in lines)

    def folder(self, run_id):
        return next(self.settings.products.glob(f"sb*/{run_id}"))
