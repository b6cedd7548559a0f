"""Airflow notifier for a question to the Burst Advocate.

It only records the event in the ledger of notifications. The notifier of the listener sends, repeats and
escalates it, so that a slow channel never delays a task.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk.bases.notifier import BaseNotifier

from mxtvhf_airflow.environment import process_settings

if TYPE_CHECKING:
    from airflow.sdk import Context


class DecisionNotifier(BaseNotifier):
    """Records that a decision about a run is needed. Airflow calls it when the question is asked."""

    def notify(self, context: Context) -> None:
        """Record the event. An error is only logged, because it must not affect the question."""
        settings = process_settings()
        if settings.notification is None:
            return
        from mxtvhf.notification.ledger import Ledger
        from mxtvhf.notification.run_events import decision_wanted
        from mxtvhf.reporting.announcement.question import read_report

        run = context["dag_run"]
        try:
            report, _ = read_report(settings.products, str((run.conf or {}).get("burst_id")), run.run_id)
            occurrence = decision_wanted(report, desk=settings.desk, now=datetime.now(UTC))
            Ledger(settings.notifications).raise_occurrence(occurrence)
        except Exception:
            self.log.exception("run %s: question not recorded for notification", run.run_id)
