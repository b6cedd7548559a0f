"""A no-op DAG with the shape of ``mxt_vhf``, the baseline of ``benchmarks.latency``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator, chain


class NoOperator(BaseOperator):
    """A task that does nothing in its own process; Airflow never starts an ``EmptyOperator``."""

    def execute(self, context: Any) -> None:
        """Do nothing."""


with DAG("noop", schedule=None, default_args={"retries": 3, "retry_delay": timedelta(seconds=2)}):
    names = ("first", "second", "third", "start", "wait", "beside",
             "preliminary", "analysis", "crosscheck", "update")  # fmt: skip
    first, second, third, start, wait, beside, preliminary, analysis, crosscheck, update = (
        NoOperator(task_id=name) for name in names
    )
    end = EmptyOperator(task_id="end")
    chain(first, second, third, start, wait, crosscheck, update)
    chain(third, beside, [preliminary, crosscheck])
    chain(beside, analysis, update)
    chain([wait, preliminary, analysis, update], end)
