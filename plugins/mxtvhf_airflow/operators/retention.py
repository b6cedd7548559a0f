"""Operator of the retention DAG."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from mxtvhf_airflow.environment import process_settings
from mxtvhf_airflow.run_context import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class RetentionOperator(BaseOperator):
    """Removes old files of the state folder and returns the number of files of each kind."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Remove files that are older than ``MXTVHF_KEEP_DAYS``."""
        # Imported here, because every Airflow process imports this module, but only this task needs it.
        from mxtvhf.operation.retention import retention

        settings = process_settings()
        before = datetime.now(UTC) - timedelta(days=settings.keep_days)
        with airflow_errors(context, self.log):
            removals = retention(settings, before)
        for removal in removals:
            self.log.info("%s: %d removed, %.1f MB", removal.what, removal.items, removal.bytes / 1e6)
        return [removal.model_dump(mode="json") for removal in removals]
