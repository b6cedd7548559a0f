"""A DAG whose runs wait for a decision, as runs with open decisions do; they only load the scheduler."""

from __future__ import annotations

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG

with DAG("waiting", schedule=None, max_active_runs=10_000):
    HITLOperator(task_id="ask", subject="Nobody answers", options=["yes"])
