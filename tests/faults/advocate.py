"""A Burst Advocate who approves everything at once."""

from mxtvhf.errors import MxtVhfError
from mxtvhf.reporting.announcement.request import APPROVE
from mxtvhf.settings import ADMIN
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID, AirflowApi


class Advocate:
    """Answers all open questions over Airflow's API, repeatedly."""

    def __init__(self, stack):
        self.api = AirflowApi(stack.url, ADMIN, stack.password)

    def work(self, stop):
        while not stop.wait(2.0):
            try:
                self.answer_all()
            except MxtVhfError:
                # Airflow is down; the questions stay.
                continue

    def answer_all(self):
        waiting = f"/api/v2/dags/{DECISION_DAG_ID}/dagRuns/~/taskInstances?state=awaiting_input&limit=50"
        body = {"chosen_options": [APPROVE], "params_input": {"position": "best", "comment": ""}}
        for task in self.api.get(waiting)["task_instances"]:
            run = f"/api/v2/dags/{DECISION_DAG_ID}/dagRuns/{task['dag_run_id']}"
            path = f"{run}/taskInstances/{task['task_id']}/-1/hitlDetails"
            self.api._request("PATCH", path, json=body)
