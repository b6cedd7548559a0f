"""Runs the GP operator, sensor and trigger in a real Airflow of its own; a process of the tests.

Reads one JSON object per line from stdin, answers with one on the line after ``ANSWER``:
``{"do": "dag", ...}`` runs the DAG ``gp_only`` with ``dag.test()``, ``{"do": "trigger", ...}`` runs the
trigger alone, ``{"do": "urls", ...}`` resolves connections. AIRFLOW_HOME is set by who starts it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any


def run_dag(order: dict[str, Any]) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    from mxtvhf.models.files import safe_name
    from mxtvhf.settings import read_settings
    from mxtvhf.workflow.step_results import StepResults

    dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags["gp_only"]
    sensor, starter = dag.get_task("wait_mxt_gp"), dag.get_task("start_mxt_gp_pipeline")
    for name, value in order.get("sensor", {}).items():
        setattr(sensor, name, value)
    starter.post_execute = DiesAfterwards(order.get("deaths", 0))
    run = dag.test(run_conf=order.get("conf", {}))
    results = StepResults(
        next(read_settings().products.glob(f"*/{safe_name(run.run_id)}")), "gp_only", run.run_id
    )
    with create_session() as session:
        xcoms = {
            f"{x.task_id}.{x.key}": XComModel.deserialize_value(x)
            for x in session.query(XComModel).filter(XComModel.run_id == run.run_id)
        }
    instances = {ti.task_id: ti for ti in run.get_task_instances()}
    return {
        "states": {name: str(ti.state) for name, ti in instances.items()},
        "tries": {name: ti.try_number for name, ti in instances.items()},
        "xcoms": xcoms,
        "results": {
            task_id: results.record(task_id).result for task_id in instances if results.path(task_id).exists()
        },
    }


class DiesAfterwards:
    """Makes the first tries of a task fail after their work."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self, context: Any, result: Any = None) -> None:
        if self.times > 0:
            self.times -= 1
            raise RuntimeError("the worker broke after GP had started")


def run_trigger(order: dict[str, Any]) -> dict[str, Any]:
    from airflow._shared.module_loading import import_string

    from mxtvhf_airflow.triggers.gp import MxtGpTrigger

    path, arguments = MxtGpTrigger(**order["trigger"]).serialize()
    trigger = import_string(path)(**json.loads(json.dumps(arguments)))
    largest_lag = 0.0

    async def heartbeat() -> None:
        nonlocal largest_lag
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            largest_lag = max(largest_lag, time.monotonic() - before - 0.01)

    async def events() -> list[Any]:
        beating = asyncio.create_task(heartbeat())
        found = [event.payload async for event in trigger.run()]
        beating.cancel()
        return found

    return {"events": asyncio.run(events()), "largest_lag": largest_lag}


def resolve(order: dict[str, Any]) -> dict[str, Any]:
    from airflow.sdk import Connection

    from mxtvhf.errors import InvalidInput
    from mxtvhf_airflow.hooks.gp import gp_base_url

    def url_of(connection: Connection) -> str:
        try:
            return gp_base_url(connection)
        except InvalidInput as error:
            return f"refused: {error}"

    made = [Connection(conn_id="c", conn_type="http", **fields) for fields in order["connections"]]
    made += [Connection.from_uri(uri, conn_id="c") for uri in order["uris"]]
    return {"urls": [url_of(connection) for connection in made]}


def main() -> None:
    work = {"dag": run_dag, "trigger": run_trigger, "urls": resolve}
    for line in sys.stdin:
        order = json.loads(line)
        for name, value in order.get("environment", {}).items():
            os.environ[name] = value
        answer = work[order["do"]](order)
        print("\nANSWER\n" + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
