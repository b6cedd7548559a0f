"""A run that waits for a person's answer, as each open decision does: a load on the scheduler only."""

from __future__ import annotations

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG

with DAG("waiting", schedule=None, max_active_runs=10_000):
    HITLOperator(task_id="ask", subject="Nobody answers", options=["yes"])
